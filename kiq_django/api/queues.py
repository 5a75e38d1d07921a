"""Queues: what waits in them, and how long already."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kiq_django import clock, jids
from kiq_django import store as stores
from kiq_django.api.budget import Budget
from kiq_django.api.filters import EVERYTHING, Filter
from kiq_django.api.finding import in_queue
from kiq_django.api.search import DOWN, UP, Found, Only, queue_region, search_page
from kiq_django.api.waiting import QueuedJob, check_name
from kiq_django.exceptions import ConfigurationError, StoreError
from kiq_django.store import Store
from kiq_django.store.queues import State

PAGE = 100
REMEMBERED = 3
"""Pages of which a walk remembers the jobs, to know them again when the list moves."""
CHUNK = 500


@dataclass(frozen=True, slots=True)
class QueueSummary:
    """The figures of one queue at one moment."""

    name: str
    size: int
    """Jobs that wait."""
    latency: float
    """Seconds that the job which comes next has waited; 0 for an empty queue."""
    paused: bool
    """Nobody fetches from it."""
    pause_note: Mapping[str, Any]
    """`by`, `reason` and `at` (epoch seconds) of the pause; empty when another program paused it."""
    suspects: int = 0
    """Jobs that were twice in the hands of a worker that died, and wait to run one at a time; not part of `size`."""


class Queue:
    """One queue, read anew at each question. Reading changes nothing, and it may change while it is read."""

    def __init__(self, name: str, store: Store | None = None) -> None:
        self.name = name
        self._store = store or stores.get()

    @classmethod
    def all(cls, store: Store | None = None) -> list["Queue"]:
        """Every queue that a job was ever pushed to, and every paused one, by name."""
        store = store or stores.get()
        return [cls(name, store) for name in sorted({*store.queues.names(), *store.queues.paused()})]

    @classmethod
    def summaries(cls, store: Store | None = None, names: Iterable[str] | None = None) -> list[QueueSummary]:
        """The figures of all queues, or of those named, in three round trips."""
        store = store or stores.get()
        wanted = [queue.name for queue in cls.all(store)] if names is None else list(names)
        return [_summary(store, state) for state in store.queues.states(wanted)]

    @property
    def lists(self) -> list["Queue"]:
        """The lists that it is made of, each as a queue of its own; one alone when it has no partitions.

        Of `bulk` with partitions `bulk:0` is the list that it has without them: others may push there.
        """
        return [Queue(name, self._store) for name in self._store.views(self.name)]

    # -- reading ----------------------------------------------------------------------------------

    def summary(self) -> QueueSummary:
        """All figures at once."""
        (found,) = self.summaries(self._store, [self.name])
        return found

    @property
    def size(self) -> int:
        """How many jobs wait."""
        return self._store.queues.sizes([self.name])[self.name]

    @property
    def next(self) -> QueuedJob | None:
        """The job that comes next."""
        oldest = self._store.queues.oldest([self.name])[self.name]
        return None if oldest is None else self._job(oldest)

    @property
    def latency(self) -> float:
        """Seconds that the job which comes next has waited; 0 for an empty queue."""
        job = self.next
        return job.latency if job else 0.0

    @property
    def paused(self) -> bool:
        """Nobody fetches from it."""
        return self.summary().paused

    def page(self, offset: int = 0, limit: int = PAGE, *, newest_first: bool = False) -> list[QueuedJob]:
        """So many jobs from a position on, the one that comes next first, or the one that came last."""
        found = self._store.queues.page(self.name, offset, limit, oldest_first=not newest_first)
        return [self._job(raw) for raw in found]

    def __iter__(self) -> Iterator[QueuedJob]:
        """Every job, the newest first, while others push, fetch and delete.

        A job that stays is not missed, unless more than a page before it is deleted between two pages.
        """
        return (self._job(raw) for page in self._pages(PAGE) for raw in page)

    def search(
        self,
        where: Filter = EVERYTHING,
        *,
        newest_first: bool = False,
        cursor: str = "",
        limit: int = PAGE,
        budget: Budget | None = None,
        only: Only[QueuedJob] | None = None,
    ) -> Found[QueuedJob]:
        """A page of the jobs that match, the next to run first, or the newest. As `JobSet.search`."""
        region, way = queue_region(self._store, self.name), UP if newest_first else DOWN
        return search_page(region, where, way, cursor=cursor, limit=limit, budget=budget, only=only)

    def find(self, jid: str, budget: Budget | None = None) -> QueuedJob | None:
        """The job of this id. None when it is not here, or not within the budget (`Budget()` unless given)."""
        if not jids.is_plausible(jid):
            return None
        return in_queue(self._store, self.name, jid, Budget() if budget is None else budget).job

    def _pages(self, limit: int) -> Iterator[list[bytes]]:
        """From the head on, where pushes shift everything and deletions shift it back.

        So each read begins as far back as the last one found jobs, and what was seen lately is left out.
        """
        seen: deque[list[bytes]] = deque(maxlen=REMEMBERED)
        position = 0
        for _ in range(2 * self.size // limit + 2):  # pushed to faster than read, a list would have no end
            start = max(0, position - len(seen[-1])) if seen else 0
            wanted = position - start + limit
            found = self._store.queues.page(self.name, start, wanted, oldest_first=False)
            known = {raw for page in seen for raw in page}
            seen.append([raw for raw in found if raw not in known])
            yield seen[-1]
            if len(found) < wanted:
                return
            position = start + wanted

    # -- acting -----------------------------------------------------------------------------------

    def pause(self, by: str = "", reason: str = "") -> None:
        """Keep every worker from fetching from it; what runs goes on. `by` and `reason` are for people."""
        self._store.queues.pause(self.name, {"by": by, "reason": reason, "at": clock.now()})

    def resume(self) -> bool:
        """Undo `pause`. False when it was not paused."""
        return self._store.queues.resume(self.name)

    def clear(self) -> int:
        """Delete it with all jobs that wait in it. Returns how many there were."""
        return self._left(self._store.queues.clear(self.name))

    def delete_job(self, jid: str, budget: Budget | None = None) -> bool:
        """Delete the job of this id. False when it is not here, or not within the budget."""
        job = self.find(jid, budget)
        return bool(self._left(int(job is not None and job.delete())))

    def move_all(self, to: str, progress: Callable[[int], object] | None = None) -> int:
        """Move the jobs that wait now to the back of another queue, in order. Returns how many were moved.

        Raises:
            ConfigurationError: the other name is not one of a queue, or is this one's.
        """
        if check_name(to) == self.name:
            raise ConfigurationError(f"The jobs of {to} are there already: name another queue")
        left = self.size
        done = 0
        while left > 0 and (moved := self._store.queues.move(self.name, to, min(left, CHUNK))):
            done, left = done + self._left(moved), left - moved
            if progress:
                progress(done)
        return done

    def _left(self, count: int) -> int:
        """Tell the figures of so many jobs that left without a run. Answers `count`."""
        with suppress(StoreError):  # then what came in is unknown for a minute; the jobs have left all the same
            self._store.flow.removed(self.name, count, clock.now())
        return count

    def _job(self, raw: bytes) -> QueuedJob:
        return QueuedJob(self._store, self._store.whole(self.name), raw)

    def __repr__(self) -> str:
        return f"<Queue {self.name}>"


def _summary(store: Store, state: State) -> QueueSummary:
    latency = QueuedJob(store, state.name, state.oldest).latency if state.oldest is not None else 0.0
    note = state.note if state.paused else {}
    return QueueSummary(state.name, state.size, latency, state.paused, note, state.suspects)
