"""Arguments of a job on their way into a payload and back.

What JSON has passes as it is, by exact type. `datetime`, `date`, `timedelta`, `Decimal`, `UUID` and model
instances travel as `{"$kiq": <kind>, "value": ...}` and come back equal; a subclass of one of the first five
comes back as the plain type if that is equal. Anything else is refused, with the argument's name and what to
pass instead: an argument that silently came back as something else would fail in the worker, hours later.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from os import PathLike
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.apps import apps
from django.db.models import Manager, Model, QuerySet
from django.utils.functional import Promise

from kiq_django.exceptions import ArgumentError, MalformedPayload, ReferenceGone

MARK: Final = "$kiq"
SMALLEST, LARGEST = -(2**63), 2**64 - 1
DEEPEST: Final = 96
"""Levels of lists and dicts in one argument; payload, `args` and a rich value's own make up Ruby's 100."""

_DONE = frozenset({bool, type(None)})


class _Refused(Exception):  # noqa: N818
    """Why a value cannot travel; `path` grows, innermost step first, while the walk is left."""

    def __init__(self, trouble: str, remedy: str) -> None:
        self.trouble, self.remedy = trouble, remedy
        self.path: list[Any] = []


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
    walk = _Walk()
    ready = []
    for index, value in enumerate(args):
        try:
            ready.append(walk.value(value, DEEPEST))
        except _Refused as refused:
            name = names[index] if index < len(names) else ""
            raise _argument_error(refused, name or str(index + 1), name) from None
    named = {}
    for name, value in kwargs.items():
        try:
            named[name] = walk.value(value, DEEPEST)
        except _Refused as refused:
            raise _argument_error(refused, name, name) from None
    return ready, named, walk.rich


def _argument_error(refused: _Refused, label: str, name: str) -> ArgumentError:
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
        if kind in _DONE:
            return value
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
            except _Refused as refused:
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
            except _Refused as refused:
                refused.path.append(key)
                raise
        return ready

    def other(self, value: Any, room: int) -> dict[str, Any]:
        for cls, kind, write in _WRITERS:
            if isinstance(value, cls):
                return self.marked(value, cls, {MARK: kind, **write(value)})
        if isinstance(value, Model):
            return self.reference(value, room)
        raise _Refused(f"is {_a(value)}, which a payload cannot hold", _remedy(value))

    def marked(self, value: Any, cls: type, written: dict[str, Any]) -> dict[str, Any]:
        if type(value) is not cls:
            plain = _rich(written)
            equal = bool(plain == value)
            if not equal:
                raise _Refused(f"is {_a(value)}, more than {_a(plain)} can hold", f"pass {_a(plain)}")
        self.rich = True
        return written

    def reference(self, row: Model, room: int) -> dict[str, Any]:
        if row.pk is None or row._state.adding:
            label = row._meta.label
            raise _Refused(f"is a {label} that is not saved, so it has no row to refer to", "save {} first")
        key = list(row.pk) if type(row.pk) is tuple else row.pk  # a composite key
        reference = {
            MARK: "model",
            "value": row._meta.label,
            "pk": self.value(key, room),
            "using": row._state.db,
        }
        self.rich = True
        return reference


def _is_whole_text(value: str) -> bool:
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


_CHECKS: dict[type, Callable[[Any], bool]] = {
    str: _is_whole_text,
    int: lambda value: SMALLEST <= value <= LARGEST,
    float: lambda value: value - value == 0,
}


def _refuse_scalar(value: Any) -> Any:
    if type(value) is str:
        raise _Refused("holds half a character (a lone surrogate)", "pass {}.encode(errors='replace').decode()")
    if type(value) is int:
        raise _Refused("is an integer outside 64 bits", "pass str({})")
    raise _Refused(f"is {value}, which JSON does not have", "pass None, or leave the argument out")


def _too_deep() -> _Refused:
    return _Refused(f"nests deeper than {DEEPEST} levels, or holds itself", "pass flatter data")


def _check_key(key: Any) -> None:
    if type(key) is not str:
        raise _Refused(f"has the key {key!r}, which is no plain text", "use keys of type str")
    if key == MARK:
        raise _Refused(f"has the key {MARK!r}, which is ours", "use another key")
    if not _is_whole_text(key):
        raise _Refused(f"has the key {key!r} with half a character (a lone surrogate)", "use another key")


def _write_datetime(value: datetime) -> dict[str, Any]:
    zone = {"zone": value.tzinfo.key} if isinstance(value.tzinfo, ZoneInfo) and value.tzinfo.key else {}
    fold = {"fold": 1} if value.fold else {}
    return {"value": datetime.isoformat(value), **zone, **fold}


def _write_decimal(value: Decimal) -> dict[str, Any]:
    if not value.is_finite():
        raise _Refused(f"is Decimal({str(value)!r}), which equals nothing", "pass None, or leave the argument out")
    return {"value": Decimal.__str__(value)}


_WRITERS: tuple[tuple[type, str, Callable[[Any], dict[str, Any]]], ...] = (
    (datetime, "datetime", _write_datetime),  # before date, which it is too
    (date, "date", lambda value: {"value": date.isoformat(value)}),
    (timedelta, "timedelta", lambda value: {"value": [value.days, value.seconds, value.microseconds]}),
    (Decimal, "decimal", _write_decimal),
    (UUID, "uuid", lambda value: {"value": str(UUID(int=value.int))}),
)


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


def _a(value: Any) -> str:
    cls = type(value)
    name = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


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
        return _row(value) if value[MARK] == "model" else _rich(value)
    return {key: _load(item) for key, item in value.items()}


def _rich(value: dict[str, Any]) -> Any:
    kind = value[MARK]
    reader = _READERS.get(kind) if type(kind) is str else None
    if reader is None:
        raise MalformedPayload(f"an argument is of the unknown kind {kind!r}; a newer version may have written it")
    try:
        return reader(value)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedPayload(f"an argument is no {kind}: {value!r}") from error


def _read_datetime(value: dict[str, Any]) -> datetime:
    """The instant and the offset count; the zone is put back where it still has that offset at that time."""
    moment = datetime.fromisoformat(value["value"]).replace(fold=value.get("fold", 0))
    if "zone" not in value:
        return moment
    try:
        zone = ZoneInfo(value["zone"])
    except (LookupError, OSError, ValueError):  # not on this machine
        return moment
    local = moment.replace(tzinfo=zone)
    return local if local.utcoffset() == moment.utcoffset() else moment.astimezone(zone)


def _read_timedelta(value: dict[str, Any]) -> timedelta:
    days, seconds, microseconds = value["value"]
    return timedelta(days, seconds, microseconds)


_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "datetime": _read_datetime,
    "date": lambda value: date.fromisoformat(value["value"]),
    "timedelta": _read_timedelta,
    "decimal": lambda value: Decimal(value["value"]),
    "uuid": lambda value: UUID(value["value"]),
}


def _row(value: dict[str, Any]) -> Model:
    label, using = value.get("value"), value.get("using")
    if type(label) is not str or label.count(".") != 1 or "pk" not in value:
        raise MalformedPayload(f"an argument is no model reference: {value!r}")
    model = apps.get_model(label)
    key = _load(value["pk"])
    key = tuple(key) if type(key) is list else key
    try:
        row: Model = model._base_manager.using(using).get(pk=key)
    except model.DoesNotExist:
        raise ReferenceGone(f"{label} with primary key {key!r} is not in the database {using!r}") from None
    return row


# --- the call ---


def bind(signature: inspect.Signature, label: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check that a job can be called so, before it is enqueued and not in the worker.

    Args:
        signature: of the job's function, or of `perform` without `self`.
        label: the job's name for the text of the error.
        args: positional arguments.
        kwargs: arguments by name.

    Raises:
        TypeError: arguments are missing, too many, unknown or given twice; the text says which.
    """
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        trouble = _call_trouble(list(signature.parameters.values()), args, kwargs) or str(error)
        raise TypeError(f"{label}() {trouble}; the job was not enqueued") from None


