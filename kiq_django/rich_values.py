"""Values that JSON has no form for, and the form they travel in: `{"$kiq": <kind>, "value": ...}`.

Each kind is written so that reading gives back an equal value. A model instance travels as a reference and is
read from the database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.apps import apps
from django.db.models import Model

from kiq_django.exceptions import MalformedPayload, ReferenceGone

MARK: Final = "$kiq"
REFERENCE: Final = "model"


class Refused(Exception):  # noqa: N818
    """Why a value cannot travel; `path` grows, innermost step first, while the walk to it is left."""

    def __init__(self, trouble: str, remedy: str) -> None:
        self.trouble, self.remedy = trouble, remedy
        self.path: list[Any] = []


def a_thing(value: Any) -> str:
    """`a decimal.Decimal`, `an int`: a value's type in the text of an error."""
    cls = type(value)
    name = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def write(value: Any, dump: Callable[[Any], Any]) -> dict[str, Any] | None:
    """The form of a value, or None when it is of no kind that we know.

    Args:
        value: anything that is not plain JSON.
        dump: makes the JSON form of what is inside it, such as a primary key.

    Raises:
        Refused: it is of a known kind, and cannot come back as it is.
    """
    for kind in _KINDS.values():
        if isinstance(value, kind.cls):
            return _written(value, kind)
    return _reference(value, dump) if isinstance(value, Model) else None


def read(written: dict[str, Any], load: Callable[[Any], Any]) -> Any:
    """The value of a form. `load` reads what is inside it.

    Raises:
        ReferenceGone: the row does not exist (any more).
        MalformedPayload: it is of no kind that this version knows, or damaged.
        LookupError: the model is not installed here.
    """
    return _row(written, load) if written[MARK] == REFERENCE else _value(written)


# --- values ---


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    cls: type
    write: Callable[[Any], dict[str, Any]]
    read: Callable[[dict[str, Any]], Any]


def _written(value: Any, kind: _Kind) -> dict[str, Any]:
    """A subclass comes back as the plain type, so it may travel only if that is equal."""
    written = {MARK: kind.name, **kind.write(value)}
    if type(value) is not kind.cls:
        plain = _value(written)
        equal = bool(plain == value)
        if not equal:
            raise Refused(f"is {a_thing(value)}, more than {a_thing(plain)} can hold", f"pass {a_thing(plain)}")
    return written


def _value(written: dict[str, Any]) -> Any:
    name = written[MARK]
    kind = _KINDS.get(name) if type(name) is str else None
    if kind is None:
        raise MalformedPayload(f"an argument is of the unknown kind {name!r}; a newer version may have written it")
    try:
        return kind.read(written)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedPayload(f"an argument is no {name}: {written!r}") from error


def _write_datetime(value: datetime) -> dict[str, Any]:
    zone = {"zone": value.tzinfo.key} if isinstance(value.tzinfo, ZoneInfo) and value.tzinfo.key else {}
    fold = {"fold": 1} if value.fold else {}
    return {"value": datetime.isoformat(value), **zone, **fold}


def _read_datetime(written: dict[str, Any]) -> datetime:
    """The instant and the offset count; the zone is put back where it still has that offset at that time."""
    moment = datetime.fromisoformat(written["value"]).replace(fold=written.get("fold", 0))
    if "zone" not in written:
        return moment
    try:
        zone = ZoneInfo(written["zone"])
    except (LookupError, OSError, ValueError):  # not on this machine
        return moment
    local = moment.replace(tzinfo=zone)
    return local if local.utcoffset() == moment.utcoffset() else moment.astimezone(zone)


def _write_date(value: date) -> dict[str, Any]:
    return {"value": date.isoformat(value)}


def _read_date(written: dict[str, Any]) -> date:
    return date.fromisoformat(written["value"])


def _write_timedelta(value: timedelta) -> dict[str, Any]:
    return {"value": [value.days, value.seconds, value.microseconds]}


def _read_timedelta(written: dict[str, Any]) -> timedelta:
    days, seconds, microseconds = written["value"]
    return timedelta(days, seconds, microseconds)


def _write_decimal(value: Decimal) -> dict[str, Any]:
    if not value.is_finite():
        raise Refused(f"is Decimal({str(value)!r}), which equals nothing", "pass None, or leave the argument out")
    return {"value": Decimal.__str__(value)}


def _read_decimal(written: dict[str, Any]) -> Decimal:
    return Decimal(written["value"])


def _write_uuid(value: UUID) -> dict[str, Any]:
    return {"value": str(UUID(int=value.int))}


def _read_uuid(written: dict[str, Any]) -> UUID:
    return UUID(written["value"])


_KINDS = {
    kind.name: kind
    for kind in (
        _Kind("datetime", datetime, _write_datetime, _read_datetime),  # before date, which it is too
        _Kind("date", date, _write_date, _read_date),
        _Kind("timedelta", timedelta, _write_timedelta, _read_timedelta),
        _Kind("decimal", Decimal, _write_decimal, _read_decimal),
        _Kind("uuid", UUID, _write_uuid, _read_uuid),
    )
}


# --- model instances ---


def _reference(row: Model, dump: Callable[[Any], Any]) -> dict[str, Any]:
    label = row._meta.label
    if row.pk is None or row._state.adding:
        raise Refused(f"is a {label} that is not saved, so it has no row to refer to", "save {} first")
    key = list(row.pk) if type(row.pk) is tuple else row.pk  # a composite key
    return {MARK: REFERENCE, "value": label, "pk": dump(key), "using": row._state.db}


def _row(written: dict[str, Any], load: Callable[[Any], Any]) -> Model:
    label, using = written.get("value"), written.get("using")
    if type(label) is not str or label.count(".") != 1 or "pk" not in written:
        raise MalformedPayload(f"an argument is no model reference: {written!r}")
    model = apps.get_model(label)
    key = load(written["pk"])
    key = tuple(key) if type(key) is list else key
    try:
        row: Model = model._base_manager.using(using).get(pk=key)
    except model.DoesNotExist:
        raise ReferenceGone(f"{label} with primary key {key!r} is not in the database {using!r}") from None
    return row
