"""The one room that speaks to Redis: its parts over one connection pool and one key layout."""

from functools import cache

from kiq_django import conf
from kiq_django.store import connections, fleet
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
    if fleet.is_wanted(settings, target):
        return fleet.of(settings, target, purpose)
    return Store(target, settings.prefix, settings.limits, purpose)


conf.on_reset(get.cache_clear)