def _call_trouble(parameters: list[inspect.Parameter], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    kinds = {p.kind for p in parameters}
    if len(args) > len(positional) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        return _too_many(positional, len(args))
    filled = [p.name for p in positional[: len(args)]]
    if twice := [p.name for p in named if p.name in filled and p.name in kwargs]:
        return f"got {_listed(twice)} twice, by position and by name"
    unknown = [name for name in kwargs if name not in {p.name for p in named}]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        return _unknown(unknown, positional, [p.name for p in named])
    known = {*filled, *(p.name for p in named if p.name in kwargs)}
    missing = [p.name for p in (*positional, *named) if p.default is p.empty and p.name not in known]
    return f"is missing {_listed(list(dict.fromkeys(missing)))}" if missing else ""


def _too_many(positional: list[inspect.Parameter], given: int) -> str:
    count = len(positional)
    most = "at most " if any(p.default is not p.empty for p in positional) else ""
    noun = "argument" if count == 1 else "arguments"
    names = f" ({', '.join(p.name for p in positional)})" if positional else " by position"
    return f"takes {most}{count or 'no'} {noun}{names} but {given} {'was' if given == 1 else 'were'} given"


def _unknown(names: list[str], positional: list[inspect.Parameter], known: list[str]) -> str:
    by_position = [p.name for p in positional if p.kind is p.POSITIONAL_ONLY and p.name in names]
    if by_position:
        return f"takes {_listed(by_position)} by position only"
    near = get_close_matches(names[0], known, n=1)
    return f"has no {_listed(names)}" + (f" (did you mean {near[0]!r}?)" if near else "")


def _listed(names: list[str]) -> str:
    quoted = ", ".join(map(repr, names))
    return f"argument {quoted}" if len(names) == 1 else f"{len(names)} arguments ({quoted})"
