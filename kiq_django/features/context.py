"""What a job takes along from where it was enqueued: language, time zone, request id, trace, variables of yours.

On by default, and next to free: language and time zone travel only where they differ from the settings' own, the others
only where there are any. They are in force around the job and around its hooks and death handlers.

| field of the payload | holds |
| --- | --- |
| `locale` | language, as Sidekiq's own middleware names it |
| `traceparent`, `tracestate` | W3C trace context |
| `kiq_context` | object: `timezone`, `request_id`, `variables` |
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings as django_settings
from django.utils import timezone, translation
from django.utils.module_loading import import_string
from django.utils.translation import trans_real

from kiq_django import carried, conf
from kiq_django.codec import dumps
from kiq_django.exceptions import ConfigurationError, PayloadError
from kiq_django.payload import Payload
from kiq_django.plugins import Feature

LOCALE: Final = "locale"
FIELD: Final = "kiq_context"
TRACE: Final = ("traceparent", "tracestate")
LONGEST: Final = 512
"""Characters of a text that came with a job."""
_UNSET: Final[Any] = object()


def taken_along(payload: Payload) -> Payload:
    """The payload with what is in force here; what it has already stays.

    Raises:
        PayloadError: the value of a variable is no JSON.
    """
    given = payload.document
    fields = {name: value for name, value in _found().items() if name not in given}
    return payload.evolve(**fields) if fields else payload


def _found() -> dict[str, Any]:
    rules, found, more = conf.get().context, {}, {}
    language = translation.get_language() if rules.language and _is_touched(_language_here) else None
    if language and language != django_settings.LANGUAGE_CODE:
        found[LOCALE] = language
    zone = (
        getattr(timezone.get_current_timezone(), "key", None) if rules.time_zone and _is_touched(_zone_here) else None
    )
    if zone and zone != django_settings.TIME_ZONE:
        more["timezone"] = zone
    if request_id := _request_id():
        more["request_id"] = request_id
    if rules.variables and (values := _values()):
        more["variables"] = values
    if rules.trace and (trace := carried.trace.get()):
        found.update(trace)
    return {**found, FIELD: more} if more else found


def _storage(local: Any) -> ContextVar[Any] | None:
    found = getattr(getattr(local, "_storage", None), "_data", None)
    return found if isinstance(found, ContextVar) else None


# Asking for language and zone costs 1 us each, as much as all else here; where neither was ever chosen a look will do.
_language_here, _zone_here = _storage(trans_real._active), _storage(timezone._active)  # type: ignore[attr-defined]


def _is_touched(storage: ContextVar[Any] | None) -> bool:
    """Whether something may have been chosen in this context."""
    return storage is None or storage.get(None) is not None


def _request_id() -> str:
    """The project's own way of knowing it, else that of the job that we are in."""
    source = _source()
    if source is None:
        return carried.request_id.get()
    given = source.get(None) if isinstance(source, ContextVar) else source()
    return str(given or carried.request_id.get())[:LONGEST]


def _values() -> dict[str, Any]:
    found = {}
    for name, variable in _variables().items():
        value = variable.get(_UNSET)
        if value is not _UNSET:
            found[name] = value
    try:
        dumps(found)
    except PayloadError as error:
        raise PayloadError(f"A variable of KIQ['CONTEXT'] has a value that cannot travel: {error}") from error
    return found


# --- in the worker ---


def carries(document: Mapping[str, Any]) -> bool:
    """Whether a job has brought anything along."""
    return LOCALE in document or FIELD in document or "traceparent" in document


@contextmanager
def restored(payload: Payload) -> Iterator[None]:
    """What the job brought along is in force inside the block; what makes no sense is passed over."""
    document = payload.document
    more = document.get(FIELD)
    more = more if isinstance(more, dict) else {}
    with ExitStack() as stack:
        if language := _language(_text(document.get(LOCALE))):
            stack.enter_context(translation.override(language))
        if zone := _zone(_text(more.get("timezone"))):
            stack.enter_context(timezone.override(zone))
        for variable, value in _brought(document, more):
            token = variable.set(value)
            stack.callback(variable.reset, token)
        yield


def _brought(document: Mapping[str, Any], more: Mapping[str, Any]) -> Iterator[tuple[ContextVar[Any], Any]]:
    if request_id := _text(more.get("request_id")):
        yield carried.request_id, request_id
        if isinstance(source := _source(), ContextVar):
            yield source, request_id
    trace = {name: text for name in TRACE if (text := _text(document.get(name)))}
    if trace:
        yield carried.trace, trace
    values = more.get("variables")
    for name, variable in _variables().items():
        if isinstance(values, dict) and name in values:
            yield variable, values[name]


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= LONGEST else ""


@cache
def _language(name: str) -> str | None:
    """As Django knows it: Ruby writes `pt-BR`, and so do people."""
    try:
        return translation.get_supported_language_variant(name.replace("_", "-").lower()) if name else None
    except LookupError:
        return None


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, LookupError, OSError):
        return None


# --- what the settings name ---


@cache
def _variables() -> Mapping[str, ContextVar[Any]]:
    found = {name: _import(path) for name, path in conf.get().context.variables.items()}
    for name, variable in found.items():
        if not isinstance(variable, ContextVar):
            raise ConfigurationError(f"KIQ['CONTEXT']['variables'][{name!r}] is not a ContextVar, but {variable!r}")
    return found


@cache
def _source() -> Any:
    path = conf.get().context.request_id
    return _import(path) if path else None


def _import(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError as error:
        raise ConfigurationError(f"KIQ['CONTEXT']: {path!r} cannot be imported: {error}") from error


@conf.on_reset
def _forget() -> None:
    for known in (_language, _zone, _variables, _source):
        known.cache_clear()


# --- the feature ---


def _take_along(payload: Payload, proceed: Callable[[Payload], Payload | None]) -> Payload | None:
    return proceed(taken_along(payload))


class _Restore:
    def __call__(self, payload: Payload, proceed: Callable[[Payload], Any]) -> Any:
        if not carries(payload.document):
            return proceed(payload)
        with restored(payload):
            return proceed(payload)

    async def acall(self, payload: Payload, proceed: Callable[[Payload], Awaitable[Any]]) -> Any:
        if not carries(payload.document):
            return await proceed(payload)
        with restored(payload):
            return await proceed(payload)


feature = Feature(
    name="context", early=taken_along, client=_take_along, is_same_for_all=True, server=_Restore(), around=restored
)
