"""Tasks that this backend runs. Each is known to the registry from its declaration on; workers run no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from django.conf import settings
from django.utils import timezone

from kiq_django import clock, registry
from kiq_django.exceptions import UnknownJob
from kiq_django.jobs.moments import epoch
from kiq_django.options import RetryOn
from kiq_django.task_backend.framework import Task

OPTIONS: Final = (
    "retry",
    "retry_for",
    "dead",
    "backtrace",
    "tags",
    "timeout",
    "on_commit",
    "retry_in",
    "retry_on",
    "discard_on",
    "retries_exhausted",
    "redact",
)
"""Options of `@job` that `@task` takes too, from Django 6.1 on."""
PER_CALL: Final = frozenset({"retry", "retry_for", "dead", "backtrace", "tags", "on_commit"})
"""Those of them that `using` takes; the others belong to the declaration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KiqTask(Task):  # type: ignore[type-arg]
    """Django's `Task` with the options of `@job`; None is what `TASKS`, or `KIQ["DEFAULTS"]`, says."""

    retry: bool | int | None = None
    retry_for: float | None = None
    dead: bool | None = None
    backtrace: bool | int | None = None
    tags: Sequence[str] | None = None
    timeout: float | None = None
    on_commit: bool | None = None
    retry_in: Callable[..., Any] | None = None
    retry_on: RetryOn | Sequence[RetryOn] | None = None
    discard_on: type[BaseException] | Sequence[type[BaseException]] | None = None
    retries_exhausted: Callable[..., Any] | None = None
    redact: Sequence[str] | None = None

    def __post_init__(self) -> None:
        Task.__post_init__(self)  # super() without arguments does not know a class that slots have made anew
        if declare := getattr(self.get_backend(), "declare", None):
            declare(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, as a job is called."""
        return self.func(*args, **kwargs)

    def using(
        self,
        *,
        priority: int | None = None,
        queue_name: str | None = None,
        run_after: datetime | timedelta | None = None,
        backend: str | None = None,
        **options: Any,
    ) -> Self:
        """A copy with other options: Django's own, and of ours those that travel with a job.

        Args:
            run_after: a timedelta counts from now.

        Raises:
            TypeError: an option is unknown, or belongs to the declaration.
            InvalidTask: the backend refuses the task so.
        """
        if stray := options.keys() - PER_CALL:
            raise TypeError(f"using() has no option {min(stray)!r}; besides Django's there are {sorted(PER_CALL)}")
        if isinstance(run_after, timedelta):
            run_after = moment(clock.now() + run_after.total_seconds())
        given = {"priority": priority, "queue_name": queue_name, "run_after": run_after, "backend": backend, **options}
        changes = {name: value for name, value in given.items() if value is not None}
        return type(self)(**{**_values(self), **changes})


def moment(seconds: float) -> datetime:
    """Epoch seconds as Django's `timezone.now()` would have told them: aware with `USE_TZ`."""
    found = datetime.fromtimestamp(seconds, tz=UTC)
    return found if settings.USE_TZ else timezone.make_naive(found, timezone.get_default_timezone())


def due(task: Task[Any, Any]) -> float | None:
    """When it is to run, in epoch seconds; None is now."""
    return None if task.run_after is None else epoch(task.run_after)


def options_of(task: KiqTask) -> dict[str, Any]:
    """What its declaration, or this copy of it, says in our words."""
    return {name: value for name in OPTIONS if (value := getattr(task, name)) is not None}


def recalled(path: str, **changes: Any) -> KiqTask:
    """The task that lives at a module path, as it was when it was enqueued: nothing is checked, nothing imported.

    Of a task that is not there (any more) it has the path alone, and raises when it is called.
    """
    definition = registry.find(path)
    known = definition.sender if definition is not None and isinstance(definition.sender, KiqTask) else None
    values = _values(known) if known else {**_defaults(), "func": _gone(path)}
    task = object.__new__(KiqTask)
    for name, value in {**values, **changes}.items():
        object.__setattr__(task, name, value)
    return task


def _values(task: KiqTask) -> dict[str, Any]:
    return {each.name: getattr(task, each.name) for each in fields(task)}


def _defaults() -> dict[str, Any]:
    usual = {"priority": 0, "backend": "default", "queue_name": "default", "run_after": None, "takes_context": False}
    return {**usual, **dict.fromkeys(OPTIONS)}


def _gone(path: str) -> Callable[..., Any]:
    def gone(*args: Any, **kwargs: Any) -> Any:
        raise UnknownJob(f"No loaded code declares the task {path}")

    gone.__module__, _, gone.__qualname__ = path.rpartition(".")
    gone.__name__ = gone.__qualname__
    return gone
