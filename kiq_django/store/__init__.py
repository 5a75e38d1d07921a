"""The one room that speaks to Redis: its parts over one connection pool and one key layout."""

from functools import cache

from kiq_django import conf, sections
from kiq_django.store import connections
from kiq_django.store.alink import AsyncLink
from kiq_django.store.counters import Counters
from kiq_django.store.deliveries import Deliveries
from kiq_django.store.deploys import Deploys
from kiq_django.store.flow import Flow
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
from kiq_django.store.tasks import Tasks
from kiq_django.store.totals import Totals
from kiq_django.store.unroutable import Unroutable
from kiq_django.store.waiters import Waiters
from kiq_django.store.working import Working


class Store:
    """Everything that is kept in one Redis."""

    def __init__(
        self,
        target: connections.Target,
        prefix: str,
        limits: sections.Limits,
        purpose: connections.Purpose = "commands",
    ) -> None:
        self.target = target
        self.keys = Keys(prefix)
        self.link = Link(target, purpose)
        self.alink = AsyncLink(self.link)
        self.queues = Queues(self.link, self.keys, self.alink)
        self.working = Working(self.link, self.keys, limits)
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

    def waiters(self) -> Waiters:
        """Blocking connections for one fetcher."""
        return Waiters(self.link, self.keys)


@cache
def get(purpose: connections.Purpose = "commands") -> Store:
    """The store of the settings in force; `purpose` chooses the pool, so that one duty cannot starve another.

    Raises:
        ConfigurationError: `KIQ["REDIS"]` is not usable.
    """
    settings = conf.get()
    return Store(connections.resolve(settings.redis), settings.prefix, settings.limits, purpose)


conf.on_reset(get.cache_clear)
