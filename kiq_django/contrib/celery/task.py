"""`@shared_task` and what it makes: a job with Celery's methods."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, ParamSpec, TypeVar, overload

from asgiref.sync import iscoroutinefunction

from kiq_django import clock, conf
from kiq_django.client import Handle
from kiq_django.contrib.celery.bound import AutoRetry, Bound, Retry
from kiq_django.contrib.celery.carried import (
    CALL,
    CALL_NEEDLESS,
    CALL_REFUSED,
    METHODS,
    NEEDLESS,
    OURS,
    REFUSED,
    RESULT,
    RESULT_METHODS,
)
from kiq_django.exceptions import ConfigurationError, Unsupported
from kiq_django.jobs import Job
from kiq_django.options import RetryOn

P = ParamSpec("P")
R = TypeVar("R")

MAX_RETRIES: Final = 3
RETRY_DELAY: Final = 180
"""Seconds. Both are Celery's."""
UNLIMITED: Final = 2**31 - 1


class Sent(Handle):
    """What `delay` returns."""

    __slots__ = ()

    @property
    def task_id(self) -> str:
        """The id."""
        return self.id

    def get(self, timeout: float | None = None) -> Any:
        """Wait for what the task returns, which takes `@shared_task(result=seconds)`; as `result`."""
        return self.result(timeout)

    wait = get

    def __getattr__(self, name: str) -> Any:
        if name in RESULT_METHODS:
            raise Unsupported(f".{name} of a task that was sent has no counterpart here: {RESULT}")
        raise AttributeError(name)


