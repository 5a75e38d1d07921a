"""Whether a value, as it lies in a payload, is what a parameter's annotation asks for.

Only what can be told for sure is told: an annotation that is not understood fits everything.
"""

import types
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from decimal import Decimal
from inspect import Parameter, Signature
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from django.db.models import Model

from kiq_django.rich_values import MARK, REFERENCE, a_thing

LOOKED_INTO = 20
"""Items of a list or dict."""
NUMBERS: Mapping[type, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}
RICH: Mapping[type, str] = {
    datetime: "datetime", date: "date", timedelta: "timedelta", Decimal: "decimal", UUID: "uuid",
}  # fmt: skip
LISTS = frozenset({list, tuple, set, frozenset, Sequence, Iterable, AbstractSet})


def misfits(target: Any, signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Say which arguments are of another type than the annotations of `target` say; empty when none is.

    Args:
        target: the function whose annotations count.
        signature: by which the arguments are bound; they can be.
        args: as they lie in the payload, by position.
        kwargs: and by name.
    """
    try:
        hints = get_type_hints(target, include_extras=True)
    except Exception:  # noqa: BLE001 - a name that exists for type checkers alone, or anything that a project invents
        return ""
    found = [_misfit(name, value, hints[name]) for name, value in _each(signature, args, kwargs) if name in hints]
    return ", ".join(filter(None, found))


def _each(signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        kind = signature.parameters[name].kind
        if kind is Parameter.VAR_POSITIONAL:
            yield from ((name, each) for each in value)
        elif kind is Parameter.VAR_KEYWORD:
            yield from ((name, each) for each in value.values())
        else:
            yield name, value


def _misfit(name: str, value: Any, hint: Any) -> str:
    if fits(value, hint):
        return ""
    wanted = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
    return f"argument {name!r} is {_told(value)} and must be {wanted}"


def _told(value: Any) -> str:
    return f"a {value[MARK]}" if type(value) is dict and MARK in value else "None" if value is None else a_thing(value)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value of a payload may be what an annotation asks for."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return fits(value, arguments[0])
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is Literal:
        return value in arguments
    return _fits_class(value, origin or hint, arguments)


def _fits_class(value: Any, cls: Any, arguments: tuple[Any, ...]) -> bool:
    if cls is None or cls is type(None):
        return value is None
    if not isinstance(cls, type) or cls is object:
        return True
    if cls in NUMBERS:
        return type(value) in NUMBERS[cls]
    if cls in RICH:
        return _is_rich(value, RICH[cls])
    if issubclass(cls, Model):
        return _is_rich(value, REFERENCE)
    if cls in LISTS:
        return type(value) is list and _items_fit(value, cls, arguments)
    if cls in (dict, Mapping):
        return type(value) is dict and MARK not in value and _values_fit(value, arguments)
    return True


def _is_rich(value: Any, kind: str) -> bool:
    return type(value) is dict and value.get(MARK) == kind


def _items_fit(items: list[Any], cls: type, arguments: tuple[Any, ...]) -> bool:
    if not arguments or (cls is tuple and (len(arguments) != 2 or arguments[1] is not ...)):
        return True
    return all(fits(item, arguments[0]) for item in items[:LOOKED_INTO])


def _values_fit(values: dict[str, Any], arguments: tuple[Any, ...]) -> bool:
    return len(arguments) != 2 or all(fits(value, arguments[1]) for value in list(values.values())[:LOOKED_INTO])
