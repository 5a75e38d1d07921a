"""JSON as the strictest reader of the wire wants it.

Every reader of the wire (Sidekiq 6.4 to 8.1, its Web pages, ours) takes compact UTF-8 JSON with floats that
keep their fraction, whole characters, at most 100 levels and no NaN. What would break one is refused here,
on the way in as on the way out. With orjson, of the "fast" extra, it is as strict and writes the same bytes.
"""

import json
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
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

# Every digit becomes 0 and every opening bracket [: two questions about the text for one pass over it.
_SHAPE = bytes(48 if chr(i).isdigit() else 91 if chr(i) in "[{" else 120 for i in range(128)) + b"x" * 128
_LONG_NUMBER = b"0" * 19
_SCALARS = frozenset({str, bool, int, type(None)})


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
