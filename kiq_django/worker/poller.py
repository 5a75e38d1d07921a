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
    twice. What cannot be read goes to the dead set as it is.
    """

    def __init__(self, store: Store, average: float) -> None:
        super().__init__("poller")
        self._store = store
        self._average = average
        self._processes = 1

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
        unreadable: list[Transfer] = []
        for raw in due:
            try:
                promotions.append(_promotion(raw))
            except (MalformedPayload, PayloadError) as error:
                logger.warning("A job of the %s set cannot be read and goes to the dead set: %s", name, error)
                unreadable.append(Transfer(raw, raw))
        if promotions:
            self._store.sets.promote(name, promotions)
        if unreadable:
            self._store.sets.transfer(name, "dead", unreadable)
        return len(due)


def _promotion(raw: bytes) -> Promotion:
    payload = Payload.decode(raw)
    fields: dict[str, object] = {"enqueued_at": clock.now()}
    if "at" in payload.document:
        fields["at"] = ABSENT
    return Promotion(raw, payload.queue, wire.outgoing(payload.evolve(**fields)).encode())
