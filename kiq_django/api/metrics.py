"""How jobs did: runs, failures, run time and queue wait, by job and minute."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

from kiq_django import clock, histogram
from kiq_django import store as stores
from kiq_django.store import Store

LONGEST_BY_MINUTE = 480
"""Minutes that figures of single minutes, and histograms, are kept."""
LONGEST = 4320
"""Minutes that figures of ten minutes are kept."""
STEP = 10
Read = Callable[[Iterable[datetime]], list[dict[str, int]]]


@dataclass(slots=True)
class Figures:
    """What happened in some stretch of time."""

    runs: int = 0
    """Runs that ended, well or not."""
    failures: int = 0
    total_ms: int = 0
    """Summed time of the successful runs, in milliseconds."""
    run: list[int] = field(default_factory=histogram.empty)
    """Runs by run time, in the buckets of `kiq_django.histogram`; all 0 when unknown."""
    wait: list[int] = field(default_factory=histogram.empty)
    """Runs by the time that they waited in their queue."""

    @property
    def successes(self) -> int:
        return max(0, self.runs - self.failures)

    @property
    def average_ms(self) -> float | None:
        """Of the successful runs; None without one."""
        return self.total_ms / self.successes if self.successes else None

    def run_time(self, q: float) -> float | None:
        """Milliseconds that a share `q` (0.95 for p95) of the runs stayed below; None when unknown."""
        return histogram.percentile(self.run, q) if any(self.run) else None

    def queue_wait(self, q: float) -> float | None:
        """The same for the time in the queue."""
        return histogram.percentile(self.wait, q) if any(self.wait) else None


@dataclass(slots=True)
class JobFigures(Figures):
    """What happened to one job, in all and step by step."""

    name: str = ""
    series: dict[datetime, Figures] = field(default_factory=dict)
    """By the begin (UTC) of each minute, or ten minutes, in which anything happened."""


class Metrics:
    """Reads what workers count; figures appear with the beat after the run.

    Up to 480 minutes back they are by minute, with percentiles. Up to 4,320 (three days) they are by ten minutes
    and without.
    """

    def __init__(self, store: Store | None = None, *, now: float | None = None) -> None:
        """`now`: epoch seconds of the end of all periods; the present unless given."""
        store = store or stores.get()
        self._counters, self._deploys = store.counters, store.deploys
        self._now = datetime.fromtimestamp(clock.now() if now is None else now, UTC)

    def top_jobs(self, minutes: int = 60, limit: int = 50) -> list[JobFigures]:
        """The jobs that took most time in the last minutes, so many of them, with percentiles.

        Raises:
            ValueError: so many minutes are not kept.
        """
        read = self._counters.minutes if minutes <= LONGEST_BY_MINUTE else self._counters.ten_minutes
        found = self._read(minutes, read).values()
        jobs = sorted(found, key=lambda job: (-job.total_ms, -job.runs, job.name))[:limit]
        self._add_histograms(jobs, minutes)
        return jobs

    def for_job(self, name: str, minutes: int = 60) -> JobFigures:
        """One job in the last minutes; figures of 0 for an unknown one.

        Raises:
            ValueError: so many minutes are not kept.
        """
        by_minute = partial(self._counters.minutes_of, name)
        read = by_minute if minutes <= LONGEST_BY_MINUTE else self._counters.ten_minutes
        job = self._read(minutes, read).get(name) or JobFigures(name=name)
        self._add_histograms([job], minutes)
        return job

    def marks(self, minutes: int = 60) -> dict[datetime, str]:
        """Deploys in the last minutes: minute (UTC) and label, the first first."""
        begin = self._now - timedelta(minutes=minutes)
        found = self._deploys.marks(_days(begin.date(), self._now.date()))
        return {moment: found[moment] for moment in sorted(found) if begin <= moment <= self._now}

    def mark(self, label: str) -> bool:
        """Note a deploy, now. False when the same label was noted within the last minute, by another host say."""
        return self._deploys.mark(label, self._now.timestamp())

    def _read(self, minutes: int, read: Read) -> dict[str, JobFigures]:
        moments = self._moments(minutes)
        jobs: dict[str, JobFigures] = {}
        for moment, fields in zip(moments, read(moments), strict=True):
            for name, figures in _by_job(fields).items():
                job = jobs.setdefault(name, JobFigures(name=name))
                job.series[moment] = figures
                job.runs += figures.runs
                job.failures += figures.failures
                job.total_ms += figures.total_ms
        return jobs

    def _add_histograms(self, jobs: Sequence[JobFigures], minutes: int) -> None:
        """A histogram lies in the minute that its runs were counted in: no other needs to be read."""
        if minutes > LONGEST_BY_MINUTE:
            return
        places = [(job.name, moment) for job in jobs for moment in job.series]
        found = iter(self._counters.histograms(places))
        for job in jobs:
            for figures in job.series.values():
                figures.run, figures.wait = next(found)
            job.run = _sum(figures.run for figures in job.series.values())
            job.wait = _sum(figures.wait for figures in job.series.values())

    def _moments(self, minutes: int) -> list[datetime]:
        if not 1 <= minutes <= LONGEST:
            raise ValueError(f"minutes must be 1 to {LONGEST}, not {minutes!r}")
        latest, step = self._now.replace(second=0, microsecond=0), 1
        if minutes > LONGEST_BY_MINUTE:
            latest, step = latest.replace(minute=latest.minute // STEP * STEP), STEP
        return [latest - timedelta(minutes=back) for back in range(0, minutes, step)][::-1]


def _by_job(fields: dict[str, int]) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for key, amount in fields.items():
        name, _, what = key.rpartition("|")
        figures = found.setdefault(name, Figures())
        if what == "p":
            figures.runs = amount
        elif what == "f":
            figures.failures = amount
        elif what == "ms":
            figures.total_ms = amount
    return found


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=day) for day in range((last - first).days + 1))


def _sum(counts: Iterable[list[int]]) -> list[int]:
    return [sum(column) for column in zip(*counts, strict=True)] or histogram.empty()
