"""One job by its id, in one place: where it should be first, then everywhere, within a budget.

Ids of ours tell when they were made, and a queue is in order of time, so a job that was never retried or scheduled
is found at once in a queue of any length. Ids of others, and jobs that came back, need a search through it all.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from kiq_django import jids
from kiq_django.api.budget import Budget
from kiq_django.api.filters import Filter
from kiq_django.api.search import Found, J, Region, queue_region, run, run_short, set_region
from kiq_django.api.waiting import QueuedJob, SortedJob
from kiq_django.store import Store
from kiq_django.store.keys import SetName
from kiq_django.store.search import WINDOW, Spot, Way

EARLIER = 300
"""Jobs before the place where one should be that are looked at too: clocks of hosts differ."""
NEAR = 8_000
"""Jobs around that place: many, because a job comes into its queue only when its transaction commits."""
AT_ONCE = 50
"""Short queues that are looked through in one round trip: their jobs may be large."""
MARGIN = 60.0
"""Seconds by which a job may seem to be due before it was made."""


@dataclass(frozen=True, slots=True)
class Sighting(Generic[J]):
    """What came of looking for one job in one place."""

    job: J | None
    looked_at: int
    total: int
    """Jobs that are there."""
    complete: bool
    """It was found, or it is not there."""


def in_set(store: Store, name: SetName, jid: str, budget: Budget) -> Sighting[SortedJob]:
    """In a set. What is due, or died, after the job was made comes first: there it is, unless somebody moved it."""
    made = jids.moment(jid)
    if made is None:
        return _sighting(_look(set_region(store, name), jid, 1, budget))
    likely = Filter(due_from=made - MARGIN)
    first = _look(set_region(store, name, likely), jid, 1, budget)
    if first.jobs:
        return _sighting(first)
    rest = Filter(due_to=math.nextafter(likely.low, -math.inf))
    return _sighting(first, _look(set_region(store, name, rest), jid, -1, budget))


def in_queue(store: Store, queue: str, jid: str, budget: Budget) -> Sighting[QueuedJob]:
    """In a queue."""
    near = next(found for _, found in near_in_queues(store, [queue], jid, budget))
    return near if near.complete else through_queue(store, queue, jid, budget)


def near_in_queues(
    store: Store, queues: Sequence[str], jid: str, budget: Budget, came: float | None = None
) -> Iterator[tuple[str, Sighting[QueuedJob]]]:
    """Where it should be in each queue, a few milliseconds each; a short queue is looked through.

    Args:
        store: where.
        queues: their names. Short ones cost a round trip for every 2,000 jobs that wait in them.
        jid: the job's id.
        budget: for all of them.
        came: when it came into its queue, epoch seconds, if that is known: then the id need not tell.
    """
    queue_of = {name: queue for queue in queues for name in store.views(queue)}
    found: dict[str, list[Sighting[QueuedJob]]] = {queue: [] for queue in queues}
    for name, sighting in _near_in_lists(store, list(queue_of), jid, budget, came):
        found[queue_of[name]].append(sighting)
        if sighting.job or len(found[queue_of[name]]) == len(store.views(queue_of[name])):
            yield queue_of[name], _together(found[queue_of[name]])


def _together(sightings: Sequence[Sighting[QueuedJob]]) -> Sighting[QueuedJob]:
    """In all lists of a queue."""
    job = next((each.job for each in sightings if each.job), None)
    looked_at, total = (sum(getattr(each, what) for each in sightings) for what in ("looked_at", "total"))
    return Sighting(job, looked_at, total, job is not None or all(each.complete for each in sightings))


def _near_in_lists(
    store: Store, queues: Sequence[str], jid: str, budget: Budget, came: float | None
) -> Iterator[tuple[str, Sighting[QueuedJob]]]:
    sizes, most = store.queues.sizes(queues), min(WINDOW, budget.jobs)
    short = [queue for queue in queues if 0 < sizes[queue] <= most]
    yield from ((queue, Sighting(None, 0, 0, complete=True)) for queue in queues if not sizes[queue])
    for part in _parts(short, sizes):
        regions = [queue_region(store, queue) for queue in part]
        found = run_short(regions, Filter(text=jid), 1, budget, lambda job: job.jid == jid)
        yield from zip(part, map(_sighting, found), strict=True)
    yield from _near_in_long(store, [queue for queue in queues if sizes[queue] > max(0, most)], jid, budget, came)


def _near_in_long(
    store: Store, queues: Sequence[str], jid: str, budget: Budget, came: float | None
) -> Iterator[tuple[str, Sighting[QueuedJob]]]:
    made = jids.moment(jid) if came is None else came
    places = store.search.locate(queues, made or 0.0, jid if came is None else "")
    for queue, (index, size) in zip(queues, places, strict=True):
        if made is None or not size:  # somebody may have cleared it meanwhile
            yield queue, Sighting(None, 0, size, complete=not size)
        else:
            yield queue, _around(store, queue, jid, budget, min(index + EARLIER, size - 1), size)


def _parts(queues: Sequence[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Queues that are short enough to be looked through together in the time that one call may take."""
    part: list[str] = []
    for queue in queues:
        if len(part) == AT_ONCE or sum(sizes[each] for each in part) + sizes[queue] > WINDOW:
            yield part
            part = []
        part.append(queue)
    if part:
        yield part


def through_queue(store: Store, queue: str, jid: str, budget: Budget) -> Sighting[QueuedJob]:
    """All of a queue, the newest job first."""
    return _sighting(_look(queue_region(store, queue), jid, 1, budget))


def _around(store: Store, queue: str, jid: str, budget: Budget, index: int, size: int) -> Sighting[QueuedJob]:
    """From a position on towards the newer jobs."""
    part = budget.part(NEAR)
    found = _look(queue_region(store, queue), jid, -1, part, Spot(index, size - 1 - index, 0.0))
    budget.count(found.looked_at)
    return Sighting(next(iter(found.jobs), None), found.looked_at, found.total, complete=bool(found.jobs))


def _look(region: Region[J], jid: str, way: Way, budget: Budget, spot: Spot | None = None) -> Found[J]:
    return run(region, Filter(text=jid), way, budget=budget, spot=spot, limit=1, only=lambda job: job.jid == jid)


def _sighting(*parts: Found[J]) -> Sighting[J]:
    """Of a place that was searched in several parts."""
    job = next((job for part in parts for job in part.jobs), None)
    complete = job is not None or all(part.complete for part in parts)
    return Sighting(job, sum(part.looked_at for part in parts), sum(part.total for part in parts), complete)
