"""The sorted sets: schedule, retry, dead."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from kiq_django import sections
from kiq_django.store.keys import Keys, SetName
from kiq_django.store.link import Link


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

    def due(self, name: SetName, limit: int) -> list[bytes]:
        """Payloads whose time has come by the server's clock, the earliest first."""
        return list(self._link.script("due", [self._keys.job_set(name)], [limit]))

    def promote(self, name: SetName, jobs: Sequence[Promotion]) -> list[bool]:
        """Move jobs to the back of their queues. False for a job that is no longer in the set."""
        return flags(self._link.script("promote", *self.promotion(name, jobs)))

    def promotion(self, name: SetName, jobs: Sequence[Promotion]) -> tuple[list[str], list[Any]]:
        """Keys and arguments of the script that does it."""
        queues = list(dict.fromkeys(job.queue for job in jobs))
        keys = [self._keys.job_set(name), self._keys.queues(), *map(self._keys.queue, queues)]
        args: list[Any] = []
        for job in jobs:
            args += [job.raw, queues.index(job.queue) + 1, job.new, job.queue]
        return keys, args

    def transfer(self, source: SetName, to: SetName, jobs: Sequence[Transfer]) -> list[bool]:
        """Move jobs to another set, or within one to another time. False for a job that is no longer there."""
        return flags(self._link.script("transfer", *self.transferral(source, to, jobs)))

    def transferral(self, source: SetName, to: SetName, jobs: Sequence[Transfer]) -> tuple[list[str], list[Any]]:
        """Keys and arguments of the script that does it."""
        return self._transferral("zset", self._keys.job_set(source), to, jobs)

    def transfer_from_queue(self, queue: str, to: SetName, jobs: Sequence[Transfer]) -> list[bool]:
        """Move waiting jobs to a set. False for a job that is no longer in the queue."""
        return flags(self._link.script("transfer", *self._transferral("list", self._keys.queue(queue), to, jobs)))

    def remove(self, name: SetName, raws: Sequence[bytes]) -> int:
        """Delete payloads by their exact bytes. Returns how many were there."""
        return int(self._link.call("ZREM", self._keys.job_set(name), *raws)) if raws else 0

    def clear(self, name: SetName) -> int:
        """Delete a whole set. Returns how many jobs were in it."""
        pipe = self._link.pipeline(atomic=True)
        pipe.zcard(self._keys.job_set(name))
        pipe.unlink(self._keys.job_set(name))
        return int(self._link.execute(pipe)[0])

    def kept(self, name: SetName) -> tuple[int, float]:
        """How many jobs a set keeps, and for how many seconds; 0 is no limit."""
        return self._dead_limits if name == "dead" else (0, 0)

    def _transferral(
        self, kind: str, source: str, to: SetName, jobs: Sequence[Transfer]
    ) -> tuple[list[str], list[Any]]:
        goal = self._keys.job_set(to)
        args: list[Any] = [kind, *(self.kept(to) if goal != source else (0, 0))]  # nothing is added to it
        for job in jobs:
            args += [job.raw, "" if job.score is None else repr(job.score), job.new]
        return [source, goal], args


def flags(reply: bytes) -> list[bool]:
    """One truth a job, of a script that answers `1` and `0`."""
    return [character == 49 for character in reply]
