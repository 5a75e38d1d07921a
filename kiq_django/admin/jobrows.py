"""Jobs of a sorted set as rows of a list.

The key of a row is the job's id with the time by which the set is sorted: `9f1c0a77d2e14b6c8a01f3e5:1795377711.5`.
The time is a hint where to look, the id decides: a job that has moved meanwhile is reported as gone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kiq_django.admin.lists import Rows
from kiq_django.models import Shown

if TYPE_CHECKING:
    from kiq_django.api import JobRecord, JobSet, SortedJob

MOST_CHOSEN = 200
"""Rows that one form may name; a page shows fewer."""


def key_of(job: JobRecord) -> str:
    """What stands in a form for a job of a set."""
    return f"{job.jid}:{job.at!r}"


def split_key(key: str) -> tuple[str, float | None]:
    """The id and the time of a key from a form; no time when it is none."""
    jid, _, text = key.partition(":")
    try:
        at = float(text)
    except ValueError:
        return jid, None
    return jid, at if math.isfinite(at) else None


class SetRows(Rows):
    """One of the sets, in order."""

    def __init__(self, jobs: JobSet, make: type[Shown], *, latest_first: bool) -> None:
        self.jobs = jobs
        self.make = make
        self.latest_first = latest_first

    def count(self) -> int:
        return self.jobs.size

    def read(self, offset: int, limit: int) -> Sequence[Shown]:
        return self.rows(self.jobs.page(offset, limit, latest_first=self.latest_first))

    def rows(self, found: Sequence[SortedJob]) -> list[Shown]:
        """A row for each job; the job itself is its `record`."""
        return [row(self.make, job, key_of) for job in found]

    def chosen(self, keys: Sequence[str]) -> Sequence[Shown]:
        wanted = [split_key(key) for key in keys[:MOST_CHOSEN]]
        found = [self.jobs.find_by_score(at, jid) for jid, at in wanted if at is not None]
        return self.rows([job for jobs in found for job in jobs[:1]])


def row(make: type[Shown], record: JobRecord, key: Callable[[JobRecord], str]) -> Shown:
    """A row that carries its job along."""
    made = make(key=key(record))
    made.record = record  # type: ignore[attr-defined]
    return made
