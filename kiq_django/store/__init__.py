"""The one room that speaks to Redis: its parts over one connection pool and one key layout."""

from functools import cache

from kiq_django import conf, sections
from kiq_django.store import connections
from kiq_django.store.island import Store

__all__ = ["Store", "get"]


@cache
def get(purpose: connections.Purpose = "commands") -> Store:
    """The store of the settings in force; `purpose` chooses the pool, so that one duty cannot starve another.

    Raises:
        ConfigurationError: `KIQ["REDIS"]` is not usable.
    """
    settings = conf.get()
    target = connections.resolve(settings.redis)
    if _is_fleet(settings, target):
        from kiq_django.store import fleet  # a dozen modules that one server with plain queues never needs

        return fleet.of(settings, target, purpose)
    return Store(target, settings.prefix, settings.limits, purpose)


def _is_fleet(settings: sections.Settings, target: connections.Target) -> bool:
    """Whether a plain store would not do."""
    queues = settings.queues.values()
    return target.layout == "cluster" or any(queue.partitions > 1 or queue.redis is not None for queue in queues)


conf.on_reset(get.cache_clear)
