"""Arguments of a job on their way into a payload and back.

What JSON has passes as it is, by exact type. `datetime`, `date`, `timedelta`, `Decimal`, `UUID` and model
instances travel as `{"$kiq": <kind>, "value": ...}` and come back equal; a subclass of one of the first five
comes back as the plain type if that is equal. Anything else is refused, with the argument's name and what to
pass instead: an argument that silently came back as something else would fail in the worker, hours later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import time
from enum import Enum
from os import PathLike
from typing import Any, Final

from django.db.models import Manager, QuerySet
from django.utils.functional import Promise

from kiq_django import rich_values
from kiq_django.exceptions import ArgumentError
from kiq_django.rich_values import MARK, Refused, a_thing

SMALLEST, LARGEST = -(2**63), 2**64 - 1
DEEPEST: Final = 96
"""Levels of lists and dicts in one argument; payload, `args` and a rich value's own make up Ruby's 100."""

# --- into the payload ---


def dump(
    args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[str] = ()
) -> tuple[list[Any], dict[str, Any], bool]:
    """Make arguments ready for a payload; what comes out shares no list or dict with what went in.

    Args:
        args: positional arguments.
        kwargs: arguments by name.
        names: parameters that the positional arguments fill, for the text of errors.

    Returns:
        Arguments by position, by name, and whether `load` is needed to read them (the field `rich`).

    Raises:
        ArgumentError: a value cannot travel; the text names the argument and the remedy.
    """
    if not kwargs and all(map(_is_scalar, args)):
        return list(args), {}, False
    walk = _Walk()
    ready = []
    for index, value in enumerate(args):
        try:
            ready.append(walk.value(value, DEEPEST))
        except Refused as refused:
            name = names[index] if index < len(names) else ""
            raise _argument_error(refused, name or str(index + 1), name) from None
    named = {}
    for name, value in kwargs.items():
        try:
            named[name] = walk.value(value, DEEPEST)
        except Refused as refused:
            raise _argument_error(refused, name, name) from None
    return ready, named, walk.rich


def _argument_error(refused: Refused, label: str, name: str) -> ArgumentError:
    where = "argument " + (repr(label) if name else label)
    path = "".join(f"[{step!r}]" for step in reversed(refused.path))
    it = name if name and not path else "value"
    return ArgumentError(f"{where}{path} {refused.trouble}; {refused.remedy.replace('{}', it)}")


class _Walk:
    """One pass over the arguments of one job."""

    __slots__ = ("rich",)

    def __init__(self) -> None:
        self.rich = False

    def value(self, value: Any, room: int) -> Any:
        """The JSON form of a value that may hold `room` more levels."""
        kind = type(value)
        check = _CHECKS.get(kind)
        if check is not None:
            return value if check(value) else _refuse_scalar(value)
        if kind is list:
            return self.items(value, room)
        if kind is dict:
            return self.entries(value, room)
        return self.other(value, room)

    def items(self, values: list[Any], room: int) -> list[Any]:
        if room == 0:
            raise _too_deep()
        ready = []
        for index, value in enumerate(values):
            try:
                ready.append(self.value(value, room - 1))
            except Refused as refused:
                refused.path.append(index)
                raise
        return ready

    def entries(self, values: dict[Any, Any], room: int) -> dict[str, Any]:
        if room == 0:
            raise _too_deep()
        ready = {}
        for key, value in values.items():
            _check_key(key)
            try:
                ready[key] = self.value(value, room - 1)
            except Refused as refused:
                refused.path.append(key)
                raise
        return ready

    def other(self, value: Any, room: int) -> dict[str, Any]:
        written = rich_values.write(value, lambda inner: self.value(inner, room))
        if written is None:
            raise Refused(f"is {a_thing(value)}, which a payload cannot hold", _remedy(value))
        self.rich = True
        return written


def _is_whole_text(value: str) -> bool:
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


_CHECKS: dict[type, Callable[[Any], bool]] = {
    str: _is_whole_text,
    int: lambda value: SMALLEST <= value <= LARGEST,
    float: lambda value: value - value == 0,
    bool: lambda value: True,
    type(None): lambda value: True,
}


def _is_scalar(value: Any) -> bool:
    check = _CHECKS.get(type(value))
    return check is not None and check(value)


def _refuse_scalar(value: Any) -> Any:
    if type(value) is str:
        raise Refused("holds half a character (a lone surrogate)", "pass {}.encode(errors='replace').decode()")
    if type(value) is int:
        raise Refused("is an integer outside 64 bits", "pass str({})")
    raise Refused(f"is {value}, which JSON does not have", "pass None, or leave the argument out")


def _too_deep() -> Refused:
    return Refused(f"nests deeper than {DEEPEST} levels, or holds itself", "pass flatter data")


def _check_key(key: Any) -> None:
    if type(key) is not str:
        raise Refused(f"has the key {key!r}, which is no plain text", "use keys of type str")
    if key == MARK:
        raise Refused(f"has the key {MARK!r}, which is ours", "use another key")
    if not _is_whole_text(key):
        raise Refused(f"has the key {key!r} with half a character (a lone surrogate)", "use another key")


# --- what to pass instead ---

_REMEDIES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Promise, "pass str({}); a lazy text would be translated here, not in the worker"),
    (Enum, "pass {}.value"),
    (str, "pass {} + ''"),
    (int, "pass int({})"),
    (float, "pass float({})"),
    ((tuple, list, set, frozenset), "pass list({})"),
    (dict, "pass dict({})"),
    ((bytes, bytearray, memoryview), "pass base64.b64encode({}).decode()"),
    ((QuerySet, Manager), "pass list({}.values_list('pk', flat=True))"),
    (time, "pass {}.isoformat()"),
    (PathLike, "pass str({})"),
)


def _remedy(value: Any) -> str:
    for kinds, remedy in _REMEDIES:
        if isinstance(value, kinds):
            return remedy
    if is_dataclass(value) and not isinstance(value, type):
        return "pass dataclasses.asdict({})"
    if callable(value):
        return "pass its name"
    if hasattr(value, "__next__"):
        return "pass list({})"
    return "pass {}.pk" if hasattr(value, "pk") else "pass plain values: text, numbers, lists, dicts"


# --- out of the payload ---


def load(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Turn rich values back into what was passed. Reads the database where a model instance was.

    Raises:
        ReferenceGone: the row does not exist (any more).
        MalformedPayload: a rich value is of no kind that this version knows, or damaged.
        LookupError: the model is not installed here.
    """
    return [_load(value) for value in args], {name: _load(value) for name, value in kwargs.items()}


def _load(value: Any) -> Any:
    if type(value) is list:
        return [_load(item) for item in value]
    if type(value) is not dict:
        return value
    if MARK in value:
        return rich_values.read(value, _load)
    return {key: _load(item) for key, item in value.items()}
