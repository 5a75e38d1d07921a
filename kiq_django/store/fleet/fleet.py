"""Several islands as one store: what the API, the dashboard, the commands and the worker see of them."""

from collections.abc import Mapping, Sequence

from kiq_django import sections
from kiq_django.store import connections
from kiq_django.store.fleet.atlas import Atlas
from kiq_django.store.fleet.counts import FleetCounters, FleetFlow, FleetGroups, FleetSizes
from kiq_django.store.fleet.deliveries import FleetDeliveries
from kiq_django.store.fleet.operations import FleetOperations
from kiq_django.store.fleet.presence import FleetGlance, FleetOthers, FleetProcesses
from kiq_django.store.fleet.queues import FleetQueues
from kiq_django.store.fleet.records import FleetRecords, FleetResults, FleetTasks
from kiq_django.store.fleet.search import FleetSearch
from kiq_django.store.fleet.server import Server
from kiq_django.store.fleet.sets import FleetSets
from kiq_django.store.fleet.suspects import FleetSuspects
from kiq_django.store.fleet.working import FleetWorking
from kiq_django.store.island import Store
from kiq_django.store.waiters import Waiters


class Fleet(Store):
    """All servers of the settings, or some of them, under the parts of a `Store`.

    What belongs to no queue (figures of jobs, deploys, operations) is at the home of the first server. So are the names
    of parked jobs, whatever server these are on: while the first is away, they come back when they are due.
    """

    def __init__(
        self,
        atlas: Atlas,
        prefix: str,
        limits: sections.Limits,
        purpose: connections.Purpose,
        servers: Sequence[Server] = (),
    ) -> None:
        self._made = (prefix, limits, purpose)
        self._atlas = atlas
        self._servers = servers = servers or atlas.servers
        home = servers[0].home
        super().__init__(servers[0].target, home.keys.prefix, limits, purpose, servers[0].link)
        self.prefix = prefix
        self.queues = queues = FleetQueues(atlas, servers)
        self.working = FleetWorking(atlas, servers)
        self.sets = sets = FleetSets(atlas, servers, limits)
        self.search = FleetSearch(atlas, servers)
        self.records = FleetRecords(atlas, servers)
        self.results = FleetResults(atlas, servers)
        self.tasks = FleetTasks(atlas, servers)
        self.deliveries = FleetDeliveries(atlas, servers)
        self.suspects = FleetSuspects(atlas, servers)
        self.groups = FleetGroups(atlas, servers)
        self.operations = FleetOperations(atlas, servers, sets)
        self.processes = processes = FleetProcesses(servers)
        self.counters = FleetCounters(atlas, servers, queues)
        self.flow = FleetFlow(atlas, servers)
        self.sizes = FleetSizes(atlas, servers)
        self.others = FleetOthers(atlas, servers)
        self.glance = FleetGlance(atlas, servers, queues, processes)

    def waiters(self) -> Waiters:
        return Waiters(self.link, lambda name: self._atlas.island(name).keys, self.working.admission)

    def lists(self, queue: str) -> Sequence[str]:
        return self._atlas.lists(queue)

    def views(self, queue: str) -> Sequence[str]:
        return self._atlas.views(queue)

    def whole(self, name: str) -> str:
        return self._atlas.whole(name)

    def place(self, queue: str) -> connections.Target:
        return self._atlas.server(queue).target

    def servers(self) -> Sequence[Store]:
        if len(self._servers) == 1:
            return (self,)
        return [self._of(server) for server in self._servers]

    def serving(self, queues: Mapping[str, int]) -> Store:
        return self._of(self._atlas.serving(queues))

    def _of(self, server: Server) -> "Fleet":
        return Fleet(self._atlas, *self._made, servers=[server])
