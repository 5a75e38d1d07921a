"""Processes and queues of several servers, as one look at them."""

from collections.abc import Collection, Iterable, Sequence

from kiq_django.store.fleet.atlas import Atlas
from kiq_django.store.fleet.counts import set_sizes
from kiq_django.store.fleet.queues import FleetQueues
from kiq_django.store.fleet.server import Server
from kiq_django.store.fleet.suspects import FleetSuspects
from kiq_django.store.glance import Glance, Lines, Names, Position
from kiq_django.store.keys import SET_NAMES, SetName
from kiq_django.store.others import Others
from kiq_django.store.processes import Found, Processes, Signal


class FleetProcesses(Processes):
    """A process beats at every server that it serves; it is one process."""

    def __init__(self, servers: Sequence[Server]) -> None:
        super().__init__(servers[0].link, servers[0].home.keys)
        self._servers = servers

    def leave(self, identity: str) -> None:
        for server in self._servers:
            server.home.processes.leave(identity)

    def identities(self) -> list[str]:
        return sorted({name for server in self._servers for name in server.home.processes.identities()})

    def count(self) -> int:
        return len(self.identities())

    def read(self, identities: Sequence[str]) -> list[Found]:
        """What it runs is told at the server where that came from."""
        found: dict[str, Found] = {}
        for server in self._servers:
            for each in server.home.processes.read(identities):
                found[each.identity] = _both(found[each.identity], each) if each.identity in found else each
        return [found[identity] for identity in identities if identity in found]

    def prune(self) -> int:
        return sum(server.home.processes.prune() for server in self._servers)

    def signal(self, identities: Iterable[str], signal: Signal) -> None:
        """At one server alone: a second TERM would mean haste."""
        left = list(identities)
        for server in self._servers:
            here = {each.identity for each in server.home.processes.read(left)}
            if here:
                server.home.processes.signal(sorted(here), signal)
            left = [identity for identity in left if identity not in here]


def _both(one: Found, other: Found) -> Found:
    fields = dict(one.fields)
    for name in ("busy",):
        fields[name] = str(_number(one.fields.get(name)) + _number(other.fields.get(name)))
    return Found(one.identity, fields, {**one.work, **other.work})


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


class FleetOthers(Others):
    """Workers of other programs at any of the servers."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server]) -> None:
        super().__init__(servers[0].link, servers[0].home.keys)
        self._atlas = atlas
        self._servers = servers

    def queues(self) -> set[str] | None:
        found = [server.home.others.queues() for server in self._servers]
        known = [names for names in found if names is not None]
        return {self._atlas.whole(name) for names in known for name in names} if known else None

    def were_here(self) -> bool:
        return any(server.home.others.were_here() for server in self._servers)


class FleetGlance(Glance):
    """Everything of a fleet."""

    def __init__(self, atlas: Atlas, servers: Sequence[Server], queues: FleetQueues, processes: FleetProcesses) -> None:
        super().__init__(servers[0].link, servers[0].home.keys)
        self._atlas = atlas
        self._servers = servers
        self._queues = queues
        self._processes = processes
        self._suspects = FleetSuspects(atlas, servers)

    def names(self) -> Names:
        paused = self._queues.paused()
        return Names(
            queues=sorted({*self._queues.names(), *paused}),
            processes=self._processes.identities(),
            paused=paused,
            sizes=set_sizes(self._atlas, self._servers),
            first=self._first(),
        )

    def lines(self, queues: Sequence[str], processes: Sequence[str], looked_into: Collection[str]) -> Lines:
        sizes = self._queues.sizes(queues)
        inside = self._queues.oldest([queue for queue in queues if queue in looked_into])
        oldest = {queue: raw for queue, raw in inside.items() if raw is not None}
        found = [server.home.glance.lines((), processes, ()) for server in self._servers]
        silence: dict[str, float | None] = dict.fromkeys(processes)
        for each in found:
            for identity, seconds in each.silence.items():
                known = silence[identity]
                silence[identity] = seconds if known is None or seconds is None else min(known, seconds)
        suspects = self._suspects.sizes([queue for queue in queues if queue in looked_into])
        return Lines(sizes, oldest, silence, found[0].now, suspects)

    def position(self, queue: str, raw: bytes) -> Position:
        """In its list; the other lists are fetched beside it."""
        found = [part.island.glance.position(part.name, raw) for part in self._atlas.parts(queue)]
        size = sum(position.size for position in found)
        ahead = next((position.ahead for position in found if position.ahead is not None), None)
        return Position(None if ahead is None else min(size, ahead * len(found)), size)

    def _first(self) -> dict[SetName, float | None]:
        first: dict[SetName, float | None] = dict.fromkeys(SET_NAMES)
        for server in self._servers:
            asked = [(name, island) for island in server.islands() for name in SET_NAMES]
            commands = [("ZRANGE", island.keys.job_set(name), 0, 0, "WITHSCORES") for name, island in asked]
            for (name, _), found in zip(asked, server.link.send(commands) if commands else (), strict=True):
                known = first[name]
                if found:
                    first[name] = min(known, float(found[1])) if known is not None else float(found[1])
        return first
