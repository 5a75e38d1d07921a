"""Everything that is kept in one place: the parts of the store over one connection pool and one prefix of keys."""

from collections.abc import Mapping, Sequence

from kiq_django import sections
from kiq_django.store import connections
from kiq_django.store.alink import AsyncLink
from kiq_django.store.counters import Counters
from kiq_django.store.deliveries import Deliveries
from kiq_django.store.deploys import Deploys
from kiq_django.store.flow import Flow
from kiq_django.store.glance import Glance
from kiq_django.store.groups import Groups
from kiq_django.store.keys import Keys
from kiq_django.store.ledger import Ledger
from kiq_django.store.link import Link
from kiq_django.store.metrics import Metrics
from kiq_django.store.operations import Operations
from kiq_django.store.others import Others
from kiq_django.store.processes import Processes
from kiq_django.store.queues import Queues
from kiq_django.store.records import Records
from kiq_django.store.results import Results
from kiq_django.store.search import Search
from kiq_django.store.sets import Sets
from kiq_django.store.sidekiq_metrics import SidekiqMetrics
from kiq_django.store.sizes import Sizes
from kiq_django.store.suspects import Suspects
from kiq_django.store.tasks import Tasks
from kiq_django.store.totals import Totals
from kiq_django.store.unroutable import Unroutable
from kiq_django.store.waiters import Waiters
from kiq_django.store.working import Working


class Store:
    """Everything that is kept in one Redis, or under one tag of a cluster: an island.

    Nothing that a job needs to get from one key to the other leads off its island, so a script can do it in one step.
    `fleet.Fleet` is the same over several of them.
    """

    def __init__(
        self,
        target: connections.Target,
        prefix: str,
        limits: sections.Limits,
        purpose: connections.Purpose = "commands",
        link: Link | None = None,
    ) -> None:
        self.target = target
        self.keys = Keys(prefix)
        self.prefix = prefix
        """Before every key, as the settings have it."""
        self.link = link or Link(target, purpose)
        self.alink = AsyncLink(self.link)
        self.queues = Queues(self.link, self.keys, self.alink)
        self.working = Working(self.link, self.keys, limits)
        self.suspects = Suspects(self.link, self.keys)
        self.sets = Sets(self.link, self.keys, limits)
        self.search = Search(self.link, self.keys)
        self.records = Records(self.link, self.keys)
        self.results = Results(self.link, self.keys, self.alink)
        self.tasks = Tasks(self.link, self.keys, self.alink)
        self.deliveries = Deliveries(self.link, self.keys, self.queues, limits)
        self.groups = Groups(self.link, self.keys)
        self.operations = Operations(self.link, self.keys, self.sets)
        self.unroutable = Unroutable(self.link, self.keys)
        self.processes = Processes(self.link, self.keys)
        self.counters = Counters(self.link, self.keys)
        self.metrics = Metrics(self.link, self.keys)
        self.sidekiq_metrics = SidekiqMetrics(self.link, self.keys)
        self.totals = Totals(self.link, self.keys)
        self.flow = Flow(self.link, self.keys)
        self.sizes = Sizes(self.link, self.keys)
        self.others = Others(self.link, self.keys)
        self.ledger = Ledger(self.link, self.sidekiq_metrics, self.metrics, self.totals, self.flow)
        self.deploys = Deploys(self.link, self.keys)
        self.glance = Glance(self.link, self.keys)

    def waiters(self) -> Waiters:
        """Blocking connections for one fetcher."""
        return Waiters(self.link, lambda queue: self.keys, self.working.admission)

    def lists(self, queue: str) -> Sequence[str]:
        """Names of the lists that make up a queue: its own, and those of its partitions."""
        return (queue,)

    def views(self, queue: str) -> Sequence[str]:
        """The same lists as people call them: each can be looked at as a queue of its own."""
        return (queue,)

    def whole(self, name: str) -> str:
        """The queue that a list belongs to: what people call it."""
        return name

    def servers(self) -> "Sequence[Store]":
        """One store for each server: what is to be done at every one of them goes by this."""
        return (self,)

    def place(self, queue: str) -> connections.Target:
        """The server of a queue."""
        del queue
        return self.target

    def serving(self, queues: Mapping[str, int]) -> "Store":
        """The server of these queues, for whoever fetches from them.

        Raises:
            ConfigurationError: they lie on several.
        """
        del queues
        return self
