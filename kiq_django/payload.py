"""A job as it lies in Redis: one JSON object in Sidekiq's format."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kiq_django.codec import dump_bytes, loads
from kiq_django.exceptions import MalformedPayload, PayloadError
from kiq_django.jids import new_jid

KWARGS: Final = "kwargs"
"""Our own field: keyword arguments, an object beside `args`; Ruby ignores it."""
RICH: Final = "rich"
"""Our own field: true when arguments need `arguments.load` before the job sees them."""
RESULT: Final = "kiq_result"
"""Our own field: seconds that the job's result is kept."""
EXPIRES: Final = "expires_at"
"""Our own field: epoch seconds after which the job is not begun any more."""
TASK: Final = "django_task"
"""Our own field: an object that tells of a task of `django.tasks`, whose result is kept."""
PARKED: Final = "kiq_parked"
"""Our own field: an object in a job that waits in the retry set for a worker that declares it."""
CARRIED: Final = "kiq_carried"
"""Our own field: an object in a job that is set aside while it goes from one server, or slot, to another."""
PARTITION_KEY: Final = "partition_key"
"""Our own field: jobs of one key go to the same list of a partitioned queue."""

ABSENT: Final[Any] = type("Absent", (), {"__repr__": lambda self: "ABSENT", "__slots__": ()})()
"""Given to `Payload.evolve`: remove this field."""

_NULL = type(None)


MILLISECONDS_FROM: Final = 100_000_000_000
"""Times from here on are milliseconds, which Sidekiq 8 writes as integers: as seconds it would be the year 5138."""


def _seconds(value: Any) -> float | None:
    if type(value) is not float and (type(value) is not int or value.bit_length() > 64):
        return None
    return value / 1000 if value >= MILLISECONDS_FROM else float(value)


_FIELDS = (
    ("class", frozenset({str}), "the name of a job"),
    ("jid", frozenset({str}), "a text"),
    ("args", frozenset({list, _NULL}), "a list"),
    (KWARGS, frozenset({dict, _NULL}), "an object"),
    ("tags", frozenset({list, _NULL}), "a list"),
    ("queue", frozenset({str, _NULL}), "a text"),
    ("retry_count", frozenset({int, _NULL}), "a whole number"),
)
"""What a reader relies on. All else may be anything: it is read with care, where it is needed."""


_kinds_of_jobs: set[tuple[type, ...]] = set()
"""Types of the fields above as they were found in jobs: there are a few hundred at most."""


def _check(document: Any) -> None:
    if type(document) is not dict:
        raise MalformedPayload(f"a job is a JSON object, this is {type(document).__name__}")
    get = document.get
    kinds = (
        type(get("class")),
        type(get("jid")),
        type(get("args")),
        type(get(KWARGS)),
        type(get("tags")),
        type(get("queue")),
        type(get("retry_count")),
    )
    if kinds not in _kinds_of_jobs:
        _check_each_field(get)
        _kinds_of_jobs.add(kinds)
    if not document["class"]:
        raise MalformedPayload("'class' is empty")


def _check_each_field(get: Callable[[str], Any]) -> None:
    for name, kinds, wanted in _FIELDS:
        if type(get(name)) not in kinds:
            raise MalformedPayload(f"'{name}' must be {wanted}, not {type(get(name)).__name__}")


