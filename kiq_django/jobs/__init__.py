"""`@job`: makes a function, or a class with `perform`, a job that can be enqueued."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from asgiref.sync import iscoroutinefunction

from kiq_django import plugins, registry
from kiq_django.exceptions import ConfigurationError
from kiq_django.jobs.declared import AsyncJob, Job
from kiq_django.options import RetryOn

__all__ = ["AsyncJob", "Job", "job", "refuse_unknown_options"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Performs(Protocol[P, R_co]):
    """A class job: every run makes an instance and calls `perform`."""

    def perform(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class Decorator(Protocol):
    """What `job(...)` with options gives."""

    @overload
    def __call__(self, target: type[Performs[P, Coroutine[Any, Any, R]]], /) -> AsyncJob[P, R]: ...
    @overload
    def __call__(self, target: type[Performs[P, R]], /) -> Job[P, R]: ...
    @overload
    def __call__(self, target: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncJob[P, R]: ...
    @overload
    def __call__(self, target: Callable[P, R], /) -> Job[P, R]: ...


@overload
def job(target: type[Performs[P, Coroutine[Any, Any, R]]], /) -> AsyncJob[P, R]: ...
@overload
def job(target: type[Performs[P, R]], /) -> Job[P, R]: ...
@overload
def job(target: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncJob[P, R]: ...
@overload
def job(target: Callable[P, R], /) -> Job[P, R]: ...
@overload
def job(
    *,
    name: str | None = ...,
    queue: str = ...,
    retry: bool | int = ...,
    retry_for: float | None = ...,
    retry_queue: str | None = ...,
    dead: bool = ...,
    backtrace: bool | int = ...,
    tags: Sequence[str] = ...,
    timeout: float | None = ...,
    expires_in: float | None = ...,
    on_commit: bool = ...,
    outbox: bool = ...,
    wait_replicas: int = ...,
    retry_in: Callable[..., Any] | None = ...,
    retry_on: RetryOn | Sequence[RetryOn] = ...,
    discard_on: type[BaseException] | Sequence[type[BaseException]] = ...,
    retries_exhausted: Callable[..., Any] | None = ...,
    redact: Sequence[str] = ...,
    result: float | timedelta | bool | None = ...,
    aliases: Sequence[str] = ...,
    partition_by: str | None = ...,
    partition_key: str | None = ...,
    **features: Any,
) -> Decorator: ...
def job(target: Any = None, /, *, name: str | None = None, **options: Any) -> Any:
    """Declare a job, with or without options: `@job` or `@job(queue="mail", retry=5)`.

    Args:
        target: a function, a coroutine function, or a class with `perform`.
        name: what payloads call it; by default its dotted path. A worker of another language has to use the
        same. options: `options.JobOptions` has each; those of a feature are legal while it is in
        `KIQ["FEATURES"]`.

    Returns:
        A `Job` in place of the target, or, with options alone, the decorator. (mypy does not look at what a
        class decorator returns; for its sake write `shrink = job(Shrink)` below the class.)

    Raises:
        ConfigurationError: the target cannot be a job, or an option is not usable.
        DuplicateJobError: another function has this name.
    """
    if target is None:
        return lambda found: _declare(found, name, options)
    return _declare(target, name, options)


def _declare(target: Any, name: str | None, options: dict[str, Any]) -> Job[..., Any]:
    if isinstance(target, Job):
        raise ConfigurationError(f"{target.name} is a job already; say @job once")
    function = getattr(target, "perform", None) if isinstance(target, type) else target
    return (AsyncJob if iscoroutinefunction(function) else Job)(target, name, options)


def refuse_unknown_options() -> None:
    """Check the options of all declared jobs, once every feature can be known.

    Raises:
        ConfigurationError: an option belongs to nobody.
    """
    for definition in registry.all_jobs().values():
        plugins.refuse_unknown_options(definition.name, definition.options.extra)
