"""Where is this job?"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from kiq_django import clock, jids
from kiq_django import store as stores
from kiq_django.api import attempts
from kiq_django.api.budget import Budget
from kiq_django.api.filters import Filter
from kiq_django.api.finding import Sighting, in_set, near_in_queues, through_queue
from kiq_django.api.processes import WorkSet
from kiq_django.api.queues import Queue
from kiq_django.api.records import JobRecord, Place
from kiq_django.api.sets import SETS, JobSet
from kiq_django.api.texts import spellings
from kiq_django.store import Store
from kiq_django.store.keys import SetName
from kiq_django.store.search import WINDOW

ORDER: tuple[SetName, ...] = ("dead", "schedule", "retry")
"""Of a job that was made lately, the dead are done with soonest: only those count that died since."""
LONGEST_NAME = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Where a job was seen last. A wrong one costs a moment and no more."""

    place: Place
    queue: str = ""
    """Of a job in a queue."""
    at: float | None = None
    """Its time in a set, or when it came into its queue, epoch seconds: exactly."""

    @classmethod
    def of(cls, record: JobRecord) -> "Hint":
        """For the link to a job that is shown."""
        if record.place == "queue":
            return cls(place="queue", queue=record.queue, at=record.enqueued_at)
        return cls(place=record.place, at=record.at)

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Hint | None":
        """`place`, `queue` and `at` of an address. None when they make no sense; any text is safe to give."""
        place, queue = given.get("place", ""), given.get("queue", "")
        if place not in get_args(Place) or len(queue) > LONGEST_NAME or not queue.isprintable():
            return None
        return cls(place=cast("Place", place), queue=queue, at=_moment(given.get("at", "")))


@dataclass(frozen=True, slots=True)
class Look:
    """One place where a job was looked for without success."""

    place: Place
    queue: str
    """Of a place that is a queue."""
    looked_at: int
    total: int
    """Jobs that are there."""
    complete: bool
    """It is not there."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """What came of the question."""

    job: JobRecord | None
    looks: tuple[Look, ...]
    """Where else it was looked for, as far as the search came; a place that is not among them was not searched."""
    complete: bool
    """It was found, or it is nowhere. If not, the budget was used up: it may be in what was not looked at."""


def find_job(
    jid: str, budget: Budget | None = None, store: Store | None = None, *, hint: Hint | None = None
) -> JobRecord | None:
    """Look for a job everywhere. See `look_up`, which tells where it was looked for, too.

    Args:
        jid: its id.
        budget: for all places together; `Budget()` unless given. Its `exhausted` tells, after a search without
            success, whether the search was complete.
        store: where; the one of the settings unless given.
        hint: where it was seen last.
    """
    return look_up(jid, budget, store, hint=hint).job


def look_up(jid: str, budget: Budget | None = None, store: Store | None = None, *, hint: Hint | None = None) -> LookUp:
    """Look for a job everywhere, where it is found soonest first: by the hint, by the record of its failures, among
    the running, where it should be in its queue; then through the sets and the queues, as far as the budget goes.

    A text that can be no id is answered without asking Redis. The arguments are those of `find_job`.
    """
    if not jids.is_plausible(jid):
        return LookUp(None, (), complete=True)
    return _Quest(store or stores.get(), jid, Budget() if budget is None else budget, hint).go()


def _moment(text: str) -> float | None:
    try:
        moment = float(text)
    except ValueError:
        return None
    return moment if math.isfinite(moment) else None


class _Quest:
    """One question on its way from place to place."""

    def __init__(self, store: Store, jid: str, budget: Budget, hint: Hint | None) -> None:
        self._store = store
        self._jid = jid
        self._budget = budget
        self._hint = hint
        self._began = clock.now()
        self._queues: list[str] = []
        self._looks: dict[tuple[Place, str], Look] = {}

    def go(self) -> LookUp:
        """The first that is it."""
        job = next(filter(None, self._everywhere()), None)
        return LookUp(job, tuple(self._looks.values()), complete=job is not None or not self._budget.exhausted)

    def _everywhere(self) -> Iterator[JobRecord | None]:
        yield from self._hinted()
        yield self._failed()
        yield self._running()
        yield from self._near()
        yield self._taken()
        yield self._suspected()
        yield from self._through()
        if not self._budget.exhausted:  # it may have moved meanwhile, to where we had been already
            yield self._failed()
            yield self._running()
            yield from self._near(self._began)
            yield self._taken()

    def _hinted(self) -> Iterator[JobRecord | None]:
        hint = self._hint
        if hint and hint.queue and hint.place == "queue":
            yield from self._in_queues([hint.queue], hint.at)
        elif hint and hint.place in SETS:
            place = SETS[hint.place](self._store)
            yield from place.find_by_score(hint.at, self._jid) if hint.at is not None else self._latest(place)

    def _latest(self, place: JobSet) -> tuple[JobRecord, ...]:
        """What came into the dead set just now is the last in it."""
        budget = self._budget.part(WINDOW)
        found = place.search(Filter(text=self._jid), latest_first=True, limit=1, budget=budget, only=self._is_it)
        self._budget.count(found.looked_at)
        return found.jobs

    def _is_it(self, job: JobRecord) -> bool:
        return job.jid == self._jid

    def _failed(self) -> JobRecord | None:
        """A job that has failed has a record, which knows where it waits for its next run."""
        found = attempts.history(self._jid, self._store)
        return attempts.locate(found, self._store) if found else None

    def _running(self) -> JobRecord | None:
        """What the processes told at their last beat."""
        works = list(WorkSet(self._store))
        self._looks["running", ""] = Look("running", "", len(works), len(works), complete=True)
        return next((work.record for work in works if self._is_it(work.record)), None)

    def _taken(self) -> JobRecord | None:
        """What they have taken, be it since that beat, or not begun yet."""
        inside = spellings(self._jid)
        for queue, raw in self._store.search.held():
            if any(each in raw for each in inside):
                job = JobRecord(raw, "running", queue=queue)
                if self._is_it(job):
                    return job
        return None

    def _suspected(self) -> JobRecord | None:
        """Those that wait to be let out one at a time."""
        jobs = (JobRecord.suspect(raw, queue) for queue, raw in self._store.suspects.held(self._queues))
        return next(filter(self._is_it, jobs), None)

    def _near(self, came: float | None = None) -> Iterator[JobRecord | None]:
        """Where it should be in its queue, or where it is if it came there since then."""
        self._queues = [queue.name for queue in Queue.all(self._store)]
        yield from self._in_queues(self._queues, came)

    def _in_queues(self, queues: Sequence[str], came: float | None) -> Iterator[JobRecord | None]:
        for queue, found in near_in_queues(self._store, queues, self._jid, self._budget, came):
            yield self._note("queue", queue, found)

    def _through(self) -> Iterator[JobRecord | None]:
        """Everything that was not looked at yet, as far as the budget goes."""
        for name in ORDER:
            if self._budget.exhausted:
                return
            yield self._note(name, "", in_set(self._store, name, self._jid, self._budget))
        for queue in self._queues:
            if self._budget.exhausted:
                return
            if not self._looks["queue", queue].complete:
                yield self._note("queue", queue, through_queue(self._store, queue, self._jid, self._budget))

    def _note(self, place: Place, queue: str, found: Sighting[Any]) -> JobRecord | None:
        before = self._looks.get((place, queue))
        if found.job is None and not (before and before.complete):
            self._looks[place, queue] = Look(place, queue, found.looked_at, found.total, found.complete)
        job: JobRecord | None = found.job
        return job
