"""Looks at the Redis server once a minute: its configuration may change while we work."""

import logging

from kiq_django import conf
from kiq_django.service import Service
from kiq_django.store import Store

logger = logging.getLogger("kiq_django.worker")
EVERY = 60.0
"""Seconds."""


class Vigil(Service):
    """Says once when the server begins to throw keys away, and once when it no longer does.

    The worker goes on: to end now would save no job.
    """

    def __init__(self, store: Store) -> None:
        super().__init__("vigil", EVERY)
        self._store = store
        self._warned = False

    def first_wait(self) -> float:
        """Seconds; the start has just looked."""
        return EVERY

    def tick(self) -> None:
        """Look once."""
        info = self._store.link.info()
        evicts = bool(info.evicts) and not conf.get().worker.allow_eviction
        if evicts and not self._warned:
            logger.error(
                "This Redis has begun to throw keys away when it is full (maxmemory-policy %s), and jobs with them. "
                "Set maxmemory-policy noeviction on it",
                info.maxmemory_policy,
            )
        elif self._warned and not evicts:
            logger.info("This Redis throws no keys away any more")
        self._warned = evicts
