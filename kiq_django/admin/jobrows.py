"""Jobs of a queue or of a set as rows of a list: all of them page by page, or those that match a filter.

The key of a row is the job's id with a time: when it is due or died, or when it came into its queue, as in
`9f1c0a77d2e14b6c8a01f3e5:1795377711.5`. The time is a hint where to look, the id decides: a job that has moved
meanwhile is reported as gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model

from kiq_django.admin.lazily import api, store, submodule
from kiq_django.admin.lists import PER_PAGE, Rows

if TYPE_CHECKING:
    from kiq_django.api import Found, JobRecord
    from kiq_django.api.filters import Filter
    from kiq_django.store.keys import SetName

MOST_CHOSEN = 200
"""Rows that one form may name; a page shows fewer."""


def key_of(job: JobRecord) -> str:
    """What stands in a form for a job."""
    return f"{job.jid}:{(job.enqueued_at if job.place == 'queue' else job.at)!r}"


def split_key(key: str) -> tuple[str, float | None]:
    """The id and the time of a key from a form; no time when it is none."""
    jid, _, text = key.rpartition(":")
    try:
        at = float(text)
    except ValueError:
        return jid, None
    return jid, at if math.isfinite(at) else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where jobs lie, and in which order they are shown."""

    kind: Literal["queue", "schedule", "retry", "dead"]
    queue: str = ""
    downwards: bool = False
    """The newest first; in a set, the latest time first."""

    def size(self) -> int:
        """Jobs that are there."""
        found = self._queue if self.kind == "queue" else self._set
        return int(found.size)

    def page(self, offset: int, limit: int) -> Sequence[JobRecord]:
        """So many from a position on."""
        if self.kind == "queue":
            return list(self._queue.page(offset, limit, newest_first=self.downwards))
        return list(self._set.page(offset, limit, latest_first=self.downwards))

    def search(self, where: Filter, cursor: str) -> Found[Any]:
        """What matches, as far as a page may search.

        Raises:
            ValueError: the cursor is not one of this search.
        """
        region, way = self.region(where)
        search = submodule("search")
        found: Found[Any] = search.search_page(region, where, way, cursor=cursor, limit=PER_PAGE)
        return found

    def region(self, where: Filter) -> tuple[Any, Any]:
        """Where `api.search` looks, and which way."""
        search = submodule("search")
        if self.kind == "queue":  # the one that comes next lies at the upper end
            return search.queue_region(store(), self.queue), search.UP if self.downwards else search.DOWN
        return search.set_region(store(), self.kind, where), search.DOWN if self.downwards else search.UP

    def find(self, jid: str, at: float | None) -> JobRecord | None:
        """One job that a form names."""
        if self.kind == "queue":
            found = api.find_job(jid, None, store(), hint=api.Hint(place="queue", queue=self.queue, at=at))
            return found if found and found.place == "queue" and found.queue == self.queue else None
        jobs = self._set.find_by_score(at, jid) if at is not None else []
        return jobs[0] if jobs else None

    @property
    def _queue(self) -> Any:
        return api.Queue(self.queue, store())

    @property
    def _set(self) -> Any:
        name: SetName = self.kind  # type: ignore[assignment]
        return submodule("sets").SETS[name](store())


class JobRows(Rows):
    """The rows of one place."""

    def __init__(self, place: Place, make: type[Any], where: Filter | None = None, cursor: str = "") -> None:
        self.place = place
        self.make = make
        self.where: Filter = where or submodule("filters").EVERYTHING
        self.cursor = cursor

    def only(self, **fields: Any) -> JobRows:
        """Those that match this as well; see `api.filters.Filter`."""
        return JobRows(self.place, self.make, replace(self.where, **fields), self.cursor)

    @property
    def is_search(self) -> bool:
        """Not all jobs of the place are shown, so there are no numbered pages."""
        return not self.where.is_empty

    @cached_property
    def found(self) -> Found[Any]:
        """What the search has found."""
        try:
            return self.place.search(self.where, self.cursor)
        except ValueError as error:  # a cursor that was tampered with, or is too old
            raise IncorrectLookupParameters(str(error)) from error

    def count(self) -> int:
        return len(self.found.jobs) if self.is_search else self.place.size()

    def read(self, offset: int, limit: int) -> Sequence[Model]:
        jobs = self.found.jobs if self.is_search else self.place.page(offset, limit)
        return [self.row(job) for job in jobs]

    def chosen(self, keys: Sequence[str]) -> Sequence[Model]:
        return [self.row(job) for job in self._named(keys)]

    def row(self, job: JobRecord) -> Model:
        """A row that carries its job along as `record`."""
        made = self.make(key=key_of(job))
        made.record = job
        return made  # type: ignore[no-any-return]

    def _named(self, keys: Sequence[str]) -> Iterator[JobRecord]:
        for key in dict.fromkeys(keys[:MOST_CHOSEN]):
            if job := self.place.find(*split_key(key)):
                yield job
