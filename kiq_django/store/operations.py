"""Operations: what is to be done with many jobs, by one runner after the other, in chunks that are all or nothing.

A runner holds a lease, which every chunk prolongs. What a chunk moves, what came of that and how far the operation
is are one script: whoever is killed between two chunks leaves nothing half done, and who has lost the lease, or was
cancelled, does nothing more.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from kiq_django.store.keys import Keys, SetName
from kiq_django.store.link import Link
from kiq_django.store.sets import Promotion, Sets, Transfer, flags
from kiq_django.store.walks import ListWalk, SetWalk, Walk

LEASE = 5.0
"""Seconds without a chunk after which another runner may go on."""
KEPT_SECONDS = 7 * 86_400
KEPT = 200
"""Operations that have ended and can still be looked at."""
TAKEN, PUT_BACK = 500, 50
"""Jobs that workers may take from a queue, or put back to its front, between a look at it and the move of what was
found: those that have moved further stay."""
NO_JOB = b"kiq:moved"
"""What stands for an instant, inside of a script, where a job was. A job is a JSON object."""

End = Literal["", "done", "failed"]
Fields = dict[str, str]


class Chunk(NamedTuple):
    """One step of an operation, beside the jobs that it moves."""

    operation: str
    runner: str
    cursor: bytes
    """Where to go on."""
    stride: int
    """Jobs to read at once from now on."""
    looked_at: int = 0
    skipped: int = 0
    lease: float = LEASE
    """Seconds; 0 leaves the operation to others."""
    end: End = ""
    error: str = ""


class Claimed(NamedTuple):
    """An operation, as its runner gets it."""

    fields: Fields
    cursor: bytes


class Stretch(NamedTuple):
    """Where in a queue jobs are that were found there."""

    queue: str
    start: int
    """How many are before them."""
    length: int


class Operations:
    """All operations of one Redis."""

    def __init__(self, link: Link, keys: Keys, sets: Sets) -> None:
        self._link = link
        self._keys = keys
        self._sets = sets

    # -- where they work --------------------------------------------------------------------------

    def set_walk(self, name: SetName, low: float, high: float) -> SetWalk:
        """Over the jobs of a set with a score between two, both included."""
        return SetWalk(self._link, self._keys, name, low, high)

    def list_walk(self, queue: str, most: float) -> ListWalk:
        """Over so many jobs of a queue, those first that come next."""
        return ListWalk(self._link, self._keys, queue, most)

    def measure(self, walk: Walk) -> tuple[float, int]:
        """The server's time, epoch seconds, and how many jobs the walk has before it at that moment."""
        key, *bounds = walk.measured()
        seconds, microseconds, size = self._link.script("measure", [key], bounds)
        return int(seconds) + int(microseconds) / 1_000_000, int(size)

    # -- life and end -----------------------------------------------------------------------------

    def start(self, operation: str, fields: Mapping[str, str], now: float) -> bool:
        """Write down what is to be done; a runner will find it. Those that ended long ago are forgotten.

        False when an operation of this id was started before: a form may be sent twice.
        """
        keys = self._keys
        names = [keys.operation(operation), keys.operations(), keys.open_operations()]
        texts = [text for pair in {"state": "waiting", **fields}.items() for text in pair]
        if not self._link.script("begin", names, [operation, now, *texts]):
            return False
        self._forget(now)
        return True

    def ids(self, limit: int) -> list[str]:
        """The last ones, the newest first."""
        return [each.decode() for each in self._link.call("ZREVRANGE", self._keys.operations(), 0, limit - 1)]

    def open(self) -> list[str]:
        """Those that have not ended. One command, whatever there is."""
        return sorted(each.decode() for each in self._link.call("SMEMBERS", self._keys.open_operations()))

    def read(self, operations: Iterable[str], names: Sequence[str]) -> list[Fields]:
        """So many fields of each, in one round trip; empty for one that is not known any more."""
        pipe = self._link.pipeline()
        asked = list(operations)
        for operation in asked:
            pipe.hmget(self._keys.operation(operation), names)
        replies = self._link.execute(pipe) if asked else []
        return [
            {n: v.decode(errors="replace") for n, v in zip(names, reply, strict=True) if v is not None}
            for reply in replies
        ]

    def cancel(self, operation: str, by: str) -> bool:
        """End it. False when it has ended before, or is not known."""
        keys = [self._keys.operation(operation), self._keys.open_operations()]
        return bool(self._link.script("cancel", keys, [operation, by, KEPT_SECONDS]))

    # -- running ----------------------------------------------------------------------------------

    def claim(self, operation: str, runner: str) -> Claimed | None:
        """Become its runner, for as long as a lease lasts. None when another one is, or it has ended."""
        keys = [self._keys.operation(operation), self._keys.open_operations()]
        reply = self._link.script("claim", keys, [operation, runner, LEASE])
        if not reply:
            return None
        found = dict(zip(reply[::2], reply[1::2], strict=True))
        cursor = found.pop(b"cursor", b"")
        return Claimed({name.decode(): value.decode(errors="replace") for name, value in found.items()}, cursor)

    def note(self, chunk: Chunk) -> list[bool] | None:
        """Nothing was to be moved. As all that follow: None when this is not the runner any more."""
        return self._chunk(chunk, "remove", [], [])

    def promote(self, chunk: Chunk, name: SetName, jobs: Sequence[Promotion]) -> list[bool] | None:
        """Move jobs of a set to the back of their queues; False for those that are gone."""
        return self._chunk(chunk, "promote", *self._sets.promotion(name, jobs))

    def transfer(self, chunk: Chunk, name: SetName, to: SetName, jobs: Sequence[Transfer]) -> list[bool] | None:
        """Move jobs of a set to another, or to another time."""
        return self._chunk(chunk, "transfer", *self._sets.transferral(name, to, jobs))

    def remove(self, chunk: Chunk, name: SetName, raws: Sequence[bytes]) -> list[bool] | None:
        """Delete jobs of a set."""
        return self._chunk(chunk, "remove", [self._keys.job_set(name)], raws)

    def pluck(self, chunk: Chunk, where: Stretch, jobs: Sequence[Transfer], to: SetName | None) -> list[bool] | None:
        """Move jobs of a queue to a set, or delete them."""
        return self._chunk(chunk, "pluck", *self._plucking(where, jobs, *self._goal(to)))

    def divert(self, chunk: Chunk, where: Stretch, jobs: Sequence[Transfer], to: str) -> list[bool] | None:
        """Move jobs of a queue to the back of another."""
        goal = ([self._keys.queue(to), self._keys.queues()], ["list", 0, 0, to])
        return self._chunk(chunk, "pluck", *self._plucking(where, jobs, *goal))

    def plucked(self, where: Stretch, jobs: Sequence[Transfer], to: SetName | None) -> list[bool]:
        """As `pluck`, as a part of something larger that is noted elsewhere."""
        return flags(self._link.script("pluck", *self._plucking(where, jobs, *self._goal(to))))

    def counted(self, chunk: Chunk, moved: Sequence[bool]) -> list[bool] | None:
        """Jobs were moved elsewhere, and are to be counted here."""
        return self._chunk(chunk, "tell", [], ["".join("01"[each] for each in moved)])

    def _goal(self, to: SetName | None) -> tuple[list[str], list[Any]]:
        return (
            [self._keys.job_set(to)] if to else [],
            ["zset" if to else "", *(self._sets.kept(to) if to else (0, 0)), ""],
        )

    def _plucking(
        self, where: Stretch, jobs: Sequence[Transfer], keys: Sequence[str], goal: Sequence[Any]
    ) -> tuple[list[str], list[Any]]:
        before = max(0, where.start - TAKEN)
        args: list[Any] = [before, where.start - before + where.length + PUT_BACK, *goal, NO_JOB]
        for job in jobs:
            args += [job.raw, "" if job.score is None else repr(job.score), job.new]
        return [self._keys.queue(where.queue), *keys], args

    def _chunk(self, chunk: Chunk, move: str, keys: Sequence[str], args: Sequence[Any]) -> list[bool] | None:
        own = [self._keys.operation(chunk.operation), self._keys.open_operations()]
        told: list[Any] = [chunk.operation, chunk.runner, chunk.lease, chunk.looked_at, chunk.skipped, chunk.cursor]
        told += [chunk.stride, chunk.end, chunk.error, KEPT_SECONDS]
        reply = self._link.script(f"chunk/{move}", [*own, *keys], [*told, *args])
        return None if reply is None else flags(reply)

    def _forget(self, now: float) -> None:
        """Ended ones, of which there are too many or which are too old."""
        key = self._keys.operations()
        pipe = self._link.pipeline()
        pipe.zrange(key, 0, -KEPT - 1)
        pipe.zrangebyscore(key, "-inf", now - KEPT_SECONDS)
        pipe.smembers(self._keys.open_operations())
        many, old, unfinished = self._link.execute(pipe)
        gone = {*many, *old} - set(unfinished)
        if gone:
            self._link.call("ZREM", key, *gone)
            self._link.call("UNLINK", *(self._keys.operation(each.decode()) for each in gone))
