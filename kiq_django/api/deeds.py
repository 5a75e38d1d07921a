"""What an operation makes of jobs, place by place: which ones came too late for it, and where the others go.

A job that an operation has moved may run, fail and come back while the operation still goes on. It is known again by
what every move writes anyway, the time or the queue, and by nothing of ours inside of the payload: that may be signed.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from kiq_django import clock, wire
from kiq_django.api.operation import Operation, Verb
from kiq_django.api.records import JobRecord
from kiq_django.api.waiting import QueuedJob, SortedJob, again, announce_kill, forgiven, fresh
from kiq_django.exceptions import MalformedPayload, PayloadError, StoreError
from kiq_django.payload import ABSENT, Payload
from kiq_django.store import Store
from kiq_django.store.keys import SetName
from kiq_django.store.operations import Chunk, Stretch
from kiq_django.store.sets import Promotion, Transfer
from kiq_django.store.walks import Found, Page, Walk

DEEP = 10_000
"""Jobs of a queue on the way to where some are taken out, from which on fewer are taken at once: Redis walks there."""
FEWEST = 100
NEXT_MOMENT = 0.002
"""Seconds by which a time is later than another one in every form that times have."""


class Deed(Protocol):
    """One operation at the place where its jobs are."""

    def walk(self) -> Walk:
        """Over all that may be concerned."""

    def job(self, found: Found) -> JobRecord:
        """What was found, as a record."""

    def is_strange(self, job: JobRecord) -> bool:
        """It came here after the operation was started, or is where the operation moves it to."""

    def move(self, job: JobRecord) -> Any:
        """What is to become of a job.

        Raises:
            MalformedPayload, PayloadError: it cannot be read, or not be written, so nothing can.
        """

    def most(self, page: Page) -> int:
        """How many jobs of a page can be moved in one short step."""

    def act(self, chunk: Chunk, page: Page, moves: Sequence[Any]) -> list[bool] | None:
        """Move them. False for a job that is gone; None when the operation is not ours any more."""

    def tell(self, jobs: Sequence[JobRecord], moved: Sequence[bool]) -> None:
        """Tell whoever wants to know of jobs that were moved."""


def deed(store: Store, operation: Operation) -> Deed:
    """What the operation does."""
    return QueueDeed(store, operation) if operation.place == "queue" else SetDeed(store, operation)


class SetDeed:
    """In the schedule, the retries or the dead."""

    def __init__(self, store: Store, operation: Operation) -> None:
        self._store = store
        self._operation = operation
        self._name: SetName = operation.place  # type: ignore[assignment]
        self._goal = self._goal_of(operation)

    def walk(self) -> Walk:
        """The dead lie in the order in which they came; elsewhere new ones can be anywhere."""
        where, is_dead = self._operation.where, self._name == "dead"
        high = min(where.high, self._operation.started_at) if is_dead else where.high
        return self._store.operations.set_walk(self._name, where.low, high)

    def job(self, found: Found) -> SortedJob:
        return SortedJob(self._store, self._name, found.raw, found.score)

    def is_strange(self, job: JobRecord) -> bool:
        """By the times that the job itself tells: of its last run and failure, or of its making."""
        start = self._operation.started_at
        if self._name == "schedule":
            return (job.created_at or 0.0) > start or self._is_moved(job)
        times = (job.enqueued_at, job.retried_at, job.failed_at) if self._name == "retry" else ()
        return any(time is not None and time > start for time in times) or self._is_moved(job)

    def _is_moved(self, job: JobRecord) -> bool:
        operation = self._operation
        if self._goal != self._name:
            return False
        if operation.verb == "move":
            return job.queue == operation.to
        return job.at == (operation.due(job.jid) if operation.spread else operation.when)

    def move(self, job: JobRecord) -> Any:
        return MOVES[self._operation.verb](self._operation, job)

    def most(self, page: Page) -> int:
        return len(page.found)

    def act(self, chunk: Chunk, page: Page, moves: Sequence[Any]) -> list[bool] | None:
        del page
        operations = self._store.operations
        if not moves:
            return operations.note(chunk)
        if self._operation.verb == "delete":
            return operations.remove(chunk, self._name, [move.raw for move in moves])
        if self._goal is None:
            return operations.promote(chunk, self._name, moves)
        return operations.transfer(chunk, self._name, self._goal, moves)

    def tell(self, jobs: Sequence[JobRecord], moved: Sequence[bool]) -> None:
        _tell_of_kills(self._operation, jobs, moved)

    def _goal_of(self, operation: Operation) -> SetName | None:
        """The set that jobs go to; None is their queues."""
        if operation.verb == "kill":
            return "dead"
        if operation.verb == "retry" and not operation.spread:
            return None
        return "retry" if self._name == "dead" and operation.verb != "move" else self._name


class QueueDeed:
    """In a queue."""

    def __init__(self, store: Store, operation: Operation) -> None:
        self._store = store
        self._operation = operation

    def walk(self) -> Walk:
        """No further than there were jobs at the start: what comes later is behind them."""
        operation = self._operation
        return self._store.operations.list_walk(operation.queue, operation.size - operation.done)

    def job(self, found: Found) -> QueuedJob:
        return QueuedJob(self._store, self._operation.queue, found.raw)

    def is_strange(self, job: JobRecord) -> bool:
        """Those that fill the places of jobs that workers took."""
        return (job.enqueued_at or job.created_at or 0.0) > self._operation.started_at

    def move(self, job: JobRecord) -> Any:
        return QUEUE_MOVES[self._operation.verb](self._operation, job)

    def most(self, page: Page) -> int:
        """The deeper in the list, the longer takes each."""
        depth = min(page.start, max(0, self._operation.size - self._operation.done - page.start))
        return max(FEWEST, len(page.found) * DEEP // max(DEEP, depth))

    def act(self, chunk: Chunk, page: Page, moves: Sequence[Any]) -> list[bool] | None:
        operation, operations = self._operation, self._store.operations
        if not moves:
            return operations.note(chunk)
        where = Stretch(operation.queue, page.start, len(page.found))
        if operation.verb == "move":
            return operations.divert(chunk, where, moves, operation.to)
        goals: dict[Verb, SetName] = {"kill": "dead", "reschedule": "schedule"}
        return operations.pluck(chunk, where, moves, goals.get(operation.verb))

    def tell(self, jobs: Sequence[JobRecord], moved: Sequence[bool]) -> None:
        if count := sum(moved):
            with suppress(StoreError):  # then what came in is unknown for a minute; the jobs have left all the same
                self._store.flow.removed(self._operation.queue, count, clock.now())
        _tell_of_kills(self._operation, jobs, moved)


# -- one job --------------------------------------------------------------------------------------


def _retry(operation: Operation, job: JobRecord) -> Promotion | Transfer:
    payload = job.readable()
    if operation.spread:
        return Transfer(job.raw, forgiven(payload).encode(), operation.due(payload.jid))
    return Promotion(job.raw, payload.queue, _enqueued(operation, again(payload)))


def _kill(operation: Operation, job: JobRecord) -> Transfer:
    """The one thing, beside deleting, that can be done with what cannot be read."""
    del operation
    return Transfer(job.raw, _home(job.payload, job).encode() if job.payload else job.raw)


def _delete(operation: Operation, job: JobRecord) -> Transfer:
    del operation
    return Transfer(job.raw, b"")


def _reschedule(operation: Operation, job: JobRecord) -> Transfer:
    payload = job.readable()
    return Transfer(job.raw, forgiven(payload).encode() if job.place == "dead" else job.raw, operation.when)


def _move(operation: Operation, job: JobRecord) -> Transfer:
    return Transfer(job.raw, job.readable().evolve(queue=operation.to).encode(), job.at)


def _reschedule_from_queue(operation: Operation, job: JobRecord) -> Transfer:
    payload = _home(job.readable(), job)
    if "enqueued_at" in payload.document:
        payload = payload.evolve(enqueued_at=ABSENT)
    return Transfer(job.raw, payload.encode(), operation.when)


def _move_from_queue(operation: Operation, job: JobRecord) -> Transfer:
    return Transfer(job.raw, _enqueued(operation, fresh(job.readable().evolve(queue=operation.to))))


def _enqueued(operation: Operation, payload: Payload) -> bytes:
    """A job that was enqueued after the start of the operation, though our clock be slow."""
    if (payload.enqueued_at or 0.0) <= operation.started_at:
        payload = wire.outgoing(payload.evolve(enqueued_at=operation.started_at + NEXT_MOMENT))
    return payload.encode()


def _home(payload: Payload, job: JobRecord) -> Payload:
    """A job that was moved to its queue names another one inside, where it shall not go back to."""
    return payload if payload.queue == job.queue else payload.evolve(queue=job.queue)


def _tell_of_kills(operation: Operation, jobs: Sequence[JobRecord], moved: Sequence[bool]) -> None:
    for job, is_dead in zip(jobs, moved, strict=True) if operation.verb == "kill" else ():
        announce_kill(job, is_dead)


Move = Callable[[Operation, Any], Any]
MOVES: Mapping[Verb, Move] = {
    "retry": _retry,
    "kill": _kill,
    "delete": _delete,
    "reschedule": _reschedule,
    "move": _move,
}
QUEUE_MOVES: Mapping[Verb, Move] = {**MOVES, "reschedule": _reschedule_from_queue, "move": _move_from_queue}

UNMOVABLE = (MalformedPayload, PayloadError)
"""Errors of `Deed.move`."""
