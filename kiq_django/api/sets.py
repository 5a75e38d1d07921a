"""The schedule, the retries and the dead: pages, searches, and actions on all that match."""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import ClassVar

from kiq_django import clock, jids
from kiq_django import store as stores
from kiq_django.api.budget import Budget
from kiq_django.api.filters import EVERYTHING, Filter
from kiq_django.api.finding import in_set
from kiq_django.api.search import DOWN, UP, Found, Only, search_page, set_region, walk
from kiq_django.api.waiting import SortedJob, again, announce_kill, forgiven
from kiq_django.store import Store
from kiq_django.store.keys import SetName
from kiq_django.store.search import Way
from kiq_django.store.sets import Promotion, Transfer

Progress = Callable[[int], object]
"""Called after each chunk with the number of jobs done so far."""
CHUNK = 100


class JobSet:
    """Jobs sorted by a time, in Redis. Reading it changes nothing, and it may change while it is read."""

    name: ClassVar[SetName]

    def __init__(self, store: Store | None = None) -> None:
        self._store = store or stores.get()

    @property
    def size(self) -> int:
        """How many jobs are in it."""
        return self._store.sets.count(self.name)

    def page(self, offset: int = 0, limit: int = 100, *, latest_first: bool = False) -> list[SortedJob]:
        """So many jobs from a position on, by time."""
        found = self._store.sets.page(self.name, offset, limit, reverse=latest_first)
        return [self._job(*pair) for pair in found]

    def search(
        self,
        where: Filter = EVERYTHING,
        *,
        latest_first: bool = False,
        cursor: str = "",
        limit: int = 100,
        budget: Budget | None = None,
        only: Only[SortedJob] | None = None,
    ) -> Found[SortedJob]:
        """A page of the jobs that match, by time: as many as the limit says, or as the budget lets it find.

        Others may add, move and delete jobs between two pages: what stays where it is is on one of them.

        Args:
            where: what to look for; see `kiq_django.api.texts` for what contains a text.
            latest_first: the order.
            cursor: `next` of the page before.
            limit: jobs at most, up to 200.
            budget: `Budget.of_a_page()` unless given.
            only: a question of one's own, asked of each job that matches.

        Raises:
            ValueError: the cursor is not one of this set and order, or the limit is none.
        """
        region, way = set_region(self._store, self.name, where), DOWN if latest_first else UP
        return search_page(region, where, way, cursor=cursor, limit=limit, budget=budget, only=only)

    def __iter__(self) -> Iterator[SortedJob]:
        """Every job, the latest first. Those that come or go meanwhile may be in it or not; deleting is allowed."""
        return self.scan("")

    def scan(self, text: str, budget: Budget | None = None, *, latest_first: bool = True) -> Iterator[SortedJob]:
        """Jobs that contain a text, letter by letter, in order of time. Without a budget it goes through all.

        The order matters where others add jobs meanwhile: what they add is later as a rule.
        """
        for found in self._walk(text, budget, DOWN if latest_first else UP):
            yield from found.jobs

    def find(self, jid: str, budget: Budget | None = None) -> SortedJob | None:
        """The job of this id. None when it is not here, or not within the budget (`Budget()` unless given)."""
        if not jids.is_plausible(jid):
            return None
        return in_set(self._store, self.name, jid, Budget() if budget is None else budget).job

    def find_by_score(self, score: float, jid: str | None = None) -> list[SortedJob]:
        """Jobs of exactly this time, and of this id when one is given. Quick, in a set of any size."""
        jobs = [self._job(raw, score) for raw in self._store.sets.at_score(self.name, score)]
        return [job for job in jobs if jid is None or job.jid == jid]

    def reschedule(self, job: SortedJob, when: datetime | float) -> bool:
        """Give a job another time. False when it is no longer here."""
        return job.reschedule(when)

    def delete(self, jobs: Sequence[SortedJob]) -> int:
        """Delete jobs in one step. Returns how many were still here."""
        return self._store.sets.remove(self.name, [job.raw for job in jobs])

    def delete_all(self, text: str = "", progress: Progress | None = None) -> int:
        """Delete all jobs whose JSON contains a text. Returns how many."""
        return self._in_chunks(text, self.delete, progress)

    def clear(self) -> int:
        """Delete all jobs in one step. Returns how many there were."""
        return self._store.sets.clear(self.name)

    def retry(self, jobs: Sequence[SortedJob], *, spread: float = 0) -> int:
        """Run jobs now, or each at a random time within `spread` seconds. Returns how many were still here."""
        readable = [job for job in jobs if job.payload]
        return self._spread(readable, spread) if spread else self._promote(readable)

    def retry_all(self, text: str = "", progress: Progress | None = None, *, spread: float = 0) -> int:
        """Run all jobs whose JSON contains a text now, or each at a random time within `spread` seconds.

        What cannot be read stays. A job that fails meanwhile and comes back is not retried once more.

        Returns:
            How many jobs were moved: those that somebody else took out meanwhile do not count.
        """
        seen: set[str] = set()

        def act(jobs: Sequence[SortedJob]) -> int:
            fresh = [job for job in jobs if job.payload and job.jid not in seen]
            seen.update(job.jid for job in fresh)
            return self._spread(fresh, spread) if spread else self._promote(fresh)

        return self._in_chunks(text, act, progress)

    def _promote(self, jobs: Sequence[SortedJob]) -> int:
        moves = [Promotion(job.raw, job.queue, again(job.payload).encode()) for job in jobs if job.payload]
        return sum(self._store.sets.promote(self.name, moves)) if moves else 0

    def _spread(self, jobs: Sequence[SortedJob], seconds: float) -> int:
        """Into a set from which the poller takes them."""
        to: SetName = "schedule" if self.name == "schedule" else "retry"
        start = clock.now()
        moves = [
            Transfer(job.raw, forgiven(job.payload).encode(), start + random.random() * seconds)  # noqa: S311
            for job in jobs
            if job.payload
        ]
        return sum(self._store.sets.transfer(self.name, to, moves)) if moves else 0

    def _in_chunks(self, text: str, act: Callable[[Sequence[SortedJob]], int], progress: Progress | None) -> int:
        """One walk over the set: it ends, although jobs that are moved out may come back."""
        done = 0
        for found in self._walk(text):
            for start in range(0, len(found.jobs), CHUNK):
                done += act(found.jobs[start : start + CHUNK])
                if progress:
                    progress(done)
        return done

    def _walk(self, text: str, budget: Budget | None = None, way: Way = DOWN) -> Iterator[Found[SortedJob]]:
        """From the latest on, where nobody adds any: so that the walk comes to an end."""
        where = Filter(text=text)
        return walk(set_region(self._store, self.name, where), where, way, budget or Budget.without_end())

    def _job(self, raw: bytes, score: float) -> SortedJob:
        return SortedJob(self._store, self.name, raw, score)

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class KillableSet(JobSet):
    """Jobs that have their runs still ahead."""

    def kill_all(self, text: str = "", progress: Progress | None = None) -> int:
        """Put all jobs whose JSON contains a text into the dead set. Returns how many; see `JobRecord.kill`."""
        return self._in_chunks(text, self._kill, progress)

    def _kill(self, jobs: Sequence[SortedJob]) -> int:
        moves = [Transfer(job.raw, job.raw) for job in jobs]
        moved = self._store.sets.transfer(self.name, "dead", moves) if moves else []
        return sum(announce_kill(job, done) for job, done in zip(jobs, moved, strict=True))


class ScheduledSet(KillableSet):
    """Jobs that were enqueued for later."""

    name = "schedule"


class RetrySet(KillableSet):
    """Jobs that failed and are to be tried again."""

    name = "retry"


class DeadSet(JobSet):
    """Jobs that failed for good, or were killed: the last 10,000 of the last 180 days (`KIQ["LIMITS"]`)."""

    name = "dead"


SETS: dict[SetName, type[JobSet]] = {cls.name: cls for cls in (ScheduledSet, RetrySet, DeadSet)}
