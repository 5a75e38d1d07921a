"""What of Celery has a counterpart here, and what to do about the rest. Shim and report read the same tables."""

from collections.abc import Mapping
from typing import Final

OURS: Final = frozenset(
    {
        "name",
        "queue",
        "bind",
        "max_retries",
        "default_retry_delay",
        "autoretry_for",
        "dont_autoretry_for",
        "retry_kwargs",
        "retry_backoff",
        "retry_backoff_max",
        "retry_jitter",
        "soft_time_limit",
        "time_limit",
        "expires",
        "serializer",
        "result",
    }
)
"""Options of `@shared_task` that do here what they do there; `result` is that of `@job`."""

NEEDLESS: Final[Mapping[str, str]] = {
    "acks_late": "jobs are always acknowledged after the run",
    "acks_on_failure_or_timeout": "a failed job goes to the retry or the dead set",
    "acks_on_failure": "a failed job goes to the retry or the dead set",
    "acks_on_timeout": "a failed job goes to the retry or the dead set",
    "reject_on_worker_lost": "jobs of a dead worker always come back",
    "ignore_result": "no result is kept unless result=... asks for it",
    "store_errors_even_if_ignored": "failed jobs are kept anyway",
    "track_started": "the dashboard shows what runs",
    "send_events": "the dashboard needs no events",
    "trail": "there are no subtasks to follow",
    "typing": "arguments are always checked against the signature",
    "throws": "every failure is logged alike",
}
"""Options of `@shared_task` that may stay: what they ask for is so, or has no meaning here."""

REFUSED: Final[Mapping[str, str]] = {
    "base": "write a class with perform and @job, or a middleware (KIQ['MIDDLEWARE'])",
    "cls": "write a class with perform and @job",
    "rate_limit": "give the job a queue whose worker has few threads, or a capsule of KIQ['WORKER']",
    "priority": "use queues with weights (KIQ['QUEUES']) in place of priorities",
    "pydantic": "validate the arguments inside of the task",
    "pydantic_strict": "validate the arguments inside of the task",
    "pydantic_context": "validate the arguments inside of the task",
    "pydantic_dump_kwargs": "validate the arguments inside of the task",
    "compression": "store large data elsewhere, and pass its id",
    "backend": "say result=seconds: what the task returns is kept in Redis",
    "routing_key": "say queue=...",
    "exchange": "say queue=...",
    "on_failure": "use kiq_django.signals.job_dead, or @job(retries_exhausted=...)",
    "on_success": "use kiq_django.signals.job_finished",
    "on_retry": "use kiq_django.signals.job_finished",
    "after_return": "use kiq_django.signals.job_finished",
    "before_start": "use kiq_django.signals.job_started",
}
"""Options of `@shared_task` without a counterpart, and what to do instead."""

CALL: Final = frozenset({"args", "kwargs", "countdown", "eta", "expires", "queue"})
"""Arguments of `apply_async` that do here what they do there."""

CALL_NEEDLESS: Final[Mapping[str, str]] = {
    "ignore_result": "no result is kept unless result=... asks for it",
    "retry": "a push that fails raises",
    "retry_policy": "a push that fails raises",
    "serializer": "arguments are JSON",
    "producer": "connections are made as they are needed",
    "connection": "connections are made as they are needed",
    "add_to_parent": "there are no subtasks to follow",
}
"""Arguments of `apply_async` that may stay."""

CALL_REFUSED: Final[Mapping[str, str]] = {
    "link": "enqueue the next job at the end of the first",
    "link_error": "use kiq_django.signals.job_dead, or @job(retries_exhausted=...)",
    "chord": "enqueue the next job at the end of the last",
    "group_id": "there are no groups",
    "task_id": "the id is given out by enqueue; keep that one",
    "priority": "use queues with weights (KIQ['QUEUES']) in place of priorities",
    "routing_key": "say queue=...",
    "exchange": "say queue=...",
    "headers": "pass what the task needs as an argument",
    "compression": "store large data elsewhere, and pass its id",
    "shadow": "give the task a name",
    "time_limit": "a limit belongs to the declaration: @shared_task(time_limit=...)",
    "soft_time_limit": "a limit belongs to the declaration: @shared_task(soft_time_limit=...)",
}
"""Arguments of `apply_async` without a counterpart, and what to do instead."""

CANVAS: Final = "enqueue the next job at the end of the one before"

METHODS: Final[Mapping[str, str]] = {
    "s": CANVAS,
    "si": CANVAS,
    "signature": CANVAS,
    "subtask": CANVAS,
    "chunks": "use enqueue_all with a list for each job",
    "map": "use enqueue_all",
    "starmap": "use enqueue_all",
    "replace": "enqueue the other job, and return",
    "add_to_chord": CANVAS,
    "send_event": "use a signal of your own, or the log",
    "update_state": "say kiq_django.current_job().progress(done, total)",
    "AsyncResult": "say task.handle(id).result(), and result=seconds in @shared_task",
    "backend": "say result=seconds in @shared_task",
    "app": "there is no application object; use the task itself",
}
"""Attributes of a task without a counterpart."""

RESULT: Final = "say result=seconds in @shared_task, and .result(timeout) of what delay() returns"
RESULT_METHODS: Final = frozenset(
    {"ready", "successful", "failed", "state", "status", "info", "revoke", "forget", "children", "parent"}
)
"""Attributes of what `delay` returns in Celery, without a counterpart."""
WAITS: Final = frozenset({"get", "wait"})
"""Those that wait for the result: here too, for a task with `result`."""
