"""Failures of a set, counted by kind: in steps, with what was counted kept as JSON between them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final

from kiq_django import codec, failure
from kiq_django.exceptions import MalformedPayload
from kiq_django.payload import Payload
from kiq_django.store.groups import Cursor

HOUR: Final = 3600
HOURS: Final = 24
MOST_GROUPS: Final = 500
"""Kinds that are told apart; the jobs of all others are only counted."""
MOST_KINDS: Final = 5_000
"""Kinds, lines of code counted, that a step remembers the group of."""
MOST_JIDS: Final = 5
MOST_QUEUES: Final = 10
TEXT_CHARACTERS: Final = 128


@dataclass(slots=True)
class Group:
    """Failures of one kind."""

    name: str
    error_class: str
    frame: str
    pattern: str
    count: int = 0
    first_at: float | None = None
    last_at: float | None = None
    hours: dict[str, int] = field(default_factory=dict)
    """Failures by hour, counted from 1970; text, as JSON has it."""
    jids: list[str] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)

    def add(self, payload: Payload | None, first_at: float | None, last_at: float | None, now: float) -> None:
        """Count one job, with the times of its first and last failure."""
        self.count += 1
        if payload is not None:
            if len(self.jids) < MOST_JIDS:
                self.jids.append(payload.jid[:TEXT_CHARACTERS])
            queue = payload.queue[:TEXT_CHARACTERS]
            if queue not in self.queues and len(self.queues) < MOST_QUEUES:
                self.queues.append(queue)
        if first_at is not None and (self.first_at is None or first_at < self.first_at):
            self.first_at = first_at
        if last_at is None:
            return
        if self.last_at is None or last_at > self.last_at:
            self.last_at = last_at
        if last_at > now - HOURS * HOUR:
            hour = str(int(last_at // HOUR))
            self.hours[hour] = self.hours.get(hour, 0) + 1


@dataclass(slots=True)
class Tally:
    """A count under way, or done."""

    began_at: float
    """Epoch seconds."""
    counted: int = 0
    complete: bool = False
    other: int = 0
    """Jobs of further kinds."""
    groups: dict[str, Group] = field(default_factory=dict)
    """By fingerprint."""
    score: str = Cursor().score
    skip: int = 0
    _known: dict[failure.Kind, Group | None] = field(default_factory=dict)

    @property
    def cursor(self) -> Cursor:
        """Where to go on."""
        return Cursor(self.score, self.skip)

    def step(self, members: Iterable[tuple[bytes, bytes]], cursor: Cursor, *, now: float, scored: bool) -> None:
        """Count some more jobs.

        Args:
            members: payloads and scores.
            cursor: where to go on from there.
            now: epoch seconds.
            scored: the score of a job that tells no time of its failure is that time.
        """
        for raw, score in members:
            self.counted += 1
            try:
                payload = Payload.decode(raw)
            except MalformedPayload:
                payload = None
            kind = failure.kind_of(payload)
            group = self._known[kind] if kind in self._known else self._open(kind, payload)
            if group is None:
                self.other += 1
                continue
            first = payload.failed_at if payload else None
            if first is None and scored:
                first = float(score)
            last = (payload.retried_at if payload else None) or first
            group.add(payload, _past(first, now), _past(last, now), now)
        self.score, self.skip = cursor

    def _open(self, kind: failure.Kind, payload: Payload | None) -> Group | None:
        """The group of a kind that is new to this step; None beyond the last that there is room for."""
        fingerprint = failure.fingerprint(kind)
        group = self.groups.get(fingerprint)
        if group is None and len(self.groups) < MOST_GROUPS:
            message = payload.document.get("error_message") if payload else None
            group = self.groups[fingerprint] = Group(*kind, failure.pattern(message if type(message) is str else ""))
        if len(self._known) < MOST_KINDS:
            self._known[kind] = group
        return group

    # -- between two steps ------------------------------------------------------------------------

    def encode(self) -> bytes:
        """As JSON."""
        told = _fields(self)
        del told["_known"]
        told["groups"] = {fingerprint: _fields(group) for fingerprint, group in self.groups.items()}
        return codec.dump_bytes(told)

    @classmethod
    def decode(cls, text: bytes | None) -> "Tally | None":
        """Undo `encode`. None for anything else: another version may have written it."""
        try:
            told: dict[str, Any] = codec.loads(text or b"")
            groups = {name: Group(**_checked(group)) for name, group in told.pop("groups").items()}
            return cls(**_checked(told), groups=groups)
        except (MalformedPayload, TypeError, KeyError, AttributeError):
            return None


TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys(("name", "error_class", "frame", "pattern", "score"), (str,)),
    **dict.fromkeys(("count", "counted", "other", "skip"), (int,)),
    **dict.fromkeys(("first_at", "last_at"), (float, int, NoneType)),
    "began_at": (float, int),
    "complete": (bool,),
    "hours": (dict,),
    "jids": (list,),
    "queues": (list,),
}
"""Of the fields, by name."""
INSIDE: Final[Mapping[str, type]] = {"hours": int, "jids": str, "queues": str}


def _checked(told: dict[str, Any]) -> dict[str, Any]:
    """What has the types that it should have.

    Raises:
        TypeError: it has others.
        KeyError: it has a field that we do not know.
    """
    for name, value in told.items():
        if type(value) not in TYPES[name]:
            raise TypeError(name)
        inside = value.values() if type(value) is dict else value
        if name in INSIDE and any(type(each) is not INSIDE[name] for each in inside):
            raise TypeError(name)
    return told


def _fields(value: Group | Tally) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _past(moment: float | None, now: float) -> float | None:
    """What can be the time of a failure: a clock that is ahead is set right, nonsense is none."""
    if moment is None or not 0 < moment < now + HOUR:
        return None
    return min(moment, now)
