"""The store beyond one server and one list a queue: partitions, clusters, several servers.

Whoever has none of these in the settings never imports it. `atlas` knows where things are; each other file is one part
of the store over several islands.
"""

from kiq_django import sections
from kiq_django.store import connections
from kiq_django.store.fleet.atlas import Atlas
from kiq_django.store.fleet.fleet import Fleet
from kiq_django.store.fleet.server import Server

__all__ = ["Fleet", "of"]


def of(settings: sections.Settings, target: connections.Target, purpose: connections.Purpose) -> Fleet:
    """The fleet of some settings.

    Raises:
        ConfigurationError: a queue's `redis` is not usable.
    """
    targets, homes = [target], {}
    for queue in settings.queues.values():
        if queue.redis is not None:
            own = connections.target(queue.redis, source=f"KIQ['QUEUES'][{queue.name!r}]['redis']")
            if own not in targets:
                targets.append(own)
            if targets.index(own):
                homes[queue.name] = targets.index(own)
    servers = [Server(each, settings.prefix, settings.limits, purpose) for each in targets]
    return Fleet(Atlas(servers, settings.queues, homes), settings.prefix, settings.limits, purpose)
