"""What a diagnosis looks at: all queues, sets and processes, in as many round trips for a thousand as for one."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kiq_django.store.keys import SET_NAMES, Keys, SetName
from kiq_django.store.link import Link
from kiq_django.store.processes import EXPIRY
from kiq_django.store.queues import _note

FARTHEST: Final = 100_000
"""Jobs before a job that are counted: the server looks at each of them, while everybody else waits."""


class Names(NamedTuple):
    """What there is."""

    queues: list[str]
    """Every queue that a job was ever pushed to, and every paused one, by name."""
    processes: list[str]
    """Identities of all that are listed, alive or not."""
    paused: dict[str, dict[str, Any]]
    """Paused queues, each with its note; empty when another program paused it."""
    sizes: dict[SetName, int]
    """Jobs in each set."""
    first: dict[SetName, float | None]
    """The lowest score of each set: when the next job is due, or died; None for an empty one."""


class Lines(NamedTuple):
    """What waits, and for how long each process has been silent."""

    sizes: dict[str, int]
    next: dict[str, bytes]
    """The payload that will be fetched next, of those queues that were to be looked into and are not empty."""
    silence: dict[str, float | None]
    """Seconds by the server's clock since the last beat of each process; None when its key is gone or stays."""
    now: float
    """Epoch seconds by the server's clock."""
    suspects: dict[str, int]
    """Jobs that wait to run one at a time, of those queues that were to be looked into and have some."""


class Position(NamedTuple):
    """Where a job is in its queue."""

    ahead: int | None
    """Jobs that come before it; None when it is not among the next `FARTHEST`, or gone."""
    size: int
    """Jobs in the queue."""


class Glance:
    """Looks at one Redis."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def names(self) -> Names:
        """Everything that has a name, in one round trip."""
        replies = iter(
            self._link.send(
                [
                    ("SMEMBERS", self._keys.queues()),
                    ("SMEMBERS", self._keys.processes()),
                    ("SMEMBERS", self._keys.paused("")),
                    ("HGETALL", self._keys.pause_notes()),
                    *(("ZCARD", self._keys.job_set(name)) for name in SET_NAMES),
                    *(("ZRANGE", self._keys.job_set(name), 0, 0, "WITHSCORES") for name in SET_NAMES),
                ]
            )
        )
        queues, processes, closed = (_texts(next(replies)) for _ in range(3))
        notes = _notes(next(replies))
        return Names(
            queues=sorted({*queues, *closed}),
            processes=sorted(processes),
            paused={name: _note(notes.get(name)) for name in closed},
            sizes={name: int(next(replies)) for name in SET_NAMES},
            first={name: _score(next(replies)) for name in SET_NAMES},
        )

    def lines(self, queues: Sequence[str], processes: Sequence[str], looked_into: Collection[str]) -> Lines:
        """Sizes of queues, the next job of those looked into, the last beat of each process, in one round trip."""
        looked_into = [queue for queue in queues if queue in looked_into]
        replies = iter(
            self._link.send(
                [
                    ("TIME",),
                    *(("PTTL", self._keys.process(identity)) for identity in processes),
                    *(("LLEN", self._keys.queue(queue)) for queue in queues),
                    *(("LINDEX", self._keys.queue(queue), -1) for queue in looked_into),
                    *(("LLEN", self._keys.suspects(queue)) for queue in looked_into),
                ]
            )
        )
        seconds, microseconds = next(replies)
        silence = {identity: _silence(int(next(replies))) for identity in processes}
        sizes = {queue: int(next(replies)) for queue in queues}
        found = {queue: next(replies) for queue in looked_into}
        oldest = {queue: raw for queue, raw in found.items() if raw is not None}
        held = {queue: int(next(replies)) for queue in looked_into}
        suspects = {queue: size for queue, size in held.items() if size}
        return Lines(sizes, oldest, silence, int(seconds) + int(microseconds) / 1e6, suspects)

    def position(self, queue: str, raw: bytes) -> Position:
        """Where a job is, in one round trip. It counts from the end that is fetched."""
        key = self._keys.queue(queue)
        pipe = self._link.pipeline(atomic=True)
        pipe.llen(key)
        pipe.execute_command("LPOS", key, raw, "RANK", -1, "MAXLEN", FARTHEST)
        size, index = self._link.execute(pipe)
        return Position(None if index is None else size - 1 - index, size)


def _texts(members: Sequence[bytes]) -> list[str]:
    return [member.decode(errors="replace") for member in members]


def _notes(flat: Sequence[bytes]) -> Mapping[str, bytes]:
    pairs: Iterator[Any] = iter(flat)
    return {name.decode(errors="replace"): note for name, note in zip(pairs, pairs, strict=True)}


def _score(found: Sequence[bytes]) -> float | None:
    return float(found[1]) if found else None


def _silence(expires: int) -> float | None:
    """Every beat has the key expire `EXPIRY` seconds later, so what is left of that tells when it was."""
    return max(0.0, EXPIRY - expires / 1000) if expires >= 0 else None
