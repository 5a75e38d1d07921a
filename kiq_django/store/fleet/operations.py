"""Operations over several islands: written down at home, done on each island in turn.

What is moved and what is noted of it are two steps here, since no script leads from island to island. A runner that is
killed between them leaves jobs moved and not counted; the next one finds them gone, and goes on.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from kiq_django.store.fleet.atlas import Atlas
from kiq_django.store.fleet.ferry import Cargo, carry
from kiq_django.store.fleet.server import Server
from kiq_django.store.fleet.sets import FleetSets
from kiq_django.store.island import Store
from kiq_django.store.keys import SetName
from kiq_django.store.link import Link
from kiq_django.store.operations import Chunk, Operations, Stretch
from kiq_django.store.sets import Promotion, Transfer
from kiq_django.store.walks import Page, Walk

Moved = list[bool]


class ChainWalk:
    """Several walks, one after the other. A cursor is the number of the walk, and that walk's own."""

    def __init__(self, walks: Sequence[tuple[Link, Walk]]) -> None:
        """`walks` come with the link to where each goes."""
        self._each = walks
        self._walks = [walk for _, walk in walks]
        self._read: tuple[bytes, int, bytes, Page] | None = None

    def measured(self) -> tuple[str, ...]:
        """No one key can tell: see `size`."""
        raise NotImplementedError

    def size(self) -> int:
        """How many jobs all have before them."""
        return sum(self._size(link, *walk.measured()) for link, walk in self._each)

    def _size(self, link: Link, key: str, *bounds: str) -> int:
        return int(link.script("measure", [key], bounds)[2])

    def read(self, cursor: bytes, limit: int) -> Page:
        """The next jobs of the walk that it is at; past those that have ended."""
        number, own = self._parsed(cursor)
        if not self._walks:
            return Page((), is_last=True)
        page = self._walks[number].read(own, limit)
        while page.is_last and not page.found and number + 1 < len(self._walks):
            number, own = number + 1, b""
            page = self._walks[number].read(own, limit)
        self._read = (cursor, number, own, page)
        return page if number + 1 == len(self._walks) else Page(page.found, page.start)

    def after(self, cursor: bytes, page: Page, left: Collection[bytes]) -> bytes:
        """Behind a page that was the last one read."""
        if self._read is None or self._read[0] != cursor:
            return cursor
        _, number, own, found = self._read
        if found.is_last and len(page.found) == len(found.found) and number + 1 < len(self._walks):
            return b"%d:" % (number + 1)
        return b"%d:%b" % (number, self._walks[number].after(own, page, left))

    def _parsed(self, cursor: bytes) -> tuple[int, bytes]:
        number, _, own = cursor.partition(b":")
        place = int(number) if number.isdigit() else 0
        return (place, own) if place < len(self._walks) else (len(self._walks) - 1, b"")


class FleetOperations(Operations):
    """All operations of a fleet."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server], sets: FleetSets) -> None:
        home = servers[0].home
        super().__init__(home.link, home.keys, sets)
        self._atlas = atlas
        self._servers = servers
        self._all_sets = sets

    def set_walk(self, name: SetName, low: float, high: float) -> ChainWalk:  # type: ignore[override]
        islands = self._atlas.islands(self._servers)
        return ChainWalk([(island.link, island.operations.set_walk(name, low, high)) for island in islands])

    def list_walk(self, queue: str, most: float) -> ChainWalk:  # type: ignore[override]
        parts = self._atlas.parts(queue)
        return ChainWalk([(part.island.link, part.island.operations.list_walk(part.name, most)) for part in parts])

    def measure(self, walk: Walk) -> tuple[float, int]:
        if not isinstance(walk, ChainWalk):
            return super().measure(walk)
        ((seconds, microseconds),) = self._link.send([("TIME",)])
        return int(seconds) + int(microseconds) / 1_000_000, walk.size()

    def promote(self, chunk: Chunk, name: SetName, jobs: Sequence[Promotion]) -> Moved | None:
        return self._done(chunk, lambda: self._all_sets.promote(name, jobs))

    def transfer(self, chunk: Chunk, name: SetName, to: SetName, jobs: Sequence[Transfer]) -> Moved | None:
        return self._done(chunk, lambda: self._all_sets.transfer(name, to, jobs))

    def remove(self, chunk: Chunk, name: SetName, raws: Sequence[bytes]) -> Moved | None:
        return self._done(chunk, lambda: [self._all_sets.remove(name, [raw]) > 0 for raw in raws])

    def pluck(self, chunk: Chunk, where: Stretch, jobs: Sequence[Transfer], to: SetName | None) -> Moved | None:
        def move(island: Store, there: Stretch, some: Sequence[Transfer]) -> Moved:
            return island.operations.plucked(there, some, to)

        return self._done(chunk, lambda: self._on_lists(where, jobs, move))

    def divert(self, chunk: Chunk, where: Stretch, jobs: Sequence[Transfer], to: str) -> Moved | None:
        """To another island: see `ferry`."""

        def move(island: Store, there: Stretch, some: Sequence[Transfer]) -> Moved:
            jobs = [Cargo(job.raw, self._atlas.pick(to, job.new), job.new) for job in some]
            take = partial(island.sets.transfer_from_queue, there.queue, "schedule")
            return carry(self._atlas, island, take, jobs)

        return self._done(chunk, lambda: self._on_lists(where, jobs, move))

    def _done(self, chunk: Chunk, move: Callable[[], Moved]) -> Moved | None:
        """Make sure that it is our turn, do it, and note it."""
        if self.claim(chunk.operation, chunk.runner) is None:
            return None
        answer = move()
        return None if self.counted(chunk, answer) is None else answer

    def _on_lists(
        self, where: Stretch, jobs: Sequence[Transfer], move: Callable[[Store, Stretch, Sequence[Transfer]], Moved]
    ) -> Moved:
        """Where each job is: tried in each list, since the stretch does not say in which it was found."""
        found = [False] * len(jobs)
        for island, name in self._atlas.parts(where.queue):
            left = [number for number, done in enumerate(found) if not done]
            if left:
                answers = move(island, where._replace(queue=name), [jobs[number] for number in left])
                for number, answer in zip(left, answers, strict=True):
                    found[number] = answer
        return found
