"""What is done with many jobs, and how far that is."""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, cast

from kiq_django.api.filters import Filter
from kiq_django.api.records import Place
from kiq_django.exceptions import ConfigurationError

Verb = Literal["retry", "kill", "delete", "reschedule", "move"]
OperationState = Literal["waiting", "running", "cancelled", "done", "failed"]

VERBS: dict[Place, tuple[Verb, ...]] = {
    "queue": ("move", "reschedule", "kill", "delete"),
    "schedule": ("retry", "reschedule", "move", "kill", "delete"),
    "retry": ("retry", "reschedule", "move", "kill", "delete"),
    "dead": ("retry", "reschedule", "move", "delete"),
}
"""What can be done where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation at one moment. Times are epoch seconds by the server's clock."""

    id: str
    verb: Verb
    place: Place
    """`queue`, `schedule`, `retry` or `dead`."""
    queue: str = ""
    """Which queue, when the place is one."""
    where: Filter = Filter()
    """Which of the jobs there."""
    spread: float = 0.0
    """Retry each at a time within so many seconds from the start; 0 is at once."""
    when: float | None = None
    """The time to reschedule them to."""
    to: str = ""
    """The queue to move them to."""
    by: str = ""
    reason: str = ""
    state: OperationState = "waiting"
    started_at: float = 0.0
    """Jobs that came later than this are not touched."""
    begun_at: float | None = None
    """When the first runner took it up."""
    heartbeat: float | None = None
    """When it last went on."""
    finished_at: float | None = None
    runner: str = ""
    """Who is at it, or was last: `host:pid:nonce`."""
    cancelled_by: str = ""
    error: str = ""
    """Why it failed."""
    size: int = 0
    """Jobs that were there when it started."""
    total: int | None = None
    """Jobs that matched when somebody counted, before it started."""
    looked_at: int = 0
    done: int = 0
    gone: int = 0
    """Jobs that matched, but somebody else was quicker."""
    skipped: int = 0
    """Jobs that matched, but cannot be read, so that this cannot be done with them."""

    @property
    def has_ended(self) -> bool:
        """Nothing more is done."""
        return self.state in ("cancelled", "done", "failed")

    @property
    def percent(self) -> float:
        """How much of the place it has gone through, 0 to 100."""
        if self.state == "done":
            return 100.0
        return min(100.0, 100.0 * self.looked_at / self.size) if self.size else 0.0

    @property
    def seconds(self) -> float:
        """How long it has been at work, or was."""
        end = self.finished_at or self.heartbeat
        return max(0.0, end - self.begun_at) if self.begun_at and end else 0.0

    @property
    def rate(self) -> float:
        """Jobs that it looks at in a second; 0 when that is not known yet."""
        return self.looked_at / self.seconds if self.seconds else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds until its end, at this rate. None when nobody can know, 0 when it has ended."""
        if self.has_ended:
            return 0.0
        return max(0, self.size - self.looked_at) / self.rate if self.rate else None

    def due(self, jid: str) -> float:
        """When a job of a spread retry runs: always the same for one job, and as if by chance over all."""
        return self.started_at + self.spread * zlib.crc32(f"{self.id} {jid}".encode(errors="replace")) / 2**32

    def to_fields(self) -> dict[str, str]:
        """As it is stored. What has no value is left out."""
        given = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("id", "where")}
        texts = {name: str(value) for name, value in given.items() if value not in (None, "")}
        return {**texts, "where": self.where.to_json()}

    @classmethod
    def from_fields(cls, operation: str, given: Mapping[str, str], *, strict: bool = False) -> "Operation":
        """Undo `to_fields`, as far as this version knows the fields.

        Args:
            operation: its id.
            given: the fields.
            strict: False passes over what cannot be read. To show it, never to act by it.

        Raises:
            ValueError, ConfigurationError: only if strict; it cannot be read.
        """
        read: dict[str, Any] = {"verb": "", "place": ""}
        for name in given.keys() & set(NAMES):
            try:
                read[name] = READERS[name](given[name], strict=strict) if name in READERS else given[name]
            except UNREADABLE:
                if strict:
                    raise
        return cls(id=operation, **cast("Any", read))


def _filter(text: str, *, strict: bool) -> Filter:
    """One whose times are numbers."""
    found = Filter.from_json(text, strict=strict)
    float(found.low), float(found.high)
    return found


def _moment(text: str, *, strict: bool) -> float:
    del strict
    moment = float(text)
    if not math.isfinite(moment):
        raise ValueError(f"{text} is no time")
    return moment


def _count(text: str, *, strict: bool) -> int:
    del strict
    count = int(text)
    if not 0 <= count < LARGEST:
        raise ValueError(f"{text} is no number of jobs")
    return count


LARGEST = 2**53
UNREADABLE = (ValueError, TypeError, AttributeError, OverflowError, RecursionError, ConfigurationError)
READERS: dict[str, Any] = {
    "where": _filter,
    **dict.fromkeys(("spread", "when", "started_at", "begun_at", "heartbeat", "finished_at"), _moment),
    **dict.fromkeys(("size", "total", "looked_at", "done", "gone", "skipped"), _count),
}
NAMES = tuple(each.name for each in fields(Operation) if each.name != "id")
"""The fields of the hash that tell of an operation; the others are its runner's business."""
