"""Reads the book of runs: how many there were of a job, how they ended, how long they took."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from example_project.desk.models import Run


@dataclass(frozen=True, slots=True)
class Counts:
    """Runs of one job so far."""

    done: int
    failed: int
    discarded: int


def counts_of(job: Any) -> Counts:
    """Count the runs of a job by their end."""
    by_end = {f"{end}": Count("pk", filter=Q(outcome=end)) for end in Run.Outcome.values}
    return Counts(**Run.objects.filter(job=job.name).aggregate(**by_end))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of all values do not exceed; 0.0 when there are none."""
    ranked = sorted(values)
    return ranked[max(math.ceil(share * len(ranked)) - 1, 0)] if ranked else 0.0
