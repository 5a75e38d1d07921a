"""One server of a fleet, and the islands on it."""

import threading
from collections.abc import Iterable

from kiq_django import clock, sections
from kiq_django.exceptions import StoreError
from kiq_django.store import connections
from kiq_django.store.cluster_link import ClusterLink
from kiq_django.store.island import Store
from kiq_django.store.keys import HOME, name_of, tagged
from kiq_django.store.link import Link

FRESH = 1.0
"""Seconds for which it is known which lists there are."""
NOTED = 60.0
"""Seconds after which a list is put on record again: somebody may have emptied the server."""


class Server:
    """Opens one connection pool. In Sidekiq's layout it is one island; in the cluster's each list is one.

    Which lists there are stands in a set of its own, since nobody can ask a cluster for all keys.
    """

    def __init__(
        self, target: connections.Target, prefix: str, limits: sections.Limits, purpose: connections.Purpose
    ) -> None:
        self.target = target
        self.link = (ClusterLink if target.kind == "cluster" else Link)(target, purpose)
        self.is_tagged = target.layout == "cluster"
        self._made = (target, prefix, limits, purpose)
        self._prefix = prefix
        self._islands: dict[str, Store] = {}
        self._noted: dict[str, float] = {}
        self._known: tuple[float, list[str]] = (-FRESH, [])
        self._lock = threading.Lock()
        self.home = self._island(tagged(prefix, HOME) if self.is_tagged else prefix)
        """What belongs to no list: processes, figures, operations. In Sidekiq's layout, everything."""

    def island(self, name: str) -> Store:
        """Where a list is, whether anything was ever pushed to it or not."""
        if not self.is_tagged:
            return self.home
        found = self._islands.get(name)
        if found is None:
            with self._lock:
                found = self._islands.setdefault(name, self._island(tagged(self._prefix, name)))
        return found

    def islands(self) -> list[Store]:
        """All that there are."""
        return [self.island(name) for name in self.names()] if self.is_tagged else [self.home]

    def names(self) -> list[str]:
        """Lists that were ever pushed to or served, in the cluster layout."""
        asked_at, names = self._known
        now = clock.monotonic()
        if now - asked_at >= FRESH:
            names = sorted(name_of(each) for each in self.link.call("SMEMBERS", self.home.keys.lists()))
            self._known = (now, names)
        return names

    def note(self, names: Iterable[str]) -> None:
        """Put lists on record, before the first job gets there: else nobody would know where to look for it.

        Raises:
            StoreError: they may not be known yet.
        """
        if not self.is_tagged:
            return
        now = clock.monotonic()
        due = [name for name in names if now - self._noted.get(name, -NOTED) >= NOTED]
        if not due:
            return
        try:
            self.link.call("SADD", self.home.keys.lists(), *due)
        except StoreError:
            if any(name not in self._noted for name in due):
                raise
        self._noted.update(dict.fromkeys(due, now))
        self._known = (-FRESH, [])

    def _island(self, prefix: str) -> Store:
        target, _, limits, purpose = self._made
        return Store(target, prefix, limits, purpose, self.link)
