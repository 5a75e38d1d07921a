"""The sorted sets: schedule, retry, dead."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kiq_django import sections
from kiq_django.store.keys import Keys, SetName
from kiq_django.store.link import Link

SCAN_COUNT = 500
"""Members that one step of a walk looks at."""
GLOB = re.compile(rb"[*?\[\]^\\-]")


class Promotion(NamedTuple):
    """A job on its way from a set to its queue."""

    raw: bytes
    """As it stands in the set."""
    queue: str
    new: bytes


class Transfer(NamedTuple):
    """A job on its way to another set, or to another time in the same."""

    raw: bytes
    new: bytes
    score: float | None = None
    """Epoch seconds; None is the server's now."""


class Sets:
    """The three sets of one Redis."""

    def __init__(self, link: Link, keys: Keys, limits: sections.Limits) -> None:
        self._link = link
        self._keys = keys
        self._dead_limits = (limits.dead_jobs, limits.dead_seconds)

    def add(self, name: SetName, raw: bytes, score: float) -> None:
        """Put one payload into a set, whatever is there."""
        self._link.call("ZADD", self._keys.job_set(name), score, raw)

    def count(self, name: SetName) -> int:
        """How many jobs are in a set."""
        return int(self._link.call("ZCARD", self._keys.job_set(name)))

    def page(self, name: SetName, offset: int, limit: int, *, reverse: bool = False) -> list[tuple[bytes, float]]:
        """Payloads with their scores, the lowest score first, or the highest."""
        pipe = self._link.pipeline()
        pipe.zrange(self._keys.job_set(name), offset, offset + limit - 1, desc=reverse, withscores=True)
        return [(raw, float(score)) for raw, score in self._link.execute(pipe)[0]]

    def at_score(self, name: SetName, score: float) -> list[bytes]:
        """Payloads that have exactly this score."""
        return list(self._link.call("ZRANGEBYSCORE", self._keys.job_set(name), repr(score), repr(score)))

    def scan(self, name: SetName, text: str = "") -> Iterator[list[tuple[bytes, float]]]:
        """Walk the whole set in steps, in no order, and yield what contains a text; a step may find nothing.

        Every job that stays during the walk is seen, and may be seen twice; the walk ends although others add jobs.
        """
        pattern = b"*%b*" % _literal(text) if text else None
        cursor = 0
        while True:
            pipe = self._link.pipeline()
            pipe.zscan(self._keys.job_set(name), cursor, match=pattern, count=SCAN_COUNT)
            cursor, found = self._link.execute(pipe)[0]
            yield [(raw, float(score)) for raw, score in found]
            if not cursor:
                return

    def due(self, name: SetName, limit: int) -> list[bytes]:
        """Payloads whose time has come by the server's clock, the earliest first."""
        return list(self._link.script("due", [self._keys.job_set(name)], [limit]))

    def promote(self, name: SetName, jobs: Sequence[Promotion]) -> list[bool]:
        """Move jobs to the back of their queues. False for a job that is no longer in the set."""
        queues = list(dict.fromkeys(job.queue for job in jobs))
        keys = [self._keys.job_set(name), self._keys.queues(), *map(self._keys.queue, queues)]
        args: list[Any] = []
        for job in jobs:
            args += [job.raw, queues.index(job.queue) + 1, job.new, job.queue]
        return _flags(self._link.script("promote", keys, args))

    def transfer(self, source: SetName, to: SetName, jobs: Sequence[Transfer]) -> list[bool]:
        """Move jobs to another set, or within one to another time. False for a job that is no longer there."""
        return self._transfer("zset", self._keys.job_set(source), to, jobs)

    def transfer_from_queue(self, queue: str, to: SetName, jobs: Sequence[Transfer]) -> list[bool]:
        """Move waiting jobs to a set. False for a job that is no longer in the queue."""
        return self._transfer("list", self._keys.queue(queue), to, jobs)

    def remove(self, name: SetName, raws: Sequence[bytes]) -> int:
        """Delete payloads by their exact bytes. Returns how many were there."""
        return int(self._link.call("ZREM", self._keys.job_set(name), *raws)) if raws else 0

    def clear(self, name: SetName) -> int:
        """Delete a whole set. Returns how many jobs were in it."""
        pipe = self._link.pipeline(atomic=True)
        pipe.zcard(self._keys.job_set(name))
        pipe.unlink(self._keys.job_set(name))
        return int(self._link.execute(pipe)[0])

    def _transfer(self, kind: str, source: str, to: SetName, jobs: Sequence[Transfer]) -> list[bool]:
        limits = self._dead_limits if to == "dead" else (0, 0)
        args: list[Any] = [kind, *limits]
        for job in jobs:
            args += [job.raw, "" if job.score is None else repr(job.score), job.new]
        return _flags(self._link.script("transfer", [source, self._keys.job_set(to)], args))


def _literal(text: str) -> bytes:
    """A text as a glob that matches nothing else."""
    return GLOB.sub(rb"\\\g<0>", text.encode(errors="replace"))


def _flags(reply: bytes) -> list[bool]:
    return [character == 49 for character in reply]
