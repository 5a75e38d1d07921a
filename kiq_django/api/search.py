"""Search in one place, in order and within a budget: what matches, how far it went, where to go on.

Redis passes over what cannot match by its bytes; whether a job does match is decided here, on the decoded job.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from kiq_django.api import cursors
from kiq_django.api.budget import Budget
from kiq_django.api.filters import EVERYTHING, Filter
from kiq_django.api.records import JobRecord
from kiq_django.api.texts import quoted, spellings
from kiq_django.api.waiting import QueuedJob, SortedJob
from kiq_django.payload import Payload
from kiq_django.store import Store
from kiq_django.store.keys import SetName
from kiq_django.store.search import HITS, WINDOW, Member, Scope, Search, Spot, Texts, Way, Window

UP: Way = 1
DOWN: Way = -1
MOST = 200
"""Jobs on one page."""
MOST_BYTES = 8 * 1024 * 1024
"""Of payloads on one page; jobs may be large."""

J = TypeVar("J", bound=JobRecord)
Only = Callable[[J], bool]
"""A question of one's own about a decoded job."""


@dataclass(frozen=True, slots=True)
class Found(Generic[J]):
    """What one search found. «Searched `passed` of `total`», and a link to go on with `next`, tell all about it."""

    jobs: tuple[J, ...]
    """What matches, in order."""
    looked_at: int
    """Jobs that this search went through."""
    passed: int
    """Jobs that lie behind it, those of the searches that led here included."""
    total: int
    """Jobs that are there, between the times of the filter."""
    next: str
    """The cursor of the next search; empty when there is nothing left, or nothing has begun."""
    complete: bool
    """The search has come to the end."""


@dataclass(frozen=True, slots=True)
class Region(Generic[J]):
    """A place that can be searched, and what its members are."""

    search: Search
    scope: Scope
    make: Callable[[Member], J]

    def window(self, texts: Texts, way: Way, spot: Spot | None, *, members: int, hits: int) -> Window:
        """One step."""
        return self.search.window(self.scope, texts, way, spot, members=members, hits=hits)


def queue_region(store: Store, queue: str) -> Region[QueuedJob]:
    """A queue; up is from the newest job to the one that comes next."""
    whole = store.whole(queue)
    return Region(store.search, store.search.queue(queue), lambda member: QueuedJob(store, whole, member.raw))


def set_region(store: Store, name: SetName, where: Filter = EVERYTHING) -> Region[SortedJob]:
    """A set between the times of a filter; up is from the earliest to the latest."""
    scope = store.search.job_set(name, where.low, where.high)
    return Region(store.search, scope, lambda member: SortedJob(store, name, member.raw, member.score or 0.0))


def search_page(
    region: Region[J],
    where: Filter,
    way: Way,
    *,
    cursor: str = "",
    limit: int = MOST,
    budget: Budget | None = None,
    only: Only[J] | None = None,
) -> Found[J]:
    """`run` for people: with a limit, and the budget of a page unless another one is given.

    Raises:
        ValueError: the limit is not 1 to 200, or the cursor is not one of this search.
    """
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit must be 1 to {MOST}, not {limit!r}")
    spot = cursors.read(cursor, region.scope, way)
    return run(region, where, way, spot=spot, limit=limit, budget=budget or Budget.of_a_page(), only=only)


def run(
    region: Region[J],
    where: Filter,
    way: Way,
    *,
    budget: Budget,
    spot: Spot | None = None,
    limit: int = HITS,
    only: Only[J] | None = None,
) -> Found[J]:
    """Search until so many jobs are found, the budget is used up, or the end is reached."""
    texts, harvest = needles(where, region.scope), _Harvest(region.make, where, only, limit)
    if texts is None:
        size = region.window((), way, None, members=0, hits=0).size
        return Found((), 0, size, size, "", complete=True)
    looked_at, members = 0, budget.allowance(WINDOW)
    while True:
        window = region.window(texts, way, spot, members=members, hits=harvest.wanted)
        end = harvest.take(window.hits) or window.next
        index = end.position if end else None
        budget.count(window.looked_at())
        looked_at += window.looked_at(index)
        spot = window.spot(end) if end else None
        if spot is None or harvest.is_full:
            break
        members = budget.allowance(WINDOW)
        if not members:
            break
    cursor = cursors.written(spot, region.scope, way) if spot else ""
    return Found(tuple(harvest.jobs), looked_at, window.passed(index), window.size, cursor, complete=spot is None)


def run_short(regions: Sequence[Region[J]], where: Filter, way: Way, budget: Budget, only: Only[J]) -> list[Found[J]]:
    """Search the first window of each of several short places, which belong to one store, in one round trip."""
    texts = needles(where, regions[0].scope)
    members = budget.allowance(WINDOW)
    if texts is None or not members:
        return [Found((), 0, 0, 0, "", complete=texts is None) for _ in regions]
    windows = regions[0].search.windows([region.scope for region in regions], texts, way, members=members)
    return [_of_window(region, window, where, budget, only) for region, window in zip(regions, windows, strict=True)]


def _of_window(region: Region[J], window: Window, where: Filter, budget: Budget, only: Only[J]) -> Found[J]:
    harvest = _Harvest(region.make, where, only, HITS)
    harvest.take(window.hits)
    budget.count(window.looked_at())
    is_all = window.next is None
    return Found(tuple(harvest.jobs), window.looked_at(), window.passed(), window.size, "", complete=is_all)


def walk(region: Region[J], where: Filter, way: Way, budget: Budget, only: Only[J] | None = None) -> Iterator[Found[J]]:
    """`run` again and again, as long as the budget lasts. What was found may be moved before the next step."""
    spot = None
    while True:
        found = run(region, where, way, budget=budget, spot=spot, only=only)
        yield found
        if found.complete or budget.exhausted:
            return
        spot = cursors.read(found.next, region.scope, way)


def needles(where: Filter, scope: Scope) -> Texts | None:
    """What stands in the bytes of every job that matches, in one of its spellings. None when no job can match.

    A job in a queue need not name that queue inside: it may have been moved there.
    """
    found = [spellings(where.text)] if where.text else []
    found += [quoted(text) for text in (where.name, where.error_class) if text]
    if scope.kind == "zset" and where.queue not in ("", Payload({}).queue):
        found.append(quoted(where.queue))
    return found if all(found) else None


class _Harvest(Generic[J]):
    """Takes what matches, until it has enough."""

    def __init__(self, make: Callable[[Member], J], where: Filter, only: Only[J] | None, limit: int) -> None:
        self._make = make
        self._where = where
        self._only = only
        self._limit = limit
        self._bytes = 0
        self.jobs: list[J] = []

    @property
    def is_full(self) -> bool:
        return len(self.jobs) >= self._limit or self._bytes > MOST_BYTES

    @property
    def wanted(self) -> int:
        """How many hits to ask for: where bytes do not decide, most of them may turn out to be none."""
        is_vague = self._where.fingerprint or (self._only and not self._where.text)
        return HITS if is_vague else self._limit - len(self.jobs)

    def take(self, hits: Sequence[Member]) -> Member | None:
        """Take what matches. Returns the first that was not looked at, when there is enough before it."""
        for hit in hits:
            if self.is_full:
                return hit
            job = self._make(hit)
            if self._accepts(job):
                self.jobs.append(job)
                self._bytes += len(hit.raw)
        return None

    def _accepts(self, job: J) -> bool:
        return self._where.matches(job) and (self._only is None or self._only(job))
