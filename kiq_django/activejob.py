"""Jobs that Rails pushed through ActiveJob: the call inside the wrapper, with its arguments decoded.

The wrapper's one argument is ActiveJob's description of the job: `job_class`, `arguments` and more. What JSON has no
form for is marked in `arguments` by keys that begin with `_aj_`. Rails writes a BigDecimal as plain text up to 7.0 and
marks it from 7.1 on; a Ruby symbol comes as text, a duration as the seconds that it has on average.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self, TypeVar
from urllib.parse import unquote_plus, urlsplit
from zoneinfo import ZoneInfo

from django.db.models import Model

from kiq_django.exceptions import MalformedPayload, ReferenceGone

M = TypeVar("M", bound=Model)
Fields = Mapping[str, Any]

WRAPPERS: Final = frozenset({"Sidekiq::ActiveJob::Wrapper", "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper"})
"""Class names of the wrapper: of Sidekiq 8, and before."""
GLOBAL_ID: Final = "_aj_globalid"
SERIALIZED: Final = "_aj_serialized"
KEYWORDS: Final = "_aj_ruby2_keywords"
MARKS: Final = frozenset({"_aj_symbol_keys", KEYWORDS, "_aj_hash_with_indifferent_access"})
"""Keys of a hash that say of which Ruby kind it and its keys were; a dict has but one kind."""


@dataclass(frozen=True, slots=True)
class GlobalID:
    """A reference to a record of the Rails application, which alone knows what it means."""

    app: str
    """Name of the application."""
    model: str
    """Ruby class, `Shop::Order`."""
    id: str | tuple[str, ...]
    """Primary key as text; several for a composite one."""

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Read `gid://app/Model/id`; parameters after a `?` are left out.

        Raises:
            ValueError: it is not of this form.
        """
        parts = urlsplit(uri)
        model, *key = map(unquote_plus, parts.path.removeprefix("/").split("/"))
        if parts.scheme != "gid" or not parts.netloc or not model or not all(key) or not key:
            raise ValueError(f"{uri!r} is no gid://app/Model/id")
        return cls(parts.netloc, model, key[0] if len(key) == 1 else tuple(key))

    def __str__(self) -> str:
        key = self.id if isinstance(self.id, str) else "/".join(self.id)
        return f"gid://{self.app}/{self.model}/{key}"

    def resolve(self, model: type[M]) -> M:
        """The row of a Django model that stands for the same table.

        Raises:
            ReferenceGone: there is no such row (any more).
        """
        try:
            return model._base_manager.get(pk=self.id)
        except model.DoesNotExist:  # type: ignore[attr-defined]
            raise ReferenceGone(f"{self} is not among the rows of {model._meta.label}") from None


def job_class(name: str, args: Sequence[Any]) -> str | None:
    """The Ruby class inside a wrapper; None for every other job.

    Args:
        name: the payload's `class`.
        args: the payload's `args`.
    """
    if name not in WRAPPERS or len(args) != 1 or type(args[0]) is not dict:
        return None
    found = args[0].get("job_class")
    return found if type(found) is str and found else None


def call(job: Fields) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a wrapped job, by position and by name.

    Args:
        job: the wrapper's argument.

    Raises:
        MalformedPayload: an argument is of a type that has no counterpart here, or damaged.
    """
    given = job.get("arguments")
    if type(given) is not list:
        raise MalformedPayload(f"the 'arguments' of an ActiveJob must be a list, not {type(given).__name__}")
    named: dict[str, Any] = {}
    if given and type(given[-1]) is dict and KEYWORDS in given[-1]:
        *given, keywords = given
        named = _hash(keywords)
    return [_decode(value) for value in given], named


def _decode(value: Any) -> Any:
    if type(value) is list:
        return [_decode(item) for item in value]
    if type(value) is not dict:
        return value
    if GLOBAL_ID in value:
        return _read("a GlobalID", _global_id, value)
    if SERIALIZED in value:
        return _serialized(value)
    return _hash(value)


def _hash(value: Fields) -> dict[str, Any]:
    return {key: _decode(item) for key, item in value.items() if key not in MARKS}


def _serialized(value: Fields) -> Any:
    kind = value[SERIALIZED]
    reader = _READERS.get(kind) if type(kind) is str else None
    if reader is None:
        raise MalformedPayload(
            f"an argument was written by {kind!r}, whose values have no counterpart here. "
            "Pass texts, numbers, lists and hashes from Rails instead"
        )
    return _read(f"of {kind}", reader, value)


def _read(what: str, reader: Callable[[Fields], Any], value: Fields) -> Any:
    try:
        return reader(value)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedPayload(f"an argument is not {what}: {value!r}") from error


def _global_id(value: Fields) -> GlobalID:
    return GlobalID.parse(value[GLOBAL_ID])


def _text(value: Fields) -> str:
    if type(value["value"]) is not str:
        raise TypeError
    return str(value["value"])


def _moment(value: Fields) -> datetime:
    """Finer than microseconds is cut off."""
    return datetime.fromisoformat(value["value"])


def _moment_in_zone(value: Fields) -> datetime:
    """Rails names the zone from 6.1 on; one that is not on this machine leaves the offset."""
    moment = _moment(value)
    try:
        return moment.astimezone(ZoneInfo(value["time_zone"]))
    except (LookupError, OSError, TypeError, ValueError):
        return moment


_READERS: dict[str, Callable[[Fields], Any]] = {
    "ActiveJob::Serializers::SymbolSerializer": _text,
    "ActiveJob::Serializers::DurationSerializer": lambda value: timedelta(seconds=value["value"]),
    "ActiveJob::Serializers::DateSerializer": lambda value: date.fromisoformat(value["value"]),
    "ActiveJob::Serializers::TimeSerializer": _moment,
    "ActiveJob::Serializers::DateTimeSerializer": _moment,
    "ActiveJob::Serializers::TimeWithZoneSerializer": _moment_in_zone,
    "ActiveJob::Serializers::BigDecimalSerializer": lambda value: Decimal(_text(value)),
}
