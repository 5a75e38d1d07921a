"""The one door for optional features, ours and yours: `KIQ["FEATURES"]` names them by dotted path.

Order matters. On its way out a payload passes the client links of `KIQ["MIDDLEWARE"]`, then those of the
features in the order of `KIQ["FEATURES"]`; when it runs, the server links of the features from last to first, then
those of `KIQ["MIDDLEWARE"]` as listed. So a feature that seals payloads stands last: nothing is added after it has
sealed, and nothing reads before it has opened.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.utils.module_loading import import_string

from kiq_django import conf
from kiq_django.exceptions import ConfigurationError
from kiq_django.options import JobOptions

Link = Callable[..., Any]
logger = logging.getLogger("kiq_django")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What a feature brings along. Every part but the name is optional."""

    name: str
    """For error messages and `manage.py kiq doctor`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keywords of `@job(...)` that this feature owns, with the value of a job that does not give them."""
    early: Callable[..., Any] | None = None
    """`early(payload) -> Payload`: called when a job is enqueued whose push waits for a commit, where its client links
    would be too late to see what is in force."""
    client: Link | None = None
    """A client link: `link(payload, proceed) -> Payload | None`."""
    is_same_for_all: bool = False
    """Its client link adds to all payloads that are pushed in one moment the same, and looks at none of their arguments
    and ids: a bulk passes it once a slice."""
    around: Callable[..., AbstractContextManager[None]] | None = None
    """`around(payload)`: a context manager, inside of which hooks and death handlers of a job run."""
    server: Link | None = None
    """A server link: `link(payload, proceed) -> result`."""
    settled: Callable[[Sequence[Any]], None] | None = None
    """Called by the worker with the records of a batch whose ends are stored."""
    services: tuple[Callable[..., Any], ...] = ()
    """Factories of threads that live as long as the worker."""
    checks: tuple[Callable[..., Any], ...] = ()
    """System checks."""
    points: Callable[[], Iterable[Any]] | None = None
    """What needs attention just now, as `api.points.Point`: for the Overview and `manage.py kiq doctor`."""


@cache
def features() -> tuple[Feature, ...]:
    """The features in force: those that installed apps bring along (`kiq_feature` of their AppConfig, a dotted path),
    then those of the settings in their order.

    Raises:
        ConfigurationError: a path leads to no feature, or two features own one option.
    """
    loaded = tuple(_load(path) for path in (*_of_apps(), *conf.get().features))
    _refuse_shared_options(loaded)
    return loaded


@cache
def client_links() -> tuple[Link, ...]:
    """Links that a payload passes before it is pushed, outermost first."""
    own = [feature.client for feature in features() if feature.client]
    return (*_links(conf.get().middleware.client), *own)


@cache
def looks_at_each() -> bool:
    """Whether a client link is to see every payload of a bulk."""
    return bool(conf.get().middleware.client) or any(f.client and not f.is_same_for_all for f in features())


@cache
def server_links() -> tuple[Link, ...]:
    """Links around a running job, outermost first."""
    own = [feature.server for feature in reversed(features()) if feature.server]
    return (*own, *_links(conf.get().middleware.server))


def stamped(payload: Any) -> Any:
    """A payload whose push has to wait, with what the features say of it already now."""
    for feature in features():
        if feature.early is not None:
            payload = feature.early(payload)
    return payload


@contextmanager
def around(payload: Any) -> Iterator[None]:
    """Inside of it hooks and death handlers see what the features bring back for a job. Never raises: a job that could
    not be decided about for a feature's sake would come back for ever."""
    stack = ExitStack()
    for feature in features():
        if feature.around is not None:
            try:
                stack.enter_context(feature.around(payload))
            except Exception:
                logger.exception("Feature %s could not prepare the hooks of a job; they run without it", feature.name)
    try:
        yield
    finally:
        try:
            stack.close()
        except Exception:
            logger.exception("A feature could not clean up behind the hooks of a job")


@cache
def options() -> Mapping[str, Any]:
    """Keywords of `@job(...)` that features own, with their defaults."""
    return {name: default for feature in features() for name, default in feature.options.items()}


def refuse_unknown_options(job: str, given: Mapping[str, Any]) -> None:
    """Raise when a job was declared with options that neither we nor a feature in force know.

    Raises:
        ConfigurationError: names the job, the option and the nearest known one.
    """
    for option in given:
        if option not in options():
            known = [*(each.name for each in fields(JobOptions) if each.name != "extra"), *options()]
            raise ConfigurationError(
                f"Job {job} has the unknown option {option!r}. {conf.did_you_mean(option, known)} "
                "(an option of a feature needs that feature in KIQ['FEATURES'])"
            )


def _of_apps() -> list[str]:
    found = (getattr(config, "kiq_feature", "") for config in apps.get_app_configs())
    return [path for path in found if path]


def _load(path: str) -> Feature:
    found = _resolve(path)
    feature = getattr(found, "feature", found)
    if not isinstance(feature, Feature):
        raise ConfigurationError(
            f"KIQ['FEATURES']: {path!r} is not a feature: name a kiq_django.plugins.Feature, "
            "or a module that has one as `feature`"
        )
    return feature


def _resolve(path: str) -> Any:
    return import_module(path) if _is_module(path) else _import(path, "KIQ['FEATURES']")


def _is_module(path: str) -> bool:
    try:
        return find_spec(path) is not None
    except ModuleNotFoundError:  # what stands before the last dot is no package
        return False


def _links(paths: Sequence[str]) -> list[Link]:
    links = (_import(path, "KIQ['MIDDLEWARE']") for path in paths)
    return [link() if isinstance(link, type) else link for link in links]


def _import(path: str, where: str) -> Any:
    try:
        return import_string(path)
    except ImportError as error:
        raise ConfigurationError(f"{where}: {path!r} cannot be imported: {error}") from error


def _refuse_shared_options(loaded: Sequence[Feature]) -> None:
    owners = {each.name: "kiq_django itself" for each in fields(JobOptions)}
    for feature in loaded:
        for option in feature.options:
            if option in owners:
                raise ConfigurationError(
                    f"Option {option!r} of feature {feature.name} belongs to {owners[option]} already"
                )
            owners[option] = feature.name


@conf.on_reset
def _forget() -> None:
    for cached in (features, client_links, looks_at_each, server_links, options):
        cached.cache_clear()
