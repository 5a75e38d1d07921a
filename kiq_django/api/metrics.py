"""How jobs did: runs, failures, run time and queue wait, by job, over one hour to three days."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from kiq_django import clock
from kiq_django import store as stores
from kiq_django.api.figures import Figures, JobFigures, JobTable, arranged
from kiq_django.api.periods import LONGEST, Period, moment
from kiq_django.api.sidekiq_figures import SidekiqFigures, larger
from kiq_django.store import Store
from kiq_django.store.metrics import JobMetrics
from kiq_django.store.sidekiq_metrics import SEPARATORS

__all__ = ["LONGEST", "PERIODS", "Figures", "JobFigures", "JobTable", "Metrics"]

PERIODS = {"1h": 60, "8h": 480, "24h": 1_440, "72h": 4_320}
"""Minutes of what a page offers: 60 steps of a minute, 48 of ten minutes, 24 and 72 of an hour."""
MOST_JOBS = 300
"""In a table."""


class Metrics:
    """Reads what workers count; figures appear within seconds after the run.

    A period is made of whole steps of a minute (up to 72 minutes), ten minutes (up to 12 hours) or an hour (up to three
    days), and ends with the step that is running. What Ruby's workers run is read from Sidekiq's own keys where such
    workers live or were seen: by ten minutes for periods beyond eight hours, and then without percentiles.
    """

    def __init__(self, store: Store | None = None, *, now: float | None = None) -> None:
        """`now`: epoch seconds of the end of all periods; the present unless given."""
        self._store = store or stores.get()
        self._now = clock.now() if now is None else now

    def table(
        self,
        minutes: int = 60,
        *,
        sort: str = "total",
        descending: bool = True,
        offset: int = 0,
        limit: int = 50,
        compare: bool = False,
    ) -> JobTable:
        """A page of the jobs that ran in the last minutes, in at most six round trips.

        Args:
            sort: a key of `kiq_django.api.figures.COLUMNS`.
            compare: with what each did in as much time before. Of that only our own workers' runs are known.

        Raises:
            ValueError: so many minutes are not kept, or there is no such column.
        """
        period = Period.last(minutes, self._now)
        names, left_out = self._store.metrics.names(period.days(), MOST_JOBS)
        found = self._store.metrics.sums(names, period.cover())
        if not any(seen.runs for seen in found.values()) or self._store.others.were_here():
            theirs = SidekiqFigures(self._store.sidekiq_metrics, period).sums()
            found |= {name: larger(found.get(name) or JobMetrics(), seen) for name, seen in theirs.items()}
        jobs = [_job(name, seen) for name, seen in found.items() if seen.runs]
        rows = arranged(jobs, sort, descending=descending)[offset : offset + limit]
        if compare and rows:
            rows = self._compared(rows, period)
        return JobTable(
            rows=tuple(rows), count=len(jobs), left_out=left_out, begin=moment(period.begin), end=moment(self._now)
        )

    def top_jobs(self, minutes: int = 60, limit: int = 50) -> list[JobFigures]:
        """The jobs that took most time in the last minutes, so many of them.

        Raises:
            ValueError: so many minutes are not kept.
        """
        return list(self.table(minutes, limit=limit).rows)

    def for_job(self, name: str, minutes: int = 60, *, compare: bool = False) -> JobFigures:
        """One job in the last minutes, step by step; figures of 0 for an unknown one.

        Raises:
            ValueError: so many minutes are not kept.
        """
        name, period = name.translate(SEPARATORS), Period.last(minutes, self._now)
        steps = self._store.metrics.series(name, period.step, period.begins)
        if not any(seen.runs for seen in steps) or self._store.others.were_here():
            theirs = SidekiqFigures(self._store.sidekiq_metrics, period).series(name)
            steps = [larger(*pair) for pair in zip(steps, theirs, strict=True)]
        moments = tuple(map(moment, period.begins))
        series = {begin: _figures(seen) for begin, seen in zip(moments, steps, strict=True) if seen.runs}
        job = replace(_job(name, _sum(steps)), step=period.step.seconds, moments=moments, series=series)
        return self._compared([job], period)[0] if compare else job

    def marks(self, minutes: int = 60) -> dict[datetime, str]:
        """Deploys in the last minutes: minute (UTC) and label, the first first."""
        end = moment(self._now)
        begin = end - timedelta(minutes=minutes)
        found = self._store.deploys.marks(_days(begin.date(), end.date()))
        return {when: found[when] for when in sorted(found) if begin <= when <= end}

    def mark(self, label: str) -> bool:
        """Note a deploy, now. False when the same label was noted within the last minute, by another host say."""
        return self._store.deploys.mark(label, self._now)

    def _compared(self, jobs: Sequence[JobFigures], period: Period) -> list[JobFigures]:
        before = self._store.metrics.sums([job.name for job in jobs], period.cover_before())
        return [replace(job, before=_figures(before[job.name])) for job in jobs]


def _job(name: str, seen: JobMetrics) -> JobFigures:
    return JobFigures(
        name=name, runs=seen.runs, failures=seen.failures, total_ms=int(seen.run_ms), run=seen.run, wait=seen.wait
    )


def _figures(seen: JobMetrics) -> Figures:
    return Figures(runs=seen.runs, failures=seen.failures, total_ms=int(seen.run_ms), run=seen.run, wait=seen.wait)


def _sum(steps: Iterable[JobMetrics]) -> JobMetrics:
    total = JobMetrics()
    for seen in steps:
        total.merge(seen)
    return total


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=day) for day in range((last - first).days + 1))
