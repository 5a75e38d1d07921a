"""How jobs did in the last hour, in few words: the doors from other pages to the metrics. They ask Redis nothing."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import nlargest
from typing import Any, Final

from kiq_django.admin import evidence, jobtext
from kiq_django.admin.jobmetrics.columns import milliseconds

MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Busy:
    """One of them."""

    name: str
    """In full, for links."""
    title: str
    runs: int
    failures: int
    fail_rate: float | None
    total: str
    p95: str
    """Times in words."""


def busiest() -> list[Busy]:
    """Those that took most time, less than a minute old."""
    return [_busy(job) for job in nlargest(MOST, evidence.lately().values(), key=lambda job: (job.total_ms, job.runs))]


def of_job(name: str) -> Busy | None:
    """One job; None when it did not run in the last hour, or is not known yet."""
    job = evidence.lately().get(name)
    return _busy(job) if job else None


def _busy(job: Any) -> Busy:
    title = jobtext.cut(job.name, jobtext.LONGEST_NAME)
    times = milliseconds(job.total_ms), milliseconds(job.run_time(0.95))
    return Busy(job.name, title, job.runs, job.failures, job.fail_rate, *times)
