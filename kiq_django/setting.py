"""One setting: its default, and what it must be."""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field
from typing import Any

Check = Callable[[Any], str | None]
"""Says what is wrong with a value, or None."""


def kind(kinds: type | tuple[type, ...], words: str) -> Check:
    """A value of these types; a bool is no number."""

    def check(value: Any) -> str | None:
        wrong = not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool)
        return f"must be {words}, not {value!r}" if wrong else None

    return check


def number(minimum: float, words: str) -> Check:
    """A finite number."""

    def check(value: Any) -> str | None:
        wrong = isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value < math.inf
        return f"must be {words}, not {value!r}" if wrong else None

    return check


def whole(minimum: int, words: str) -> Check:
    """An integer."""

    def check(value: Any) -> str | None:
        wrong = isinstance(value, bool) or not isinstance(value, int) or value < minimum
        return f"must be {words}, not {value!r}" if wrong else None

    return check


def between(minimum: int, maximum: int, words: str) -> Check:
    """An integer within bounds."""

    def check(value: Any) -> str | None:
        wrong = isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum
        return f"must be {minimum} to {maximum} {words}, not {value!r}" if wrong else None

    return check


def optional(check: Check) -> Check:
    """None, or what the check wants."""
    return lambda value: None if value is None else check(value)


def flag_or_count(value: Any) -> str | None:
    """As `retry` and `backtrace` are: a bool, or how many."""
    if isinstance(value, bool) or (isinstance(value, int) and value >= 0):
        return None
    return f"must be True, False or a number of retries, not {value!r}"


def paths(value: Any) -> str | None:
    """A list of dotted paths."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return None
    return f"must be a list of dotted paths, not {value!r}"


def texts(value: Any) -> str | None:
    """A list of texts."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return None
    return f"must be a list of texts, not {value!r}"


def secret_keys(value: Any) -> str | None:
    """A list of keys, long enough not to be guessed. What is wrong with them is said without showing one."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) and len(item) >= 16 for item in value):
        return None
    return "must be a list of texts of 16 characters or more, the newest first"


def redis(value: Any) -> str | None:
    """What may name a Redis. It may hold a password, so the message does not show it."""
    wrong = not isinstance(value, str | Mapping | None)
    return f"must be a URL, a CACHES alias or a dict, not a {type(value).__name__}" if wrong else None


text = kind(str, "text")
flag = kind(bool, "True or False")
seconds = number(0, "seconds, 0 or more")
positive_seconds = number(0.001, "seconds above 0")
mapping = kind(Mapping, "a dict")


def setting(check: Check, default: Any = MISSING, factory: Any = MISSING, *, shown: bool = True) -> Any:
    """A field of a dataclass that carries its check in `metadata["check"]`; its `repr` leaves out what is not shown."""
    if factory is not MISSING:
        return field(default_factory=factory, repr=shown, metadata={"check": check})
    return field(default=default, repr=shown, metadata={"check": check})
