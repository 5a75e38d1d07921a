"""Reservation: a job leaves its queue only onto a working list, and leaves that only by a settle.

An *owner* is one fetcher of one process. It holds a lease per queue in `owners`; whoever finds a lease
that has ended takes the jobs of that owner back. A reaped owner can never renew: its process takes a
new name, so a list that nobody looks at cannot come to be.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from kiq_django import sections
from kiq_django.store import records
from kiq_django.store.keys import Keys, name_of, spelled
from kiq_django.store.link import Link
from kiq_django.store.packing import unpacked

Verb = Literal["retry", "bury", "schedule", "requeue", "end"]
"""Where a job goes; `end` is nowhere, as with an acknowledgement."""
RECOVERIES_THAT_KILL = 3
RECOVERY_WINDOW = 72 * 3600
FORGET_AFTER = 86_400
"""Seconds. A blocked fetch of a reaped owner may feed its list until it times out: look there for a day."""


NO_LEASE_LASTS = 1e9
"""Seconds."""


class Move(NamedTuple):
    """What becomes of a reserved job that does not simply end, or whose end is to be remembered."""

    verb: Verb
    raw: bytes
    """As reserved: the job's identity on the working list."""
    delay: float
    """Seconds from the server's now, for `retry` and `schedule`."""
    new: bytes
    """What to write."""
    note: records.Note | None = None
    """What is to be remembered of the run, in the same step."""


