"""Figures of a fleet: added up where each island, or each server, has its own."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Literal

from kiq_django.store.counters import STATS, Brief, Counters, Overview
from kiq_django.store.fleet.atlas import Atlas
from kiq_django.store.fleet.queues import FleetQueues
from kiq_django.store.fleet.server import Server
from kiq_django.store.flow import Flow
from kiq_django.store.groups import Counted, Cursor, FailureSet, Groups, Window
from kiq_django.store.keys import SET_NAMES, SetName
from kiq_django.store.sizes import Size, Sizes


class FleetCounters(Counters):
    """Totals of all servers."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server], queues: FleetQueues) -> None:
        self._atlas = atlas
        self._servers = servers
        self._queues = queues

    def add_totals(self, processed: int, failed: int, now: float) -> None:
        self._servers[0].home.counters.add_totals(processed, failed, now)

    def totals(self) -> tuple[int, int]:
        found = [server.home.counters.totals() for server in self._servers]
        return sum(processed for processed, _ in found), sum(failed for _, failed in found)

    def reset_totals(self, names: Sequence[Literal["processed", "failed"]] = STATS) -> None:
        for server in self._servers:
            server.home.counters.reset_totals(names)

    def brief(self) -> Brief:
        found = [server.home.counters.brief() for server in self._servers]
        return Brief(
            queues=sorted({*self._queues.names(), *self._queues.paused()}),
            sizes=set_sizes(self._atlas, self._servers),
            busy=_added(brief.busy for brief in found),
        )

    def overview(self, queue: str) -> Overview:
        processed, failed = self.totals()
        sets = set_sizes(self._atlas, self._servers)
        busy = _added(server.home.counters.brief().busy for server in self._servers)
        sizes, oldest = self._queues.sizes(self._queues.names()), self._queues.oldest([queue])[queue]
        return Overview(processed, failed, sets["schedule"], sets["retry"], sets["dead"], sizes, busy, oldest)

    def history(self, days: int, until: date) -> list[tuple[date, int, int]]:
        found = [server.home.counters.history(days, until) for server in self._servers]
        return [(row[0][0], sum(p for _, p, _ in row), sum(f for _, _, f in row)) for row in zip(*found, strict=True)]


def set_sizes(atlas: Atlas, servers: Sequence[Server]) -> dict[SetName, int]:
    """Jobs in each set of all islands: one round trip to each server."""
    sizes: dict[SetName, int] = dict.fromkeys(SET_NAMES, 0)
    for server in servers:
        asked = [(name, island) for island in server.islands() for name in SET_NAMES]
        replies = server.link.send([("ZCARD", island.keys.job_set(name)) for name, island in asked]) if asked else []
        for (name, _), size in zip(asked, replies, strict=True):
            sizes[name] += int(size)
    return sizes


class FleetSizes(Sizes):
    """Measurements, each on the island of the list. The first server's home says whose turn it is."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        self._atlas = atlas
        self._servers = servers

    def take(self, now: float) -> bool:
        if not self._servers[0].home.sizes.take(now):
            return False
        for island in self._atlas.islands(self._servers):
            if island is not self._servers[0].home:
                island.sizes.take(now)
        return True

    def read(self, queues: Sequence[str], minutes: Sequence[int]) -> list[dict[str, Size] | None]:
        found: list[dict[str, Size] | None] = [{} for _ in minutes]
        for queue in queues:
            parts = self._atlas.parts(queue)
            answers = [part.island.sizes.read([part.name], minutes) for part in parts]
            for number, row in enumerate(zip(*answers, strict=True)):
                _add_sizes(found, number, queue, [(p.name, each) for p, each in zip(parts, row, strict=True)])
        return found


def _add_sizes(
    found: list[dict[str, Size] | None],
    number: int,
    queue: str,
    measured: Sequence[tuple[str, dict[str, Size] | None]],
) -> None:
    """One queue at one minute: nobody knows when one of its lists was not looked at."""
    known = found[number]
    sizes = [each[name] for name, each in measured if each is not None and name in each]
    if all(each is None for _, each in measured):
        found[number] = None
    elif known is not None and len(sizes) == len(measured):
        known[queue] = _together(sizes)


def _together(sizes: Sequence[Size]) -> Size:
    taken = [size.taken for size in sizes if size.taken is not None]
    return Size(
        waiting=sum(size.waiting for size in sizes),
        latency=max(size.latency for size in sizes),
        taken=sum(taken) if len(taken) == len(sizes) else None,
        elsewhere=any(size.elsewhere for size in sizes),
    )


class FleetGroups(Groups):
    """Failures of all islands, read as one set from the latest job on. What was counted is kept at home."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        super().__init__(servers[0].link, servers[0].home.keys)
        self._atlas = atlas
        self._servers = servers

    def read(self, name: FailureSet) -> Counted:
        return super().read(name)._replace(size=set_sizes(self._atlas, self._servers)[name])

    def window(self, name: FailureSet, cursor: Cursor, size: int) -> Window:
        most, asked = cursor.skip + size, cursor._replace(skip=0)
        found = [island.groups.window(name, asked, most).members for island in self._atlas.islands(self._servers)]
        merged = sorted(chain.from_iterable(found), key=lambda member: -float(member[1]))
        members = merged[cursor.skip : most]
        if not members:
            return Window((), cursor)
        last = members[-1][1]
        same = sum(score == last for _, score in members)
        score = last.decode()
        return Window(members, Cursor(score, same + (cursor.skip if score == cursor.score else 0)))


class FleetFlow(Flow):
    """Kept at home, by the names that people know."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        super().__init__(servers[0].link, servers[0].home.keys)
        self._atlas = atlas

    def removed(self, queue: str, count: int, now: float) -> None:
        super().removed(self._atlas.whole(queue), count, now)


def _added(each: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for busy in each:
        for name, count in busy.items():
            found[name] = found.get(name, 0) + count
    return found
