"""What is usual: how long jobs take, how often they fail, how a queue moves. Measured elsewhere, judged here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Usual = Mapping[str, float]
"""Seconds that 95 of 100 runs of a job stay below, by the job's name."""


class Counted(Protocol):
    """How often a job ran, and failed."""

    @property
    def runs(self) -> int: ...
    @property
    def failures(self) -> int: ...


class Measured(Counted, Protocol):
    """The same with name and run time; `JobFigures` are that."""

    @property
    def name(self) -> str: ...
    def run_time(self, q: float) -> float | None:
        """Milliseconds that a share `q` of the runs stayed below."""


class Moving(Protocol):
    """How a queue moves; `Flow` is that."""

    @property
    def out_per_minute(self) -> float | None:
        """None when unknown."""

    @property
    def time_to_empty(self) -> float | None:
        """Seconds; infinite when it does not get emptier, None when unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured before. Each part is for one finding, which is left out without it."""

    recent: Mapping[str, Counted] = field(default_factory=dict)
    """Jobs by name in the last hour, say."""
    before: Mapping[str, Counted] = field(default_factory=dict)
    """The same of the time before, to compare with."""
    usual: Usual = field(default_factory=dict)
    retries: Sequence[int] = ()
    """Sizes of the retry set at earlier looks, the earliest first; three are enough."""

    @classmethod
    def of(cls, recent: Iterable[Measured], before: Iterable[Measured], retries: Sequence[int] = ()) -> "Evidence":
        """From two tables of the metrics: the last hour, say, and the last day."""
        before = list(before)
        return cls(
            recent={job.name: job for job in recent},
            before={job.name: job for job in before},
            usual=usual_times(before),
            retries=retries,
        )


def usual_times(jobs: Iterable[Measured]) -> dict[str, float]:
    """How long jobs usually take, from a table of the metrics; jobs of which it is unknown are left out."""
    times = ((job.name, job.run_time(0.95)) for job in jobs)
    return {name: milliseconds / 1000 for name, milliseconds in times if milliseconds is not None}
