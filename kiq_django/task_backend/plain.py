"""Arguments and results as `django.tasks` takes them: its own rules, and only what JSON gives back as it was."""

from collections.abc import Mapping, Sequence
from typing import Any


def plain(value: Any) -> Any:
    """Lists for sequences, text for UTF-8 bytes, dicts for mappings, as Django makes them.

    Raises:
        TypeError: a type that JSON lacks, or a key that is no text: JSON would turn it into one.
        ValueError: bytes that are no UTF-8.
    """
    match value:
        case Mapping():
            return {_key(key): plain(item) for key, item in value.items()}
        case bytes():
            return _text(value)
        case str() | int() | float() | bool() | None:
            return value
        case Sequence():
            return [plain(item) for item in value]
        case _:
            raise TypeError(f"Unsupported type: {type(value)}")


def _key(key: Any) -> str:
    key = _text(key) if isinstance(key, bytes) else key
    if not isinstance(key, str):
        raise TypeError(f"Unsupported key: {key!r}. JSON has texts as keys alone; pass str(key)")
    return key


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError(f"Unsupported value: {type(value)}") from None
