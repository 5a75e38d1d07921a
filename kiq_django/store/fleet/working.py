"""Reservation over the islands of one server: lists by their own names, each settled and fetched where it lies."""

from collections.abc import Sequence
from typing import Any

from kiq_django.store.fleet.atlas import Atlas, Part
from kiq_django.store.fleet.server import Server
from kiq_django.store.island import Store
from kiq_django.store.working import Batch, Turn, Working


class FleetWorking(Working):
    """All working lists of one server. On a single island all goes through in one step, as ever."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        self._atlas = atlas
        self._servers = servers

    def register(self, owner: str, queues: Sequence[str], lease: float) -> None:
        for server in self._servers:
            server.note([name for name in queues if self._atlas.server(name) is server])
        for island, names in self._by_island(queues):
            island.working.register(owner, names, lease)
        self._close(queues)

    def renew(self, owner: str, queues: Sequence[str], lease: float) -> bool:
        """False as soon as one lease was lost: a process has one name everywhere."""
        lost = [not island.working.renew(owner, names, lease) for island, names in self._by_island(queues)]
        return not any(lost)

    def retire(self, owner: str, queues: Sequence[str]) -> int:
        return sum(island.working.retire(owner, names) for island, names in self._by_island(queues))

    def turn(
        self, batches: Sequence[Batch], owner: str, queues: Sequence[str], room: int, *, thorough: bool = False
    ) -> Turn:
        """On several islands the ends go first; then each list in order is asked for as much as there is still room.

        A list that is asked in vain costs a round trip, so a look at the lengths of all comes first.
        """
        if not self._servers[0].is_tagged:
            return self._servers[0].home.working.turn(batches, owner, queues, room, thorough=thorough)
        settled = self._settle(batches)
        taken: list[tuple[str, bytes]] = []
        paused: set[str] = set()
        seen = queues
        for name in self._open(queues, room):
            turn = self._atlas.island(name).working.turn((), owner, [name], room - len(taken))
            if turn.reaped:
                return Turn(settled, taken, seen, frozenset(paused), reaped=True)
            taken += turn.taken
            paused |= turn.paused
            if turn.taken and len(taken) >= room and not thorough:
                seen = queues[: queues.index(name) + 1]
                break
        return Turn(settled, taken, seen, frozenset(paused), reaped=False)

    def admission(self, owner: str, queue: str) -> Sequence[tuple[Any, ...]]:
        return self._atlas.island(queue).working.admission(owner, queue)

    def held(self, owner: str, queues: Sequence[str]) -> list[tuple[str, bytes]]:
        return [pair for island, names in self._by_island(queues) for pair in island.working.held(owner, names)]

    def served(self) -> list[str]:
        return sorted({name for island in self._atlas.islands(self._servers) for name in island.working.served()})

    def leases(
        self, queues: Sequence[str], too_long: float
    ) -> tuple[list[tuple[str, str]], dict[tuple[str, str], bytes]]:
        ended: list[tuple[str, str]] = []
        adrift: dict[tuple[str, str], bytes] = {}
        for island, names in self._by_island(queues):
            some, others = island.working.leases(names, too_long)
            ended += some
            adrift.update(others)
        return ended, adrift

    def owners(self, queue: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for island, name in self._atlas.parts(queue):
            found.update(island.working.owners(name))
        return found

    def left_behind(self, queue: str, owner: str, limit: int) -> list[bytes]:
        return self._atlas.island(queue).working.left_behind(queue, owner, limit)

    def reclaim(
        self, queue: str, owner: str, jobs: Sequence[tuple[bytes, str, bytes | None]], *, force: bool = False
    ) -> str | None:
        return self._atlas.island(queue).working.reclaim(queue, owner, jobs, force=force)

    def _settle(self, batches: Sequence[Batch]) -> list[bytes]:
        """All in one round trip to each node: a command belongs to the slot of its keys, whoever has prepared it."""
        link = self._servers[0].link
        return link.run([self._atlas.island(batch.queue).working.settlement(batch) for batch in batches])

    def _open(self, queues: Sequence[str], room: int) -> list[str]:
        """Lists worth asking: all when it is not about jobs, or about one list; else those that are not empty."""
        if room <= 0 or len(queues) <= 1:
            return list(queues)
        keys = [self._atlas.island(name).keys for name in queues]
        asked = [("LLEN", key.queue(name)) for key, name in zip(keys, queues, strict=True)]
        closed = [("SISMEMBER", key.paused(name), name) for key, name in zip(keys, queues, strict=True)]
        replies = self._servers[0].link.send([*asked, *closed])
        found = zip(queues, replies, replies[len(queues) :], strict=False)
        return [name for name, size, is_closed in found if size or is_closed]

    def _by_island(self, names: Sequence[str]) -> list[tuple[Store, list[str]]]:
        found: dict[int, tuple[Store, list[str]]] = {}
        for name in names:
            island = self._atlas.island(name)
            found.setdefault(id(island), (island, []))[1].append(name)
        return list(found.values())

    def _close(self, names: Sequence[str]) -> None:
        """A partition that came to a paused queue is paused as well: the queue's own list tells."""
        wholes = {self._atlas.whole(name) for name in names}
        for whole in sorted(name for name in wholes if len(self._atlas.lists(name)) > 1):
            self._follow(*self._atlas.parts(whole))

    def _follow(self, first: Part, *others: Part) -> None:
        """Until nobody has changed it meanwhile: else the partitions of a queue that was resumed would stay closed."""
        was_paused = False
        while (state := first.island.queues.states([first.name])[0]).paused != was_paused:
            was_paused = state.paused
            for part in others:
                if was_paused:
                    part.island.queues.pause(part.name, state.note)
                else:
                    part.island.queues.resume(part.name)
