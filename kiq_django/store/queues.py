"""Lists of waiting jobs: push, look, pause, clear."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kiq_django.store.alink import AsyncLink
from kiq_django.store.flight import Land
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link

WAITING = 30 * 86_400
"""Seconds that the record of a job is kept, from when it is due on, which does not end."""


class Keeping(NamedTuple):
    """What a job on its way in says of its result."""

    jid: str
    seconds: int
    delay: float
    """Seconds until the job is due."""


class Entry(NamedTuple):
    """A job on its way in."""

    queue: str
    raw: bytes
    at: float | None = None
    """Epoch seconds when it is to run; None is now."""
    kept: Keeping | None = None
    """Of a job whose result is kept."""


class State(NamedTuple):
    """One queue at one moment."""

    name: str
    size: int
    oldest: bytes | None
    """The payload that will be fetched next."""
    paused: bool
    note: dict[str, Any]
    """Who paused it, when and why; empty when another program did."""
    suspects: int = 0
    """Jobs that wait to be let out one at a time, see `store/suspects.py`."""


class Queues:
    """All queues of one Redis."""

    def __init__(self, link: Link, keys: Keys, alink: AsyncLink) -> None:
        self._link = link
        self._alink = alink
        self._keys = keys

    def push(self, entries: Sequence[Entry]) -> None:
        """Push jobs in one round trip: SADD and LPUSH per queue, ZADD for the scheduled, as Sidekiq does.

        Raises:
            StoreRefused: Redis is full, read-only or the like. Of several queues the earlier may be pushed.
            StoreUnavailable: Redis is away. Whether it pushed before it went is unknown: nothing is sent twice.
        """
        if commands := self.pushing(entries):
            self._link.send(commands)

    def launch(self, queue: str, payloads: Sequence[bytes]) -> Land:
        """`push` of many to one queue, which has happened once what this returns was called."""
        keys = self._keys
        return self._link.launch([("SADD", keys.queues(), queue), ("LPUSH", keys.queue(queue), *payloads)])

    async def apush(self, entries: Sequence[Entry]) -> None:
        """`push` from an event loop."""
        if commands := self.pushing(entries):
            await self._alink.send(commands)

    def pushing(self, entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
        """The commands that push jobs."""
        keys = self._keys
        waiting: dict[str, list[bytes]] = {}
        scheduled: dict[str, list[float | bytes]] = {}
        for queue, raw, at, _ in entries:
            if at is None:
                waiting.setdefault(queue, []).append(raw)
            else:
                scheduled.setdefault(keys.job_set("schedule", queue), []).extend((at, raw))
        commands = self.beginning(entries)
        for queue, payloads in waiting.items():
            commands.append(("SADD", keys.queues(), queue))
            commands.append(("LPUSH", keys.queue(queue), *payloads))
        for key, pairs in scheduled.items():
            commands.append(("ZADD", key, *pairs))
        return commands

    def beginning(self, entries: Iterable[Entry]) -> list[tuple[Any, ...]]:
        """The commands that begin the records of jobs whose result is kept; they go before the push."""
        commands: list[tuple[Any, ...]] = []
        for entry in entries:
            if entry.kept is not None:
                jid, seconds, delay = entry.kept
                key = self._keys.job(entry.queue, jid)
                commands += [("HSET", key, "kept", seconds), ("EXPIRE", key, int(WAITING + delay))]
        return commands

    def names(self) -> list[str]:
        """Names of all queues, sorted."""
        return _names(self._link.call("SMEMBERS", self._keys.queues()))

    def sizes(self, queues: Iterable[str]) -> dict[str, int]:
        """How many jobs wait in each."""
        names = list(queues)
        pipe = self._link.pipeline()
        for name in names:
            pipe.llen(self._keys.queue(name))
        return dict(zip(names, self._link.execute(pipe), strict=True))

    def oldest(self, queues: Iterable[str]) -> dict[str, bytes | None]:
        """The payload of each that will be fetched next."""
        names = list(queues)
        pipe = self._link.pipeline()
        for name in names:
            pipe.lindex(self._keys.queue(name), -1)
        return dict(zip(names, self._link.execute(pipe), strict=True))

    def page(self, queue: str, offset: int, limit: int, *, oldest_first: bool = True) -> list[bytes]:
        """`limit` payloads from `offset`, in the order in which they run, or the other way round."""
        if oldest_first:
            found = self._link.call("LRANGE", self._keys.queue(queue), -offset - limit, -offset - 1)
            return list(reversed(found))
        return list(self._link.call("LRANGE", self._keys.queue(queue), offset, offset + limit - 1))

    def remove(self, queue: str, raw: bytes) -> bool:
        """Take one payload out of a queue. False when it is no longer there."""
        return bool(self._link.call("LREM", self._keys.queue(queue), -1, raw))

    def clear(self, queue: str) -> int:
        """Delete a queue and all jobs that wait in it. Returns how many there were."""
        names = [self._keys.queue(queue), self._keys.queues(), self._keys.suspects(queue)]
        return int(self._link.script("clear", names, [queue]))

    def pause(self, queue: str, note: Mapping[str, Any]) -> None:
        """Stop every worker from fetching from a queue; `note` says who, when and why."""
        pipe = self._link.pipeline(atomic=True)
        pipe.sadd(self._keys.paused(queue), queue)
        pipe.hset(self._keys.pause_notes(), queue, json.dumps(note, ensure_ascii=False))
        self._link.execute(pipe)

    def resume(self, queue: str) -> bool:
        """Undo `pause`. False when the queue was not paused."""
        pipe = self._link.pipeline(atomic=True)
        pipe.srem(self._keys.paused(queue), queue)
        pipe.hdel(self._keys.pause_notes(), queue)
        return bool(self._link.execute(pipe)[0])

    def paused(self) -> dict[str, dict[str, Any]]:
        """Paused queues and the note of each; a queue that another program paused has an empty note."""
        pipe = self._link.pipeline()
        pipe.smembers(self._keys.paused(""))
        pipe.hgetall(self._keys.pause_notes())
        members, notes = self._link.execute(pipe)
        return {name.decode(errors="replace"): _note(notes.get(name)) for name in sorted(members)}

    def states(self, queues: Iterable[str]) -> list[State]:
        """What is to know of each queue, in one round trip."""
        names, pipe = list(queues), self._link.pipeline()
        for name in names:
            pipe.llen(self._keys.queue(name))
            pipe.lindex(self._keys.queue(name), -1)
            pipe.sismember(self._keys.paused(name), name)
            pipe.hget(self._keys.pause_notes(), name)
            pipe.llen(self._keys.suspects(name))
        replies = iter(self._link.execute(pipe))
        found = zip(names, *[replies] * 5, strict=True)
        return [
            State(name, size, oldest, bool(paused), _note(note), n) for name, size, oldest, paused, note, n in found
        ]

    def move(self, queue: str, to: str, limit: int) -> int:
        """Move the jobs that come next to the back of another queue, in order. Returns how many there were."""
        pipe = self._link.pipeline(atomic=True)
        pipe.sadd(self._keys.queues(), to)
        for _ in range(limit):
            pipe.lmove(self._keys.queue(queue), self._keys.queue(to), "RIGHT", "LEFT")
        return sum(moved is not None for moved in self._link.execute(pipe)[1:])


def _names(members: Iterable[bytes]) -> list[str]:
    return sorted(member.decode(errors="replace") for member in members)


def _note(text: bytes | None) -> dict[str, Any]:
    try:
        note = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}
