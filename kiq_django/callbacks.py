"""Methods of a class job that are called around its enqueueing and around each run, as ActiveJob has them.

`before_*`, `around_*` (a generator that yields once) and `after_*` of `enqueue` and `perform`, each called with the
job's arguments. They run in this order; `after_*` only where nothing was raised.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Any, Final

from kiq_django.exceptions import ConfigurationError

KINDS: Final = ("before", "around", "after")


def refuse_unusable(cls: type, *, is_async: bool) -> None:
    """Look at the callbacks of a class that is to become a job.

    Raises:
        ConfigurationError: one is of a kind that could not be called.
    """
    for moment in ("enqueue", "perform"):
        for kind in KINDS:
            method = inspect.getattr_static(cls, f"{kind}_{moment}", None)
            if method is not None:
                _refuse(cls, method, kind, may_await=is_async and moment == "perform")


def _refuse(cls: type, method: Any, kind: str, *, may_await: bool) -> None:
    is_async = inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
    is_generator = inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method)
    if not inspect.isfunction(method) or is_async > may_await or is_generator != (kind == "around"):
        wanted = "a generator that yields once" if kind == "around" else "a plain method"
        also = "; `async def` is for `perform` callbacks of async jobs" if is_async and not may_await else ""
        raise ConfigurationError(f"{cls.__qualname__}.{getattr(method, '__name__', kind)} must be {wanted}{also}")


def has(cls: type, moment: str) -> bool:
    """Whether a class has callbacks of `enqueue` or of `perform`."""
    return any(hasattr(cls, f"{kind}_{moment}") for kind in KINDS)


@contextmanager
def enqueueing(cls: type, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[None]:
    """Calls the callbacks of `enqueue` around the block."""
    job = cls()
    _call(job, "before_enqueue", args, kwargs)
    with _around(job, "around_enqueue", args, kwargs):
        yield
    _call(job, "after_enqueue", args, kwargs)


def performer(cls: type, *, is_async: bool) -> Callable[..., Any] | None:
    """What runs an instance of a class with its callbacks of `perform`; None for a class without."""
    if not has(cls, "perform"):
        return None

    def perform(*args: Any, **kwargs: Any) -> Any:
        job = cls()
        _call(job, "before_perform", args, kwargs)
        with _around(job, "around_perform", args, kwargs):
            result = job.perform(*args, **kwargs)
        _call(job, "after_perform", args, kwargs)
        return result

    async def aperform(*args: Any, **kwargs: Any) -> Any:
        job = cls()
        await _acall(job, "before_perform", args, kwargs)
        async with _aaround(job, args, kwargs):
            result = await job.perform(*args, **kwargs)
        await _acall(job, "after_perform", args, kwargs)
        return result

    return aperform if is_async else perform


def _call(job: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    method = getattr(job, name, None)
    return method(*args, **kwargs) if method else None


async def _acall(job: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    found = _call(job, name, args, kwargs)
    if inspect.isawaitable(found):
        await found


def _around(job: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> AbstractContextManager[Any]:
    method = getattr(job, name, None)
    return contextmanager(method)(*args, **kwargs) if method else nullcontext()


@asynccontextmanager
async def _aaround(job: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> AsyncIterator[None]:
    method = getattr(job, "around_perform", None)
    if method is not None and inspect.isasyncgenfunction(method):
        async with asynccontextmanager(method)(*args, **kwargs):
            yield
    else:
        with _around(job, "around_perform", args, kwargs):
            yield
