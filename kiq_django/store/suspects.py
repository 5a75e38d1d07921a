"""Jobs that were twice in the hands of a worker that died. One of them at a time may run.

A job that kills its worker does so beside others. All that were in flight are counted as recovered, and the third
time ends a job as poison. So those that are one recovery short of it never run together: when a worker dies with one of
them, it is the only one there for which that is the third time, and nobody is buried in its place.
"""

import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from kiq_django.store.keys import Keys, name_of, spelled
from kiq_django.store.link import Link

RECOVERIES_THAT_ISOLATE: Final = 2
LONGEST: Final = 600
"""Seconds for which the others wait for the one that is out: it may be just a long job."""
LET_OUT, NONE_IS_OUT = 1, 2
"""Answers of the script; else one is out, or may be."""
REACH: Final = 1_000
"""How far from the front of its queue, and the oldest of a worker, the one that is out is looked for."""


class Suspects:
    """Those of one Redis."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def isolate(
        self, queue: str, owner: str, jobs: Sequence[tuple[bytes, str]], window: int, *, force: bool = False
    ) -> int:
        """Set apart what becomes suspect by the death of its owner. Returns how many jobs that were.

        Args:
            jobs: payload and jid, the newest first.
            window: seconds for which recoveries count.
            force: the process is known to be gone, whatever the lease says.
        """
        keys = self._keys
        names = [keys.owners(queue), keys.working(queue, owner), keys.suspects(queue)]
        names += [keys.recovered(queue, jid) for _, jid in jobs]
        args = [spelled(owner), "force" if force else "", RECOVERIES_THAT_ISOLATE, window, *(raw for raw, _ in jobs)]
        answer: bytes = self._link.script("isolate", [*map(spelled, names)], args)
        return answer.count(b"1")

    def sizes(self, queues: Sequence[str]) -> dict[str, int]:
        """How many wait, of each queue that has some."""
        found = self._link.send([("LLEN", spelled(self._keys.suspects(queue))) for queue in queues], tolerant=True)
        return {queue: size for queue, size in zip(queues, found, strict=True) if size}

    def held(self, queues: Sequence[str]) -> list[tuple[str, bytes]]:
        """Queue and payload of all, each queue's next one first."""
        lists = self._link.send([("LRANGE", spelled(self._keys.suspects(queue)), 0, -1) for queue in queues])
        return [(queue, raw) for queue, raws in zip(queues, lists, strict=True) for raw in reversed(raws)]

    def let_out(self, queues: Sequence[str]) -> str:
        """Let the next one out when none is out. One round trip where there are none, three to find out whether one is.

        Returns:
            The queue of the one that was let out; empty when none was.
        """
        having = list(self.sizes(queues)) if queues else []
        if not having:
            return ""
        out = self._out()
        random.shuffle(having)
        return next((queue for queue in having if self._try(queue, out) == LET_OUT), "")

    def is_out(self) -> bool:
        """Whether one that was let out waits or runs, or may do so, as things are now."""
        return self._try("", self._out()) != NONE_IS_OUT

    def _try(self, queue: str, out: "Out") -> int:
        keys = self._keys
        names = [keys.suspect_out(), keys.suspects(queue), keys.queue(queue), keys.paused(queue)]
        places = [keys.queue(out.queue), *(keys.working(out.queue, owner) for owner in out.owners)] if out.raw else []
        names += [keys.owners(out.queue), *places]
        args = [spelled(queue), LONGEST, out.raw, REACH, *map(spelled, out.owners)]
        return int(self._link.script("let_out", [*map(spelled, names)], args))

    def _out(self) -> "Out":
        queue, raw = self._link.call("HMGET", self._keys.suspect_out(), "queue", "raw")
        if raw is None:
            return Out()
        name = name_of(queue)
        owners = self._link.call("ZRANGE", spelled(self._keys.owners(name)), 0, -1)
        return Out(raw, name, [name_of(owner) for owner in owners])


class Out(NamedTuple):
    """The one that was let out, and with whom it may be; nothing when none is."""

    raw: bytes = b""
    queue: str = ""
    owners: Sequence[str] = ()
