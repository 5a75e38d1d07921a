"""What is known of one task, wherever it is kept, and as Django's `TaskResult`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kiq_django.exceptions import ResultTypeError
from kiq_django.payload import TASK, Payload
from kiq_django.task_backend.framework import TaskError, TaskResult, TaskResultStatus
from kiq_django.task_backend.task import moment, recalled


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One task. Times are epoch seconds."""

    payload: Payload
    """As it was first pushed."""
    status: str = "READY"
    """`READY`, `RUNNING`, `FAILED` or `SUCCESSFUL`."""
    errors: tuple[tuple[str, str], ...] = ()
    """Dotted path of the class and traceback of each failed run that is kept."""
    workers: tuple[str, ...] = ()
    """Who ran it, one for each run."""
    started_at: float | None = None
    """Begin of the first run."""
    last_attempted_at: float | None = None
    """Begin of the last run."""
    finished_at: float | None = None
    value: Any = None
    """What it returned."""

    def begun(self, started_at: float, worker: str) -> Known:
        """The same with one more run that is under way."""
        first = started_at if self.started_at is None else self.started_at
        workers = (*self.workers, worker)
        return replace(self, status="RUNNING", workers=workers, started_at=first, last_attempted_at=started_at)


def result_of(known: Known) -> TaskResult[Any, Any]:
    """The same as Django shows it."""
    payload, told = known.payload, _told(known.payload)
    backend = str(told.get("backend", "default"))
    result: TaskResult[Any, Any] = TaskResult(
        task=recalled(
            payload.name,
            priority=told.get("priority", 0),
            backend=backend,
            queue_name=payload.queue,
            run_after=_moment(told.get("run_after")),
        ),
        id=payload.jid,
        status=TaskResultStatus(known.status),
        enqueued_at=_moment(payload.created_at),
        started_at=_moment(known.started_at),
        finished_at=_moment(known.finished_at),
        last_attempted_at=_moment(known.last_attempted_at),
        args=payload.args,
        kwargs=payload.kwargs,
        backend=backend,
        errors=[TaskError(exception_class_path=path, traceback=text) for path, text in known.errors],
        worker_ids=list(known.workers),
    )
    object.__setattr__(result, "_return_value", known.value)
    return result


def _told(payload: Payload) -> Mapping[str, Any]:
    told = payload.document.get(TASK)
    return told if isinstance(told, dict) else {}


def _moment(seconds: Any) -> Any:
    if not isinstance(seconds, int | float):
        return None
    try:
        return moment(seconds)
    except (OverflowError, OSError, ValueError):  # no date has this: Redis may hold any number
        return None


def error_path(path: str) -> str:
    """The dotted path of an error's class as `TaskError` wants it; what we derive from a built-in is that to Django."""
    if path == f"{ResultTypeError.__module__}.{ResultTypeError.__qualname__}":
        return "builtins.TypeError"
    return path if "." in path else f"builtins.{path}"
