"""JSON as the strictest reader of the wire wants it.

Every reader of the wire (Sidekiq 6.4 to 8.1, its Web pages, ours) takes compact UTF-8 JSON with floats that
keep their fraction, whole characters, at most 100 levels and no NaN. What would break one is refused here,
on the way in as on the way out. With orjson, of the "fast" extra, it is read in less time, and as strictly.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from kiq_django.exceptions import MalformedPayload, PayloadError

try:
    import orjson
except ImportError:  # the "fast" extra is not installed
    orjson = None  # type: ignore[assignment,unused-ignore]

MAX_NESTING: Final = 100
"""Arrays and objects inside each other, counting the payload itself; Ruby's parser stops there."""


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"the number {text[:20]} has no finite value")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
_scan: Any = json.JSONDecoder(parse_constant=_no_constant).scan_once  # type: ignore[attr-defined]
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

# Every digit becomes 0, every opening bracket [ and E e: several questions about the text for one pass over it.
_SHAPE = bytes.maketrans(b"123456789{E", b"000000000[e")
_LONG_NUMBER = b"0" * 19
_MANY_DIGITS = b"0" * 200
_LARGE_EXPONENT, _LARGE_EXPONENT_TOO = b"0e000", b"0e+000"
"""With less than three digits, and less than 200 before it, no number is infinite."""
_BACKSLASH = ord("\\")


def _parse_plain(raw: bytes, shape: bytes) -> Any:
    value = _read_plain(raw.decode(), shape)
    # An escaped half character parses, and can be written nowhere. A single byte is found in a tenth of the time.
    if _BACKSLASH in raw and (b"\\ud" in raw or b"\\uD" in raw):
        _ENCODER.encode(value).encode()
    return value


def _read_plain(text: str, shape: bytes) -> Any:
    """`_DECODER` asks us about each float; where none can be infinite its inner half does, in half the time."""
    if _MANY_DIGITS in shape or _LARGE_EXPONENT in shape or _LARGE_EXPONENT_TOO in shape:
        return _DECODER.decode(text)
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return _DECODER.decode(text)
    return value if end == len(text) else _DECODER.decode(text)


def _parse_fast(raw: bytes, shape: bytes) -> Any:
    """As `_parse_plain`; orjson would turn integers beyond 64 bits, which Ruby has, into floats."""
    return _parse_plain(raw, shape) if _LONG_NUMBER in shape else orjson.loads(raw)


def _writer() -> Callable[[Any], Iterable[str]]:
    """The inner half of `_ENCODER`, which it makes anew for each text, and that takes as long as to write a payload."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # not CPython
        return lambda value: [_ENCODER.encode(value)]
    inner = make(None, _ENCODER.default, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    return lambda value: inner(value, 0)


_pieces = _writer()
_parse = _parse_fast if orjson else _parse_plain


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
    if len(raw) > 2 * MAX_NESTING and shape.count(b"[") > MAX_NESTING and _too_deep(value):
        raise MalformedPayload(f"JSON nests deeper than {MAX_NESTING} levels")
    return value


def dump_bytes(value: Any) -> bytes:
    """Write compact UTF-8 JSON, the bytes that Ruby's writer would print.

    Raises:
        PayloadError: NaN or an infinite number, half a character, a type that JSON lacks, or over 100 levels.
    """
    try:
        raw = "".join(_pieces(value)).encode()
    except RecursionError:
        raise PayloadError(f"it nests deeper than {MAX_NESTING} levels; pass flatter data") from None
    except UnicodeEncodeError:
        raise PayloadError("a text in it holds half a character (a lone surrogate); clean the text") from None
    except (TypeError, ValueError) as error:
        raise PayloadError(f"it is not JSON: {error}") from error
    if raw.count(b"[") + raw.count(b"{") > MAX_NESTING and _too_deep(value):
        raise PayloadError(f"it nests deeper than {MAX_NESTING} levels; pass flatter data")
    return raw


def dump_each(values: Iterable[Any]) -> list[bytes]:
    """As `dump_bytes` of each, of values that have passed `arguments.dump` already."""
    pieces, together = _pieces, "".join
    return [together(pieces(value)).encode() for value in values]


def dumps(value: Any) -> str:
    """`dump_bytes` as text."""
    return dump_bytes(value).decode()
