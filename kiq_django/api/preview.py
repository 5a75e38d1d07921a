"""What an operation would be about, before anybody starts it."""

from collections import Counter
from dataclasses import dataclass

from kiq_django.api.budget import Budget
from kiq_django.api.deeds import deed
from kiq_django.api.filters import Filter
from kiq_django.api.labour import FIRST, stride
from kiq_django.api.operation import Operation
from kiq_django.api.records import JobRecord
from kiq_django.store import Store

SHOWN = 10
"""Jobs shown."""
SPLIT = 20
"""Names, and queues, that are told apart."""
Share = tuple[str, int]
"""A name, and how many jobs have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The jobs that match now."""

    count: int
    """How many; at least so many when it is not complete."""
    complete: bool
    """`count` is exact. Shares and times are so only when `looked_at` is `size`."""
    size: int
    """Jobs in the place, between the times of the filter."""
    looked_at: int
    """How far the budget went."""
    names: tuple[Share, ...]
    """Jobs by the name for people, the most first; empty is what cannot be read. Of those looked at, the first 20."""
    queues: tuple[Share, ...]
    """The same by queue."""
    oldest: float | None
    """The earliest time among them, epoch seconds: enqueued (queue), due (schedule, retry) or died (dead)."""
    newest: float | None
    """The latest."""
    jobs: tuple[JobRecord, ...]
    """The first 10."""


class Survey:
    """Counts what matches."""

    def __init__(self) -> None:
        self.count = 0
        self.names: Counter[str] = Counter()
        self.queues: Counter[str] = Counter()
        self.jobs: list[JobRecord] = []
        self.times: list[float] = []

    def add(self, job: JobRecord) -> None:
        """One job that matches."""
        self.count += 1
        self.names[job.display_name] += 1
        self.queues[job.queue] += 1
        if len(self.jobs) < SHOWN:
            self.jobs.append(job)
        time = job.enqueued_at if job.place == "queue" else job.at
        if time is not None:
            self.times = [min(time, *self.times), max(time, *self.times)] if self.times else [time, time]


def survey(store: Store, operation: Operation, budget: Budget) -> Preview:
    """Go through the place of an operation that was not started, in the order in which it would."""
    where = operation.where
    current = deed(store, operation)
    walk, found, looked_at, cursor, limit = current.walk(), Survey(), 0, b"", FIRST
    may_match = where.sieve()
    while True:
        page = walk.read(cursor, limit)
        for each in page.found:
            if may_match(each.raw) and where.matches(job := current.job(each)):
                found.add(job)
        looked_at += len(page.found)
        cursor, limit = walk.after(cursor, page, {each.raw for each in page.found}), stride(page, limit)
        if page.is_last or not budget.spend(len(page.found)):
            break
    return _preview(found, operation, looked_at, complete=page.is_last)


def _preview(found: Survey, operation: Operation, looked_at: int, *, complete: bool) -> Preview:
    """With nothing to look for inside of the jobs, all that are there match, seen or not."""
    untold = not complete and operation.where == Filter(
        due_from=operation.where.due_from, due_to=operation.where.due_to
    )
    return Preview(
        count=operation.size if untold else found.count,
        complete=complete or untold,
        size=operation.size,
        looked_at=looked_at,
        names=tuple(found.names.most_common(SPLIT)),
        queues=tuple(found.queues.most_common(SPLIT)),
        oldest=found.times[0] if found.times else None,
        newest=found.times[1] if found.times else None,
        jobs=tuple(found.jobs),
    )