class Task(Job[P, R]):
    """A job that is called as Celery's tasks are."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "definition":  # asked while it is being made, or copied
            raise AttributeError(name)
        if name in METHODS:
            raise Unsupported(f"{self.name}.{name} has no counterpart here: {METHODS[name]}")
        raise AttributeError(f"task {self.name} has no attribute {name!r}")

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> Sent:
        """Have it run by a worker, once the open transactions have committed."""
        return _sent(self.enqueue(*args, **kwargs))

    delay_on_commit = delay

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        countdown: float | None = None,
        eta: datetime | None = None,
        expires: datetime | timedelta | float | None = None,
        queue: str | None = None,
        **others: Any,
    ) -> Sent:
        """Have it run by a worker.

        Args:
            args: its arguments by position.
            kwargs: its arguments by name.
            countdown: seconds from now.
            eta: when.
            expires: when it is too late to begin it, or in how many seconds from now.
            queue: where it goes.
            others: what has no meaning here may stay.

        Raises:
            Unsupported: one of the others has a meaning, and no counterpart here; the text says what to do instead.
            TypeError: it is unknown, or the arguments do not fit the task.
        """
        self._refuse(others)
        options: dict[str, Any] = {}
        if queue is not None:
            options["queue"] = queue
        if eta is not None or countdown is not None:
            options["at"] = eta if eta is not None else clock.now() + (countdown or 0)
        if expires is not None:
            options["expires_at"] = _moment(expires)
        return _sent(self.using(**options).enqueue(*(args or ()), **(kwargs or {})))

    apply_async_on_commit = apply_async

    def apply(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> R:
        """Run it here and return its result, as a worker would. (Celery's returns an EagerResult.)"""
        return self.perform_now(*args, **(kwargs or {}))

    def _refuse(self, others: Mapping[str, Any]) -> None:
        for name, value in others.items():
            if name in CALL_REFUSED and value is not None:
                raise Unsupported(f"apply_async({name}=...) has no counterpart here: {CALL_REFUSED[name]}")
            if name not in CALL_REFUSED and name not in CALL_NEEDLESS:
                hint = conf.did_you_mean(name, sorted(CALL))
                raise TypeError(f"apply_async() of {self.name} has no option {name!r}. {hint}")


@overload
def shared_task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def shared_task(**options: Any) -> Callable[[Callable[..., R]], Task[..., R]]: ...
def shared_task(function: Any = None, /, **options: Any) -> Any:
    """Declare a task as Celery does: `@shared_task` or `@shared_task(bind=True, max_retries=5)`.

    A task that fails is dead at once, unless it calls `self.retry` or its error is in `autoretry_for`, as in Celery.

    Raises:
        ConfigurationError: an option has no counterpart here; the text says what to do instead.
    """
    if function is None:
        return functools.partial(_declare, options=options)
    return _declare(function, options)


def _declare(function: Callable[..., Any], options: Mapping[str, Any]) -> Task[..., Any]:
    name = options.get("name") or f"{function.__module__}.{function.__qualname__}"
    _refuse_options(name, options)
    bounds: list[Bound] = []
    task: Task[..., Any] = Task(_runnable(function, options, bounds), options.get("name"), _own(options))
    bounds.append(
        Bound(
            task,
            max_retries=options.get("max_retries", MAX_RETRIES),
            default_retry_delay=options.get("default_retry_delay", RETRY_DELAY),
        )
    )
    return task


def _refuse_options(name: str, options: Mapping[str, Any]) -> None:
    for option, value in options.items():
        if option in REFUSED:
            raise ConfigurationError(f"Task {name}: {option} has no counterpart here: {REFUSED[option]}")
        if option not in OURS and option not in NEEDLESS:
            hint = conf.did_you_mean(option, sorted(OURS))
            raise ConfigurationError(f"Task {name} has the unknown option {option!r}. {hint}")
        if option == "serializer" and value != "json":
            raise ConfigurationError(f"Task {name}: serializer {value!r}: arguments are always JSON here")


def _own(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same in options of `@job`."""
    limit = options.get("soft_time_limit") or options.get("time_limit")
    again = RetryOn(Retry, wait=_wait, attempts=UNLIMITED)
    own: dict[str, Any] = {"retry": 0, "retry_on": [again], "timeout": limit, "expires_in": options.get("expires")}
    own.update((name, options[name]) for name in ("queue", "result") if options.get(name))
    return own


def _wait(count: int, error: BaseException) -> float:
    return error.seconds if isinstance(error, Retry) else 0.0


def _runnable(function: Callable[..., Any], options: Mapping[str, Any], bounds: Sequence[Bound]) -> Callable[..., Any]:
    """The function as a worker calls it: with `self` where it wants one, and its errors retried."""
    auto, wants_self = _auto_retry(options), bool(options.get("bind"))
    if auto is None and not wants_self:
        return function

    def first() -> tuple[Bound, ...]:
        return (bounds[0],) if wants_self else ()

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*first(), *args, **kwargs)
        except Exception as error:
            if auto is not None:
                auto.after(error, bounds[0])
            raise

    @functools.wraps(function)
    async def arun(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*first(), *args, **kwargs)
        except Exception as error:
            if auto is not None:
                auto.after(error, bounds[0])
            raise

    made: Any = arun if iscoroutinefunction(function) else run
    made.__signature__ = _signature(function, wants_self=wants_self)
    return made  # type: ignore[no-any-return]


def _signature(function: Callable[..., Any], *, wants_self: bool) -> inspect.Signature:
    """What callers see: without `self`."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    return signature.replace(parameters=parameters[1:] if wants_self else parameters)


def _auto_retry(options: Mapping[str, Any]) -> AutoRetry | None:
    errors = tuple(options.get("autoretry_for") or ())
    if not errors:
        return None
    return AutoRetry(
        errors=errors,
        spared=tuple(options.get("dont_autoretry_for") or ()),
        options=options.get("retry_kwargs") or {},
        backoff=float(options.get("retry_backoff") or 0),
        backoff_max=float(options.get("retry_backoff_max", 600)),
        jitter=bool(options.get("retry_jitter", True)),
    )


def _sent(handle: Handle) -> Sent:
    return Sent(handle.id, handle.job, handle.vetoed, handle.keeps)


def _moment(expires: datetime | timedelta | float) -> datetime | float:
    if isinstance(expires, timedelta):
        return clock.now() + expires.total_seconds()
    return expires if isinstance(expires, datetime) else clock.now() + expires
