"""How jobs did, as values: in a stretch of time, step by step, and as rows of a table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from kiq_django import histogram

NOTHING = (0,) * histogram.SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What happened in some stretch of time."""

    runs: int = 0
    """Runs that ended, well or not."""
    failures: int = 0
    total_ms: int = 0
    """Summed time of the successful runs, in milliseconds."""
    run: Sequence[int] = NOTHING
    """Runs by run time, in the buckets of `kiq_django.histogram`; all 0 when unknown."""
    wait: Sequence[int] = NOTHING
    """Runs by the time that they waited in their queue; all 0 when unknown."""

    @property
    def successes(self) -> int:
        return max(0, self.runs - self.failures)

    @property
    def fail_rate(self) -> float | None:
        """The share of the runs that failed, 0 to 1; None without a run."""
        return self.failures / self.runs if self.runs else None

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


@dataclass(frozen=True, slots=True)
class HeatMap:
    """How long runs took, or waited, over time: what a picture with a column a step and a row a bucket needs."""

    bounds_ms: tuple[int, ...]
    """Upper bounds of all rows but the last, which has none."""
    columns: tuple[tuple[datetime, Sequence[int]], ...]
    """Begin (UTC) of each step, and runs by row; steps in which nothing happened are among them."""
    most: int
    """The largest number in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFigures(Figures):
    """What happened to one job in a period; step by step when it was asked for alone."""

    name: str = ""
    before: Figures | None = None
    """What happened in the period of the same length before it, when that was asked for."""
    step: int = 0
    """Seconds."""
    moments: tuple[datetime, ...] = ()
    """Begins (UTC) of all steps, the first first; the last one is running."""
    series: Mapping[datetime, Figures] = field(default_factory=dict)
    """Of the steps in which anything happened, by their begin."""

    def heat_map(self, what: Literal["run", "wait"] = "run") -> HeatMap:
        """Run times, or waits in the queue, by step."""
        empty = Figures()
        steps = (self.series.get(moment, empty) for moment in self.moments)
        counts = [figures.run if what == "run" else figures.wait for figures in steps]
        columns = tuple(zip(self.moments, counts, strict=True))
        return HeatMap(histogram.BOUNDS_MS, columns, max(map(max, counts), default=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTable:
    """One page of the jobs that ran in a period."""

    rows: tuple[JobFigures, ...]
    count: int
    """Jobs on all pages."""
    left_out: int
    """Jobs that ran least and are on no page, because there are too many; or a few less than that."""
    begin: datetime
    end: datetime


Value = float | str | None
COLUMNS: Mapping[str, Callable[[JobFigures], Value]] = {
    "name": lambda job: job.name,
    "runs": lambda job: job.runs,
    "failures": lambda job: job.failures,
    "fail_rate": lambda job: job.fail_rate,
    "total": lambda job: job.total_ms,
    "average": lambda job: job.average_ms,
    "p50": lambda job: job.run_time(0.5),
    "p95": lambda job: job.run_time(0.95),
    "p99": lambda job: job.run_time(0.99),
    "wait_p50": lambda job: job.queue_wait(0.5),
    "wait_p95": lambda job: job.queue_wait(0.95),
}
"""By what a table of jobs can be sorted."""


def arranged(jobs: Iterable[JobFigures], column: str, *, descending: bool) -> list[JobFigures]:
    """Sorted by a column; what is unknown comes last either way, and the busier job first where values are equal.

    Raises:
        ValueError: there is no such column.
    """
    if column not in COLUMNS:
        raise ValueError(f"there is no column {column!r}: sort by one of {', '.join(COLUMNS)}")
    value = COLUMNS[column]
    busiest = sorted(jobs, key=lambda job: (-job.runs, job.name))
    pairs = [(value(job), job) for job in busiest]
    known = sorted((pair for pair in pairs if pair[0] is not None), key=lambda pair: pair[0], reverse=descending)  # type: ignore[arg-type,return-value]
    return [job for _, job in known] + [job for found, job in pairs if found is None]
