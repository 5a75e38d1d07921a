"""The registry of worker processes, in the form that Sidekiq's Web and API read."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from kiq_django.store.keys import Keys
from kiq_django.store.link import Link

Signal = Literal["TSTP", "TERM", "TTIN"]
EXPIRY = 60
"""Seconds after its last beat that a process is forgotten; Sidekiq's figure."""


class Found(NamedTuple):
    """What Redis holds of one process."""

    identity: str
    fields: dict[str, str]
    work: dict[str, bytes]


class Processes:
    """All worker processes of one Redis."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def beat(self, identity: str, fields: Mapping[str, str], work: Mapping[str, bytes]) -> str | None:
        """Say that a process lives and what it runs. Returns a signal that was left for it, if any."""
        keys = self._keys
        names = [keys.processes(), keys.process(identity), keys.work(identity), keys.workers(identity)]
        args: list[Any] = [identity, EXPIRY, 2 * len(fields)]
        for pair in (*fields.items(), *work.items()):
            args += pair
        signal: bytes | None = self._link.script("beat", [*names, keys.signals(identity)], args)
        return signal.decode() if signal else None

    def ping(self) -> int:
        """Microseconds of a round trip."""
        started = time.perf_counter()
        self._link.call("PING")
        return int((time.perf_counter() - started) * 1_000_000)

    def leave(self, identity: str) -> None:
        """Take a process off the list, and what it ran. No beat of it is heard any more."""
        keys = self._keys
        names = [keys.processes(), keys.process(identity), keys.work(identity), keys.workers(identity)]
        self._link.script("leave", names, [identity, EXPIRY])

    def identities(self) -> list[str]:
        """All that are listed, alive or not."""
        members = self._link.call("SMEMBERS", self._keys.processes())
        return sorted(identity.decode(errors="replace") for identity in members)

    def count(self) -> int:
        """How many are listed."""
        return int(self._link.call("SCARD", self._keys.processes()))

    def read(self, identities: Sequence[str]) -> list[Found]:
        """What is known of each that lives, in one round trip; a name that stands for another key is no process."""
        pipe = self._link.pipeline()
        for identity in identities:
            pipe.hgetall(self._keys.process(identity))
            pipe.hgetall(self._keys.work(identity))
            pipe.hgetall(self._keys.workers(identity))
        replies = self._link.execute(pipe, tolerant=True)
        found = [
            Found(identity, _texts(fields or {}), _keyed(work or workers or {}))
            for identity, fields, work, workers in zip(
                identities, replies[::3], replies[1::3], replies[2::3], strict=True
            )
        ]
        return [process for process in found if process.fields.get("info")]

    def prune(self) -> int:
        """Take names off the list of processes that stopped beating, or that are the key of something else.

        Returns how many; at most one caller a minute works.
        """
        if not self._link.call("SET", self._keys.cleanup_guard(), "1", "NX", "EX", EXPIRY):
            return 0
        listed = self.identities()
        pipe = self._link.pipeline()
        for identity in listed:
            pipe.hexists(self._keys.process(identity), "info")
        gone = [i for i, alive in zip(listed, self._link.execute(pipe, tolerant=True), strict=True) if not alive]
        return int(self._link.call("SREM", self._keys.processes(), *gone)) if gone else 0

    def signal(self, identities: Iterable[str], signal: Signal) -> None:
        """Leave a signal; a process takes one at each of its beats."""
        pipe = self._link.pipeline(atomic=True)
        for identity in identities:
            pipe.lpush(self._keys.signals(identity), signal)
            pipe.expire(self._keys.signals(identity), EXPIRY)
        self._link.execute(pipe)


def _texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, value in fields.items()}


def _keyed(fields: Mapping[bytes, bytes]) -> dict[str, bytes]:
    return {key.decode(errors="replace"): value for key, value in fields.items()}
