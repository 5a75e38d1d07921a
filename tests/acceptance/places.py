"""Many jobs into a set at once, wherever the jobs of the run lie."""

from collections.abc import Sequence

from kiq_django.store import Store
from kiq_django.store.fleet import Fleet
from kiq_django.store.keys import SetName


def lay(store: Store, name: SetName, jobs: Sequence[tuple[float, bytes]]) -> None:
    """Put jobs of queue `default` into a set, each with its score: by turns beside each of the queue's lists."""
    islands = [store]
    if isinstance(store, Fleet):
        atlas = store._atlas
        atlas.server("default").note(atlas.lists("default"))
        islands = list(dict.fromkeys(part.island for part in atlas.parts("default")))
    for number, island in enumerate(islands):
        own = [each for pair in jobs[number :: len(islands)] for each in pair]
        island.link.call("ZADD", island.keys.job_set(name), *own)
