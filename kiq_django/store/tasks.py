"""Tasks of `django.tasks`: pushed together with a record, which holds their result in the end.

Fields of `kiq:job:<jid>` beside those of `store/records.py`:

| field | holds |
| --- | --- |
| `task` | the payload as it was first pushed |
| `running` | JSON: the run that is under way (`started_at`, `worker`); empty after it |
| `result` | JSON: what the task returned; empty when its last run failed |
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from kiq_django.store.alink import AsyncLink
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link
from kiq_django.store.queues import Entry
from kiq_django.store.records import Record, read_hash

REACH: Final = 1_000
"""Jobs that a task may pass, or leave before it, on its way to its place by priority."""
WAITING: Final = 30 * 86_400
"""Seconds that the record of a task is kept which does not end."""


class TaskEntry(NamedTuple):
    """A task on its way in."""

    entry: Entry
    jid: str
    priority: int


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What is stored of one task."""

    payload: bytes
    """As it was first pushed."""
    running: bytes
    """JSON of the run that is under way; empty when none is."""
    result: bytes
    """JSON of what it returned; empty when it has not."""
    record: Record | None
    """Its runs that ended; None before the first end."""


class Tasks:
    """The tasks of one Redis. Their ends come with a settle, see `Working.turn`. Each call has its twin for event
    loops."""

    def __init__(self, link: Link, keys: Keys, alink: AsyncLink) -> None:
        self._link = link
        self._alink = alink
        self._keys = keys

    def enter(self, tasks: Sequence[TaskEntry]) -> None:
        """Push tasks, each in one step with its record, in one round trip.

        Raises:
            StoreRefused: Redis is full, read-only or the like. Of several the earlier may be pushed.
            StoreUnavailable: Redis is away. Whether it pushed before it went is unknown: nothing is sent twice.
        """
        self._link.run([self._link.prepare("enter", *entering(self._keys, task)) for task in tasks])

    async def aenter(self, tasks: Sequence[TaskEntry]) -> None:
        """`enter` from an event loop, a round trip each."""
        for task in tasks:
            await self._alink.script("enter", *entering(self._keys, task))

    def begin(self, jid: str, payload: bytes, started_at: float, worker: str) -> TaskRecord:
        """Note that a run has begun, in one round trip.

        Args:
            payload: what runs, in case that the record is gone.
            started_at: epoch seconds.
            worker: identity of the process.

        Returns:
            What was known before, with this run.
        """
        return _task_record(jid, self._link.send(self._beginning(jid, payload, started_at, worker))[-1])

    async def abegin(self, jid: str, payload: bytes, started_at: float, worker: str) -> TaskRecord:
        """`begin` from an event loop."""
        return _task_record(jid, (await self._alink.send(self._beginning(jid, payload, started_at, worker)))[-1])

    def read(self, jid: str) -> TaskRecord | None:
        """What is stored of a task, in one round trip. None when there is none of this id."""
        found = _task_record(jid, self._link.send([("HGETALL", self._keys.job("", jid))])[0])
        return found if found.payload else None

    async def aread(self, jid: str) -> TaskRecord | None:
        """`read` from an event loop."""
        found = _task_record(jid, (await self._alink.send([("HGETALL", self._keys.job("", jid))]))[0])
        return found if found.payload else None

    def lives(self, worker: str) -> bool:
        """Whether a worker process has been heard of within the last minute, and has not left."""
        return bool(self._link.call("EXISTS", self._keys.process(worker)))

    async def alives(self, worker: str) -> bool:
        """`lives` from an event loop."""
        return bool(await self._alink.call("EXISTS", self._keys.process(worker)))

    def _beginning(self, jid: str, payload: bytes, started_at: float, worker: str) -> list[tuple[Any, ...]]:
        key, running = self._keys.job("", jid), json.dumps({"started_at": started_at, "worker": worker})
        return [
            ("HSET", key, "running", running),
            ("HSETNX", key, "task", payload),
            ("EXPIRE", key, WAITING),
            ("HGETALL", key),
        ]


def entering(keys: Keys, task: TaskEntry) -> tuple[list[str], list[Any]]:
    """Keys and arguments of `enter.lua`."""
    (queue, raw, at, _), jid, priority = task
    names = [keys.queues(), keys.queue(queue), keys.job_set("schedule", queue), keys.job(queue, jid)]
    return names, [queue, raw, priority, "" if at is None else at, WAITING, REACH]


def _task_record(jid: str, found: Sequence[bytes]) -> TaskRecord:
    """From the names and values of a hash, in turn."""
    names = (name.decode("utf-8", "replace") for name in found[::2])
    named = dict(zip(names, found[1::2], strict=True))
    return TaskRecord(
        payload=named.get("task", b""),
        running=named.get("running", b""),
        result=named.get("result", b""),
        record=read_hash(jid, named),
    )