class Payload:
    """One job. It is never changed: `evolve` makes a changed copy.

    `document` is the whole JSON object, fields of others included; they survive untouched.
    """

    __slots__ = ("_raw", "document")

    def __init__(self, document: dict[str, Any], raw: bytes | None = None) -> None:
        self.document = document
        self._raw = raw

    @classmethod
    def new(
        cls,
        name: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        queue: str,
        retry: bool | int,
        now: float,
        jid: str | None = None,
        at: float | None = None,
        **fields: Any,
    ) -> "Payload":
        """A job that is about to be pushed; times are epoch seconds, `at` is when it shall run."""
        document: dict[str, Any] = {
            "retry": retry,
            "queue": queue,
            "class": name,
            "args": list(args),
            "jid": jid or new_jid(now),
            "created_at": float(now),
        }
        if kwargs:
            document[KWARGS] = dict(kwargs)
        if at is not None:
            document["at"] = float(at)
        document.update(fields)
        return cls(document)

    @classmethod
    def decode(cls, raw: bytes) -> "Payload":
        """Read what lies in Redis.

        Raises:
            MalformedPayload: the bytes are not a job; its text says why. Nothing else is ever raised.
        """
        document = loads(raw)
        _check(document)
        return cls(document, raw)

    def encode(self) -> bytes:
        """The bytes for Redis; a payload that came from Redis unchanged has its own bytes.

        Raises:
            PayloadError: it cannot be written as JSON; the text names the job and the trouble.
        """
        if self._raw is None:
            try:
                self._raw = dump_bytes(self.document)
            except PayloadError as error:
                raise PayloadError(f"the payload of {self!r} cannot be written: {error}") from error
        return self._raw

    def evolve(self, **fields: Any) -> "Payload":
        """A copy with these fields set; `ABSENT` removes one."""
        document = {**self.document, **fields}
        for name, value in fields.items():
            if value is ABSENT:
                del document[name]
        return Payload(document)

    def original(self) -> "Payload":
        """The payload as its bytes tell it: a job may have changed the lists and dicts it was called with."""
        return self if self._raw is None else Payload(loads(self._raw), self._raw)

    @property
    def name(self) -> str:
        """The job's name; `class` on the wire."""
        return self.document["class"]  # type: ignore[no-any-return]

    @property
    def jid(self) -> str:
        return self.document["jid"]  # type: ignore[no-any-return]

    @property
    def args(self) -> list[Any]:
        return self.document.get("args") or []

    @property
    def kwargs(self) -> dict[str, Any]:
        return self.document.get(KWARGS) or {}

    @property
    def rich(self) -> bool:
        """Whether the arguments need `arguments.load`."""
        return self.document.get(RICH) is True

    @property
    def queue(self) -> str:
        return self.document.get("queue") or "default"

    @property
    def retry(self) -> bool | int:
        """True: the default number of times; a number: so often; False: never. As in Ruby, "" is true."""
        value = self.document.get("retry", True)
        return value if type(value) is int else value is not False

    @property
    def retry_count(self) -> int | None:
        """None before the first failure, then from 0 on; Sidekiq Web's "Retry" takes 1 off, so -1 is real."""
        value = self.document.get("retry_count")
        return value if type(value) is int else None

    @property
    def tags(self) -> list[str]:
        return [tag if type(tag) is str else str(tag) for tag in self.document.get("tags") or ()]

    @property
    def at(self) -> float | None:
        """Epoch seconds when the job shall run; only on its way to the schedule."""
        return _seconds(self.document.get("at"))

    @property
    def expires_at(self) -> float | None:
        """Epoch seconds after which the job is not begun any more."""
        return _seconds(self.document.get(EXPIRES))

    @property
    def created_at(self) -> float | None:
        return _seconds(self.document.get("created_at"))

    @property
    def enqueued_at(self) -> float | None:
        return _seconds(self.document.get("enqueued_at"))

    @property
    def failed_at(self) -> float | None:
        """Epoch seconds of the first failure."""
        return _seconds(self.document.get("failed_at"))

    @property
    def retried_at(self) -> float | None:
        """Epoch seconds of the last failure after the first."""
        return _seconds(self.document.get("retried_at"))

    @property
    def display_name(self) -> str:
        """What people read: `display_class`, else `wrapped` (the job inside an adapter's), else the name."""
        for name in (self.document.get("display_class"), self.document.get("wrapped")):
            if type(name) is str and name:
                return name
        return self.name

    def __eq__(self, other: object) -> bool:
        return self.document == other.document if isinstance(other, Payload) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.document.get("jid"))

    def __repr__(self) -> str:
        return f"<Payload {self.document.get('class')} {self.document.get('jid')}>"
