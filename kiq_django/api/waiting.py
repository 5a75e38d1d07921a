"""Jobs that have not begun, or not begun again: what can be done with them where they are."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from kiq_django import clock, routing, sections, signals, wire
from kiq_django.api.records import JobRecord
from kiq_django.exceptions import ConfigurationError, Kill
from kiq_django.jobs.moments import epoch
from kiq_django.payload import ABSENT, Payload
from kiq_django.store import Store
from kiq_django.store.keys import SetName
from kiq_django.store.sets import Promotion, Transfer


class QueuedJob(JobRecord):
    """A job that waits in a queue."""

    actions = frozenset({"delete", "kill", "reschedule", "move"})

    def __init__(self, store: Store, queue: str, raw: bytes) -> None:
        super().__init__(raw, "queue", queue=queue)
        self._store = store

    def delete(self) -> bool:
        return self._store.queues.remove(self.queue, self.raw)

    def kill(self) -> bool:
        new = self._stay().encode() if self.payload else self.raw
        return announce_kill(self, self._transfer("dead", new))

    def reschedule(self, when: datetime | float) -> bool:
        payload = self._stay()
        if "enqueued_at" in payload.document:
            payload = payload.evolve(enqueued_at=ABSENT)
        return self._transfer("schedule", payload.encode(), epoch(when))

    def move(self, queue: str) -> bool:
        """By way of the schedule, where a poller completes the move if we cannot."""
        new = fresh(self.readable().evolve(queue=check_name(queue))).encode()
        if not self._transfer("schedule", new):
            return False
        self._store.sets.promote("schedule", [Promotion(new, queue, new)])
        return True

    def _stay(self) -> Payload:
        """A job that was moved here with its queue names another one inside."""
        payload = self.readable()
        return payload if payload.queue == self.queue else payload.evolve(queue=self.queue)

    def _transfer(self, to: SetName, new: bytes, score: float | None = None) -> bool:
        (moved,) = self._store.sets.transfer_from_queue(self.queue, to, [Transfer(self.raw, new, score)])
        return moved


class SortedJob(JobRecord):
    """A job in one of the sorted sets."""

    actions = frozenset({"delete", "retry", "add_to_queue", "kill", "reschedule", "move"})

    def __init__(self, store: Store, place: SetName, raw: bytes, score: float) -> None:
        super().__init__(raw, place, at=score)
        self._store = store
        self._set = place
        if place == "dead":
            self.actions -= {"kill"}

    @property
    def score(self) -> float:
        """The time by which the set is sorted, epoch seconds."""
        return self.at or 0.0

    def delete(self) -> bool:
        return self._store.sets.remove(self._set, [self.raw]) == 1

    def retry(self) -> bool:
        return self._promote(again)

    def add_to_queue(self) -> bool:
        return self._promote(fresh)

    def kill(self) -> bool:
        if self._set == "dead":
            raise self.refusal("killed")
        return announce_kill(self, self._transfer("dead", self.raw, None))

    def reschedule(self, when: datetime | float) -> bool:
        if self._set == "dead":
            return self._transfer("retry", forgiven(self.readable()).encode(), epoch(when))
        return self._transfer(self._set, self.raw, epoch(when))

    def move(self, queue: str) -> bool:
        return self._transfer(self._set, self.readable().evolve(queue=check_name(queue)).encode(), self.score)

    def put_into(self, to: SetName, at: float) -> bool:
        """Move the job, as it is, into another set, to this time (epoch seconds)."""
        return self._transfer(to, self.raw, at)

    def _promote(self, change: "Change") -> bool:
        payload = self.readable()
        (moved,) = self._store.sets.promote(self._set, [Promotion(self.raw, payload.queue, change(payload).encode())])
        return moved

    def _transfer(self, to: SetName, new: bytes, score: float | None) -> bool:
        (moved,) = self._store.sets.transfer(self._set, to, [Transfer(self.raw, new, score)])
        return moved


Change = Callable[[Payload], Payload]


def fresh(payload: Payload) -> Payload:
    """A payload on its way into a queue. An `at` left inside would send it back to the schedule when it is read
    by Sidekiq."""
    fields: dict[str, Any] = {"enqueued_at": clock.now()}
    if "at" in payload.document:
        fields["at"] = ABSENT
    return wire.outgoing(payload.evolve(**fields))


def forgiven(payload: Payload) -> Payload:
    """One failure less: a retry by hand shall not use up one of the job's own (Sidekiq's rule)."""
    count = payload.retry_count
    return payload if count is None else payload.evolve(retry_count=count - 1)


def again(payload: Payload) -> Payload:
    """A retry by hand."""
    return fresh(forgiven(payload))


def check_name(queue: str) -> str:
    """The name itself.

    Raises:
        ConfigurationError: it cannot be a queue's.
    """
    if trouble := sections.queue_name_trouble(queue):
        raise ConfigurationError(trouble)
    return queue


def announce_kill(record: JobRecord, killed: bool) -> bool:
    """Tell the receivers of `job_dead`, if it came to that. Answers `killed`."""
    if killed:
        definition = routing.find(record.payload) if record.payload else None
        error = Kill("killed by hand")
        signals.send(signals.job_dead, definition and definition.sender, payload=record.payload, error=error)
    return killed
