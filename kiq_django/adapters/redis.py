"""The real thing: jobs lie in Redis until a worker fetches them."""

from collections.abc import Sequence

from kiq_django import store
from kiq_django.adapters.base import Adapter
from kiq_django.payload import ABSENT, Payload
from kiq_django.store.queues import Entry


class RedisAdapter(Adapter):
    """One round trip a push, however many payloads and queues."""

    persistent = True
    schedules = True
    bulk = True

    def push(self, payloads: Sequence[Payload]) -> None:
        store.get().queues.push([_entry(payload) for payload in payloads])


def _entry(payload: Payload) -> Entry:
    """The time of a scheduled job is its score. A stored `at` would send it back to the schedule when due."""
    at = payload.at
    if at is None:
        return Entry(payload.queue, payload.encode())
    return Entry(payload.queue, payload.evolve(at=ABSENT).encode(), at)