@dataclass(slots=True)
class Batch:
    """Finished jobs of one working list."""

    owner: str
    queue: str
    acks: list[bytes] = field(default_factory=list)
    """Payloads that leave for good."""
    moves: list[Move] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer to one round trip of the engine."""

    settled: list[bytes]
    """One a batch: a character per job, the acks first; `0` is a job that was taken back meanwhile."""
    taken: list[tuple[str, bytes]]
    """Queue and payload, the next to run first."""
    seen: Sequence[str]
    """Queues that were looked into: the first ones, until there was no more room."""
    paused: frozenset[str]
    """Which of them are."""
    reaped: bool
    """This owner may take nothing more: it is unknown to the server."""


class Working:
    """The working lists of one Redis, seen by their owners and by the reaper."""

    def __init__(self, link: Link, keys: Keys, limits: sections.Limits) -> None:
        self._link = link
        self._keys = keys
        self._dead_limits = (limits.dead_jobs, limits.dead_seconds)
        self._history_seconds = limits.history_seconds

    def register(self, owner: str, queues: Sequence[str], lease: float) -> None:
        """Announce an owner, before its first fetch."""
        self._lease(owner, queues, lease, "register")

    def renew(self, owner: str, queues: Sequence[str], lease: float) -> bool:
        """Prolong a lease to `lease` seconds from now. False when the owner was reaped meanwhile."""
        return self._lease(owner, queues, lease, "renew")

    def retire(self, owner: str, queues: Sequence[str]) -> int:
        """Leave in good order. Returns how many jobs had to be left behind for the reaper."""
        keys = [key for queue in queues for key in (self._keys.owners(queue), self._keys.working(queue, owner))]
        return int(self._link.script("retire", keys, [owner]))

    def turn(
        self, batches: Sequence[Batch], owner: str, queues: Sequence[str], room: int, *, thorough: bool = False
    ) -> Turn:
        """Settle what finished and reserve what there is room for, in one round trip.

        Args:
            batches: what finished, under the owner that reserved it.
            owner: who reserves now.
            queues: in the order in which to look; empty reserves nothing.
            room: how many jobs at most.
            thorough: look into all queues, also when there is no more room.
        """
        commands = [self.settlement(batch) for batch in batches]
        if queues:
            commands.append(self._reserve(owner, queues, room, thorough=thorough))
        replies = self._link.run(commands)
        return _turn(replies[: len(batches)], queues, replies[-1] if queues else [])

    def held(self, owner: str, queues: Sequence[str]) -> list[tuple[str, bytes]]:
        """Everything on the working lists of an owner, the oldest first."""
        pipe = self._link.pipeline()
        for queue in queues:
            pipe.lrange(self._keys.working(queue, owner), 0, -1)
        replies = self._link.execute(pipe)
        return [(queue, raw) for queue, raws in zip(queues, replies, strict=True) for raw in reversed(raws)]

    def served(self) -> list[str]:
        """Queues that some owner ever took jobs from: where a reaper looks."""
        return sorted(name_of(name) for name in self._link.call("SMEMBERS", self._keys.served()))

    def expired(self, queues: Sequence[str]) -> list[tuple[str, str]]:
        """Queue and owner of every ended lease that needs a hand.

        A reaped owner needs one only while something is on its list, and when it is time to forget it.
        Of a queue whose owners, or whose list, are of another type nothing is found: the others go on.
        """
        return self.leases(queues, NO_LEASE_LASTS)[0]

    def leases(
        self, queues: Sequence[str], too_long: float
    ) -> tuple[list[tuple[str, str]], dict[tuple[str, str], bytes]]:
        """What `expired` finds; and each lease that ends more than `too_long` seconds from now, with its end."""
        args = [FORGET_AFTER, too_long]
        asked = [self._link.prepare("expired", [spelled(self._keys.owners(queue))], args) for queue in queues]
        replies = self._link.run(asked, tolerant=True)
        found = [(queue, *pair) for queue, reply in zip(queues, replies, strict=True) for pair in _pairs(reply or [])]
        adrift = {(queue, owner): flag for queue, owner, flag in found if flag not in (b"0", b"1")}
        ended = [each for each in found if each[:2] not in adrift]
        lists = [("LLEN", spelled(self._keys.working(queue, owner))) for queue, owner, _ in ended]
        lengths = self._link.send(lists, tolerant=True) if ended else []
        return [(q, o) for (q, o, flag), length in zip(ended, lengths, strict=True) if flag == b"1" or length], adrift

    def owners(self, queue: str) -> dict[str, float]:
        """Registered owners of a queue and the end of their leases; negative once reaped."""
        (found,) = self._link.send([("ZRANGE", spelled(self._keys.owners(queue)), 0, -1, "WITHSCORES")])
        return {name_of(owner): float(score) for owner, score in zip(found[::2], found[1::2], strict=True)}

    def left_behind(self, queue: str, owner: str, limit: int) -> list[bytes]:
        """The newest payloads on a working list, the newest first."""
        return list(self._link.call("LRANGE", spelled(self._keys.working(queue, owner)), 0, limit - 1))

    def reclaim(
        self, queue: str, owner: str, jobs: Sequence[tuple[bytes, str, bytes | None]], *, force: bool = False
    ) -> str | None:
        """Take jobs back from an owner whose lease has ended.

        Args:
            jobs: payload, jid and payload for the dead set (None drops the job instead), the newest first;
                no jobs marks the owner as reaped, and forgets it in the end.
            force: its process is known to be gone, whatever the lease says.

        Returns:
            None when the lease is in force, else per job `1` put back to the front of its queue,
            `2` buried, `3` dropped, `0` gone.
        """
        keys = self._keys
        names = [keys.owners(queue), keys.working(queue, owner), keys.queue(queue), keys.job_set("dead", queue)]
        names += [keys.recovered(queue, jid) for _, jid, _ in jobs]
        args: list[Any] = [spelled(owner), "force" if force else "", RECOVERIES_THAT_KILL, RECOVERY_WINDOW]
        args += [*self._dead_limits, FORGET_AFTER]
        for raw, _, dead in jobs:
            args += [raw, "drop", b""] if dead is None else [raw, "bury", dead]
        answer = self._link.script("reclaim", [*map(spelled, names)], args)
        return None if answer == -1 else answer.decode()

    def _lease(self, owner: str, queues: Sequence[str], seconds: float, verb: str) -> bool:
        keys = [self._keys.served(), *map(self._keys.owners, queues)]
        return bool(self._link.script("lease", keys, [owner, seconds, verb, *queues]))

    def settlement(self, batch: Batch) -> tuple[Any, ...]:
        """The command that settles a batch, for `Link.run`."""
        keys, queue = self._keys, batch.queue
        names = [keys.working(queue, batch.owner), keys.queue(queue)]
        names += [keys.job_set("retry", queue), keys.job_set("dead", queue), keys.job_set("schedule", queue)]
        args: list[Any] = [*self._dead_limits, len(batch.acks), *batch.acks]
        for move in batch.moves:
            args += move[:4]
            if move.note is not None and (self._history_seconds or move.note.keep):
                names.append(keys.job(queue, move.note.jid))
                args += records.arguments(move.note, len(names), *self._kept(move))
        return self._link.prepare("settle", names, args)

    def _kept(self, move: Move) -> tuple[int, int]:
        """Seconds to keep the record of a job, at least and at most.

        That of a dead job stays as long as the job itself, of which a full dead set keeps the last ones alone.
        """
        note, most = move.note, self._dead_limits[1]
        least: float = note.keep if note else 0
        if note is None or note.has_failed:
            least = max(self._history_seconds, least)
        if move.verb == "bury":
            return math.ceil(min(least, most)), math.ceil(most)
        seconds = math.ceil(least + min(move.delay, most))
        return seconds, seconds

    def admission(self, owner: str, queue: str) -> Sequence[tuple[Any, ...]]:
        """The commands that ask whether an owner may take jobs from a queue, as `reserve` does; for `is_admitted`."""
        keys = self._keys
        return ("ZSCORE", keys.owners(queue), owner), ("SISMEMBER", keys.paused(queue), queue)

    def _reserve(self, owner: str, queues: Sequence[str], room: int, *, thorough: bool) -> tuple[Any, ...]:
        keys = self._keys
        names: list[str] = []
        for queue in queues:
            names += [keys.queue(queue), keys.working(queue, owner), keys.owners(queue), keys.paused(queue)]
        return self._link.prepare("reserve", names, [owner, room, int(thorough), *queues])


def is_admitted(replies: Sequence[Any]) -> bool:
    """Whether the answers to an `admission` mean yes; what the server refused to tell is a no."""
    lease, is_paused = replies
    return isinstance(lease, bytes) and float(lease) >= 0 and is_paused == 0


def _turn(settled: list[bytes], queues: Sequence[str], reply: Sequence[Sequence[Any]]) -> Turn:
    taken: list[tuple[str, bytes]] = []
    paused: list[str] = []
    reaped = False
    for queue, (state, payloads) in zip(queues, reply, strict=False):
        if payloads:
            taken += [(queue, raw) for raw in unpacked(payloads)]
        if state == 1:
            paused.append(queue)
        elif state != 0:
            reaped = True
    return Turn(settled, taken, queues[: len(reply)], frozenset(paused), reaped)


def _pairs(reply: Sequence[bytes]) -> list[tuple[str, bytes]]:
    return [(name_of(reply[i]), reply[i + 1]) for i in range(0, len(reply), 2)]
