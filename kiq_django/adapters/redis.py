"""The real thing: jobs lie in Redis until a worker fetches them."""

from collections.abc import Callable, Sequence

from kiq_django import clock, store
from kiq_django.adapters.base import Adapter
from kiq_django.payload import ABSENT, RESULT, TASK, Payload
from kiq_django.store.queues import Entry, Keeping
from kiq_django.store.tasks import TaskEntry


class RedisAdapter(Adapter):
    """One round trip a push, however many payloads and queues; tasks of `django.tasks` take one of their own."""

    persistent = True
    schedules = True
    bulk = True
    takes_written = True

    def push(self, payloads: Sequence[Payload]) -> None:
        room = store.get()
        if tasks := [payload for payload in payloads if TASK in payload.document]:
            room.tasks.enter([_task_entry(payload) for payload in tasks])
            payloads = [payload for payload in payloads if TASK not in payload.document]
        room.queues.push([_entry(payload) for payload in payloads])

    async def apush(self, payloads: Sequence[Payload]) -> None:
        room = store.get()
        if tasks := [payload for payload in payloads if TASK in payload.document]:
            await room.tasks.aenter([_task_entry(payload) for payload in tasks])
            payloads = [payload for payload in payloads if TASK not in payload.document]
        await room.queues.apush([_entry(payload) for payload in payloads])

    def launch(self, queue: str, written: Sequence[bytes]) -> Callable[[], None]:
        return store.get().queues.launch(queue, written)

    def push_with_care(self, payloads: Sequence[Payload], *, once: bool = False, replicas: int = 0) -> Sequence[bool]:
        deliveries = store.get().deliveries
        jobs = [(_task_entry if TASK in payload.document else _entry)(payload) for payload in payloads]
        if once:
            return deliveries.push_once([payload.jid for payload in payloads], jobs, replicas)
        deliveries.push(jobs, replicas)
        return [True] * len(payloads)

    def waiting(self, queue: str) -> int:
        return store.get().queues.sizes([queue])[queue]

    def forget(self, jids: Sequence[str]) -> None:
        store.get().deliveries.forget(jids)


def _task_entry(payload: Payload) -> TaskEntry:
    """It is pushed in the same step as its record is made."""
    told = payload.document[TASK]
    priority = told.get("priority") if isinstance(told, dict) else None  # Redis may hold anything
    return TaskEntry(_entry(payload), payload.jid, priority if type(priority) is int else 0)


def _entry(payload: Payload) -> Entry:
    """The time of a scheduled job is its score. A stored `at` would send it back to the schedule when due."""
    at = payload.at if "at" in payload.document else None
    kept = _keeping(payload, at) if RESULT in payload.document else None
    if at is None:
        return Entry(payload.queue, payload.encode(), None, kept)
    return Entry(payload.queue, payload.evolve(at=ABSENT).encode(), at, kept)


def _keeping(payload: Payload, at: float | None) -> Keeping | None:
    """A task of `django.tasks` has a record anyway."""
    if TASK in payload.document:
        return None
    delay = 0.0 if at is None else max(0.0, at - clock.now())
    return Keeping(payload.jid, payload.document[RESULT], delay)
