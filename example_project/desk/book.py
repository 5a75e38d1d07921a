"""Reads the book of runs: how many there were of a job, and how long they took."""

import math
from collections.abc import Sequence
from typing import Any

from example_project.desk.kinds import End
from example_project.desk.models import Run

OUTCOMES = {
    End.DONE: (Run.Outcome.DONE, Run.Outcome.FAILED),
    End.DEAD: (Run.Outcome.FAILED,),
    End.DISCARDED: (Run.Outcome.DISCARDED,),
    End.NEVER: (),
}
"""How runs end on the way to each end."""


def runs_to(end: End, job: Any) -> int:
    """Count the runs of a job that led, or may still lead, to this end."""
    return Run.objects.filter(job=job.name, outcome__in=OUTCOMES[end]).count()


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of all values do not exceed; 0.0 when there are none."""
    ranked = sorted(values)
    return ranked[max(math.ceil(share * len(ranked)) - 1, 0)] if ranked else 0.0
