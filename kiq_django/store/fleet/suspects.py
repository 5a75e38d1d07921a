"""Suspects of several islands: one at a time on each."""

from collections.abc import Iterator, Sequence

from kiq_django.store.fleet.atlas import Atlas
from kiq_django.store.island import Store
from kiq_django.store.suspects import Suspects


class FleetSuspects(Suspects):
    """Each list keeps its own where it lies."""

    def __init__(self, atlas: Atlas) -> None:
        self._atlas = atlas

    def isolate(
        self, queue: str, owner: str, jobs: Sequence[tuple[bytes, str]], window: int, *, force: bool = False
    ) -> int:
        return self._atlas.island(queue).suspects.isolate(queue, owner, jobs, window, force=force)

    def sizes(self, queues: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for island, names in self._by_island(queues):
            found.update(island.suspects.sizes(names))
        return found

    def held(self, queues: Sequence[str]) -> list[tuple[str, bytes]]:
        return [pair for island, names in self._by_island(queues) for pair in island.suspects.held(names)]

    def let_out(self, queues: Sequence[str]) -> str:
        found = [island.suspects.let_out(names) for island, names in self._by_island(queues)]
        return next(filter(None, found), "")

    def _by_island(self, queues: Sequence[str]) -> Iterator[tuple[Store, list[str]]]:
        """A queue with partitions is all its lists; a list is itself."""
        found: dict[int, tuple[Store, dict[str, None]]] = {}
        for queue in queues:
            for part in self._atlas.parts(queue):
                found.setdefault(id(part.island), (part.island, {}))[1][part.name] = None
        for island, names in found.values():
            yield island, list(names)
