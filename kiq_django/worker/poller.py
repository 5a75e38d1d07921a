"""Moves jobs whose time has come from the schedule and the retry set to their queues."""

import logging
import random

from kiq_django import clock, wire
from kiq_django.exceptions import MalformedPayload, PayloadError
from kiq_django.payload import ABSENT, Payload
from kiq_django.service import Service
from kiq_django.store import Store
from kiq_django.store.keys import SetName
from kiq_django.store.sets import Promotion, Transfer

logger = logging.getLogger("kiq_django.worker")
BATCH = 100
MANY_PROCESSES = 10


class Poller(Service):
    """All processes poll; together they look once every `poll_interval` seconds or so.

    A job is moved in one step, by whoever comes first, so it is never out of Redis and never pushed
    twice. What cannot be read, or has a queue whose key is no list, goes to the dead set as it is.
    """

    def __init__(self, store: Store, average: float) -> None:
        super().__init__("poller")
        self._store = store
        self._average = average
        self._processes = 1
        self._refused: dict[SetName, frozenset[bytes]] = {}
        """By set, due jobs that did not go to their queues the last time. As a rule somebody else was faster, and they
        are gone; one that comes up again can never go."""

    def tick(self) -> None:
        """One round over both sets."""
        self._processes = max(1, self._store.processes.count())
        for name in ("retry", "schedule"):
            while self._promote(name) == BATCH:
                pass

    def interval(self) -> float:
        """Seconds. Grows with the number of processes, at random so that they do not march in step (Sidekiq's rule)."""
        average = self._processes * self._average
        if self._processes < MANY_PROCESSES:
            return average * random.random() + average / 2  # noqa: S311
        return average * random.random() * 2  # noqa: S311

    def first_wait(self) -> float:
        """Seconds; processes started together shall not poll together."""
        return self._average * random.random()  # noqa: S311

    def _promote(self, name: SetName) -> int:
        due = self._store.sets.due(name, BATCH)
        promotions: list[Promotion] = []
        unusable: list[Transfer] = []
        for raw in due:
            try:
                promotions.append(self._promotion(name, raw))
            except (MalformedPayload, PayloadError) as error:
                logger.warning("A job of the %s set cannot run and goes to the dead set: %s", name, error)
                unusable.append(Transfer(raw, raw))
        moved = self._store.sets.promote(name, promotions) if promotions else []
        self._refused[name] = frozenset(job.raw for job, done in zip(promotions, moved, strict=True) if not done)
        if unusable:
            self._store.sets.transfer(name, "dead", unusable)
        return len(due)

    def _promotion(self, name: SetName, raw: bytes) -> Promotion:
        payload = Payload.decode(raw)
        if raw in self._refused.get(name, ()):
            raise MalformedPayload(f"the key of its queue {payload.queue[:80]!r} is no list")
        fields: dict[str, object] = {"enqueued_at": clock.now()}
        if "at" in payload.document:
            fields["at"] = ABSENT
        return Promotion(raw, payload.queue, wire.outgoing(payload.evolve(**fields)).encode())
