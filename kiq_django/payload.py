"""A job as it lies in Redis: one JSON object in Sidekiq's format, and the one strict codec for it.

Every reader of the wire (Sidekiq 6.4 to 8.1, its Web pages, ours) takes compact UTF-8 JSON with floats that
keep their fraction, whole characters, at most 100 levels and no NaN. What would break one is refused here.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, overload

from kiq_django.exceptions import MalformedPayload, PayloadError

try:
    import orjson
except ImportError:  # the "fast" extra is not installed
    orjson = None  # type: ignore[assignment,unused-ignore]

MAX_NESTING: Final = 100
"""Arrays and objects inside each other, counting the payload itself; Ruby's parser stops there."""

KWARGS: Final = "kwargs"
"""Our own field: keyword arguments, an object beside `args`; Ruby ignores it."""
RICH: Final = "rich"
"""Our own field: true when arguments need `arguments.load` before the job sees them."""

ABSENT: Final[Any] = type("Absent", (), {"__repr__": lambda self: "ABSENT", "__slots__": ()})()
"""Given to `Payload.evolve`: remove this field."""


# --- the codec ---


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"the number {text[:20]} has no finite value")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

# Every digit becomes 0 and every opening bracket [: two questions about the text for one pass over it.
_SHAPE = bytes(48 if chr(i).isdigit() else 91 if chr(i) in "[{" else 120 for i in range(128)) + b"x" * 128
_LONG_NUMBER = b"0" * 19
_NULL = type(None)
_SCALARS = frozenset({str, bool, int, _NULL})


def _parse_plain(raw: bytes, shape: bytes) -> Any:
    value = _DECODER.decode(raw.decode())
    if b"\\ud" in raw or b"\\uD" in raw:  # an escaped half character parses, and can be written nowhere
        _ENCODER.encode(value).encode()
    return value


def _parse_fast(raw: bytes, shape: bytes) -> Any:
    """As `_parse_plain`; orjson would turn integers beyond 64 bits, which Ruby has, into floats."""
    return _parse_plain(raw, shape) if _LONG_NUMBER in shape else orjson.loads(raw)


def _write_plain(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


def _write_fast(value: Any) -> bytes:
    """As `_write_plain`, whose bytes count: orjson spells tiny floats its own way, and NaN as null."""
    if _alike((value,)):
        try:
            return orjson.dumps(value)
        except TypeError:  # an integer beyond 64 bits, a key that is no text, half a character
            pass
    return _write_plain(value)


def _alike(values: Any) -> bool:
    """Whether both writers agree about these values."""
    for value in values:
        kind = type(value)
        if kind is float:
            if not (1e-4 <= value < 1e16 or -1e16 < value <= -1e-4 or value == 0):
                return False
        elif kind is list:
            if not _alike(value):
                return False
        elif kind is dict:
            if not _alike(value.values()):
                return False
        elif kind not in _SCALARS:
            return False
    return True


_parse = _parse_fast if orjson else _parse_plain
_write = _write_fast if orjson else _write_plain


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_NESTING + 1):
        level = [item for item in level if isinstance(item, dict | list | tuple)]
        if not level:
            return False
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return True


def loads(raw: bytes | str) -> Any:
    """Parse JSON as strictly as the strictest reader of the wire.

    Raises:
        MalformedPayload: not JSON, not UTF-8, NaN or an infinite number, half a character, a number of more
            digits than Python reads, or more than 100 levels.
    """
    try:
        raw = raw.encode() if isinstance(raw, str) else raw
        shape = raw.translate(_SHAPE)
        value = _parse(raw, shape)
    except RecursionError:
        raise MalformedPayload(f"JSON nests deeper than {MAX_NESTING} levels") from None
    except ValueError as error:
        raise MalformedPayload(f"not usable JSON: {error}") from error
    if shape.count(b"[") > MAX_NESTING and _too_deep(value):
        raise MalformedPayload(f"JSON nests deeper than {MAX_NESTING} levels")
    return value


def dump_bytes(value: Any) -> bytes:
    """Write compact UTF-8 JSON, the bytes that Ruby's writer would print.

    Raises:
        PayloadError: NaN or an infinite number, half a character, a type that JSON lacks, or over 100 levels.
    """
    try:
        raw = _write(value)
    except RecursionError:
        raise PayloadError(f"it nests deeper than {MAX_NESTING} levels; pass flatter data") from None
    except UnicodeEncodeError:
        raise PayloadError("a text in it holds half a character (a lone surrogate); clean the text") from None
    except (TypeError, ValueError) as error:
        raise PayloadError(f"it is not JSON: {error}") from error
    if raw.count(b"[") + raw.count(b"{") > MAX_NESTING and _too_deep(value):
        raise PayloadError(f"it nests deeper than {MAX_NESTING} levels; pass flatter data")
    return raw


def dumps(value: Any) -> str:
    """`dump_bytes` as text."""
    return dump_bytes(value).decode()


# --- the payload ---


def _seconds(value: Any) -> float | None:
    """Read a time: a float is seconds; an integer is milliseconds from 1e11 on (Sidekiq 8), else seconds."""
    if type(value) is float:
        return value
    if type(value) is not int or value.bit_length() > 64:
        return None
    return value / 1000 if value >= 100_000_000_000 else float(value)


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


def _check(document: Any) -> None:
    if type(document) is not dict:
        raise MalformedPayload(f"a job is a JSON object, this is {type(document).__name__}")
    get = document.get
    for name, kinds, wanted in _FIELDS:
        if type(get(name)) not in kinds:
            raise MalformedPayload(f"'{name}' must be {wanted}, not {type(get(name)).__name__}")
    if not document["class"]:
        raise MalformedPayload("'class' is empty")


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
            "jid": jid or new_jid(),
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


# --- identities ---


def new_jid() -> str:
    """24 lower-case hex characters, as Sidekiq's."""
    return os.urandom(12).hex()


class JidRange(Sequence[str]):
    """The ids of a bulk without a list of them: 8 random bytes, then a counter of 4 bytes, in hex.

    `take()` gives the next id; as a sequence it holds the ids taken so far. A million cost as much as one.
    """

    __slots__ = ("_prefix", "_taken")
    LIMIT: Final = 2**32

    def __init__(self, count: int = 0, prefix: str | None = None) -> None:
        self._prefix = os.urandom(8).hex() if prefix is None else prefix
        self._taken = count

    def take(self) -> str:
        """The next id.

        Raises:
            OverflowError: 2**32 ids are taken.
        """
        if self._taken >= self.LIMIT:
            raise OverflowError("one bulk has 2**32 ids; start another")
        self._taken += 1
        return f"{self._prefix}{self._taken - 1:08x}"

    def __len__(self) -> int:
        return self._taken

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        positions = range(self._taken)[index]
        if isinstance(positions, range):
            return [f"{self._prefix}{position:08x}" for position in positions]
        return f"{self._prefix}{positions:08x}"

    def __repr__(self) -> str:
        return f"<JidRange {self._prefix}* of {self._taken}>"
