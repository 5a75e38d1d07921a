"""Tasks of `django.tasks`: pushed together with a record, which holds their result in the end.

Fields of `kiq:job:<jid>` beside those of `store/records.py`:

| field | holds |
| --- | --- |
| `task` | the payload as it was first pushed |
| `running` | JSON: the run that is under way (`started_at`, `worker`); empty after it |
| `result` | JSON: what the task returned; empty when its last run failed |
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

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
    """The tasks of one Redis. Their ends come with a settle, see `Working.turn`."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def enter(self, tasks: Sequence[TaskEntry]) -> None:
        """Push tasks, each in one step with its record, in one round trip.

        Raises:
            StoreRefused: Redis is full, read-only or the like. Of several the earlier may be pushed.
            StoreUnavailable: Redis is away. Whether it pushed before it went is unknown: nothing is sent twice.
        """
        keys, commands = self._keys, []
        for (queue, raw, at), jid, priority in tasks:
            names = [keys.queues(), keys.queue(queue), keys.job_set("schedule", queue), keys.job(queue, jid)]
            args = [queue, raw, priority, "" if at is None else at, WAITING, REACH]
            commands.append(self._link.prepare("enter", names, args))
        self._link.run(commands)

    def begin(self, jid: str, payload: bytes, started_at: float, worker: str) -> TaskRecord:
        """Note that a run has begun, in one round trip.

        Args:
            payload: what runs, in case that the record is gone.
            started_at: epoch seconds.
            worker: identity of the process.

        Returns:
            What was known before, with this run.
        """
        key, pipe = self._keys.job("", jid), self._link.pipeline()
        pipe.hset(key, "running", json.dumps({"started_at": started_at, "worker": worker}))
        pipe.hsetnx(key, "task", payload)
        pipe.expire(key, WAITING)
        pipe.hgetall(key)
        return _task_record(jid, self._link.execute(pipe)[-1])

    def read(self, jid: str) -> TaskRecord | None:
        """What is stored of a task, in one round trip. None when there is none of this id."""
        found = self._link.call("HGETALL", self._keys.job("", jid))
        return _task_record(jid, found) if found.get(b"task") else None

    def lives(self, worker: str) -> bool:
        """Whether a worker process has been heard of within the last minute, and has not left."""
        return bool(self._link.call("EXISTS", self._keys.process(worker)))


def _task_record(jid: str, found: Mapping[bytes, bytes]) -> TaskRecord:
    named = {name.decode("utf-8", "replace"): value for name, value in found.items()}
    return TaskRecord(
        payload=named.get("task", b""),
        running=named.get("running", b""),
        result=named.get("result", b""),
        record=read_hash(jid, named),
    )
