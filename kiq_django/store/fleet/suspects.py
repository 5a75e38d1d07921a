"""Suspects of several islands: one at a time over those that a reaper looks after."""

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress

from kiq_django.exceptions import StoreError
from kiq_django.store.fleet.atlas import Atlas
from kiq_django.store.fleet.server import Server
from kiq_django.store.island import Store
from kiq_django.store.suspects import Suspects

TURN = 10.0
"""Seconds within which whoever lets one out is done with it."""


class FleetSuspects(Suspects):
    """Each list keeps its own where it lies.

    That one is out on some island is seen before another is let out on the next, not in one step with it. So one reaper
    of a server does it at a time. Several servers know nothing of each other: each may have one out.
    """

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        self._atlas = atlas
        self._servers = servers

    def isolate(
        self, queue: str, owner: str, jobs: Sequence[tuple[bytes, str]], window: int, *, force: bool = False
    ) -> int:
        return self._atlas.island(queue).suspects.isolate(queue, owner, jobs, window, force=force)

    def sizes(self, queues: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for island, names in self._by_island(queues):
            found.update(island.suspects.sizes(names))
        parts = {queue: [part.name for part in self._atlas.parts(queue)] for queue in queues}
        sizes = {queue: sum(found.get(name, 0) for name in names) for queue, names in parts.items()}
        return {queue: size for queue, size in sizes.items() if size}

    def held(self, queues: Sequence[str]) -> list[tuple[str, bytes]]:
        found = [pair for island, names in self._by_island(queues) for pair in island.suspects.held(names)]
        return [(self._atlas.whole(name), raw) for name, raw in found]

    def let_out(self, queues: Sequence[str]) -> str:
        places = list(self._by_island(queues))
        having = [(island, names) for island, names in places if island.suspects.sizes(names)]
        if not having or not self._begin():
            return ""
        try:
            if any(island.suspects.is_out() for island, _ in places):
                return ""
            random.shuffle(having)
            return next(filter(None, (island.suspects.let_out(names) for island, names in having)), "")
        finally:
            self._end()

    def is_out(self) -> bool:
        return any(island.suspects.is_out() for island in self._atlas.islands(self._servers))

    def _begin(self) -> bool:
        """Whether it is our turn; for `TURN` seconds it is nobody else's."""
        home = self._servers[0].home
        return bool(home.link.call("SET", home.keys.suspect_turn(), "1", "NX", "PX", int(TURN * 1000)))

    def _end(self) -> None:
        home = self._servers[0].home
        with suppress(StoreError):  # it ends by itself
            home.link.call("DEL", home.keys.suspect_turn())

    def _by_island(self, queues: Sequence[str]) -> Iterator[tuple[Store, list[str]]]:
        """A queue with partitions is all its lists; a list is itself."""
        found: dict[int, tuple[Store, dict[str, None]]] = {}
        for queue in queues:
            for part in self._atlas.parts(queue):
                found.setdefault(id(part.island), (part.island, {}))[1][part.name] = None
        for island, names in found.values():
            yield island, list(names)
