"""Tasks in Redis. Imported where it is needed: importing the Redis library takes long."""

from __future__ import annotations

import logging
from typing import Any

from kiq_django import store
from kiq_django.codec import loads
from kiq_django.exceptions import KiqError, MalformedPayload
from kiq_django.payload import TASK, Payload
from kiq_django.store.records import Attempt, Record, Run
from kiq_django.store.tasks import TaskRecord
from kiq_django.task_backend.framework import TaskResult
from kiq_django.task_backend.known import Known, error_path, result_of
from kiq_django.task_backend.shelf import Shelf
from kiq_django.task_backend.worker_name import worker_name

logger = logging.getLogger("kiq_django")
STATUSES = {
    "done": "SUCCESSFUL",
    "dead": "FAILED",
    "discarded": "FAILED",
    "dropped": "FAILED",
    "retry": "READY",
    "schedule": "READY",
}


class RedisShelf(Shelf):
    """The adapter pushes a task with its record, and the end of a run is written with its settle."""

    def enter(self, payload: Payload) -> None:
        """The adapter does that, in the same step as the push."""

    async def aenter(self, payload: Payload) -> None:
        """Neither here."""

    def begin(self, payload: Payload, started_at: float) -> TaskResult[Any, Any]:
        if TASK not in payload.document:  # enqueued by somebody who wants no result
            return _begun(None, payload, started_at)
        stored: TaskRecord | None = None
        try:
            stored = store.get().tasks.begin(payload.jid, payload.encode(), started_at, worker_name())
        except KiqError as error:
            _unnoted(payload, error)
        return _begun(stored, payload, started_at)

    async def abegin(self, payload: Payload, started_at: float) -> TaskResult[Any, Any]:
        if TASK not in payload.document:
            return _begun(None, payload, started_at)
        stored: TaskRecord | None = None
        try:
            stored = await store.get().tasks.abegin(payload.jid, payload.encode(), started_at, worker_name())
        except KiqError as error:
            _unnoted(payload, error)
        return _begun(stored, payload, started_at)

    def end(self, result: TaskResult[Any, Any]) -> None:
        """The settle does that, in the same step as it takes the job off the working list."""

    def find(self, jid: str) -> Known | None:
        tasks = store.get().tasks
        stored = tasks.read(jid)
        if stored is None:
            return None
        worker = _runner_of(stored)
        return _known(stored, is_running=bool(worker) and tasks.lives(worker))

    async def afind(self, jid: str) -> Known | None:
        tasks = store.get().tasks
        stored = await tasks.aread(jid)
        if stored is None:
            return None
        worker = _runner_of(stored)
        return _known(stored, is_running=bool(worker) and await tasks.alives(worker))


def _unnoted(payload: Payload, error: KiqError) -> None:
    logger.warning("It could not be noted that task %s runs: %s", payload.jid, error)


def _begun(stored: TaskRecord | None, payload: Payload, started_at: float) -> TaskResult[Any, Any]:
    known = _known(stored, is_running=False) if stored else None
    return result_of((known or Known(payload=payload)).begun(started_at, worker_name()))


def _runner_of(stored: TaskRecord) -> str:
    """Identity of the worker that says to run it; empty when none does."""
    return str(_object(stored.running).get("worker", ""))


def _known(stored: TaskRecord, *, is_running: bool) -> Known | None:
    """None of bytes that are no job."""
    try:
        payload = Payload.decode(stored.payload)
    except MalformedPayload:
        return None
    known = _ended(payload, stored, stored.record) if stored.record else Known(payload=payload)
    if not is_running:
        return known
    run = _object(stored.running)
    began = run.get("started_at")
    return known.begun(began if isinstance(began, float) else 0.0, str(run.get("worker", "")))


def _ended(payload: Payload, stored: TaskRecord, record: Record) -> Known:
    runs: list[Run] = [*record.attempts, *([record.end] if record.end and record.place == "done" else [])]
    status = STATUSES[record.place]
    return Known(
        payload=payload,
        status=status,
        errors=tuple(_error(attempt) for attempt in record.attempts),
        workers=_workers(record, runs),
        started_at=runs[0].started_at if runs else None,
        last_attempted_at=runs[-1].started_at if runs else None,
        finished_at=runs[-1].ended_at if runs and status != "READY" else None,
        value=_json(stored.result) if status == "SUCCESSFUL" else None,
    )


def _workers(record: Record, runs: list[Run]) -> tuple[str, ...]:
    """One for each run; of very many failures those between the first and the last 25 are not known any more."""
    names = [run.worker for run in runs]
    return (*names[:1], *[""] * max(0, record.failures - len(record.attempts)), *names[1:])


def _error(attempt: Attempt) -> tuple[str, str]:
    """Dotted path of the class, and the traceback: as Python printed it, or from the lines that are kept."""
    path = error_path(attempt.error_class)
    if attempt.text:
        return path, attempt.text
    lines = [f"  {line}" for line in reversed(attempt.backtrace)]
    return path, "\n".join(
        ["Traceback (most recent call last):", *lines, f"{attempt.error_class}: {attempt.message}", ""]
    )


def _object(value: bytes) -> dict[str, Any]:
    found = _json(value)
    return found if isinstance(found, dict) else {}


def _json(value: bytes) -> Any:
    """None for what is empty or unreadable: Redis may hold anything."""
    try:
        return loads(value)
    except MalformedPayload:
        return None
