"""Looks at the Redis servers once a minute: its configuration may change while we work."""

import logging

from kiq_django import conf
from kiq_django.service import Service
from kiq_django.store import Store
from kiq_django.store.server import ServerInfo

logger = logging.getLogger("kiq_django.worker")
EVERY = 60.0
"""Seconds."""


class Vigil(Service):
    """Says once when a server begins to throw keys away, and once when it no longer does.

    The worker goes on: to end now would save no job.
    """

    def __init__(self, store: Store) -> None:
        super().__init__("vigil", EVERY)
        self._store = store
        self._warned: set[str] = set()

    def first_wait(self) -> float:
        """Seconds; the start has just looked."""
        return EVERY

    def tick(self) -> None:
        """Look once."""
        for server in self._store.servers():
            for node in server.link.nodes():
                self._look(str(node.target), node.info())

    def _look(self, name: str, info: ServerInfo) -> None:
        evicts = bool(info.evicts) and not conf.get().worker.allow_eviction
        if evicts and name not in self._warned:
            logger.error(
                "Redis at %s has begun to throw keys away when it is full (maxmemory-policy %s), and jobs with them. "
                "Set maxmemory-policy noeviction on it",
                name,
                info.maxmemory_policy,
            )
            self._warned.add(name)
        elif not evicts and name in self._warned:
            logger.info("Redis at %s throws no keys away any more", name)
            self._warned.discard(name)
