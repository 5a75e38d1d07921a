"""How far a search may go: Redis keeps no index of what stands inside of jobs."""

import math
from dataclasses import dataclass, field

from kiq_django import clock


@dataclass(slots=True)
class Budget:
    """Time and jobs that one search, or several in a row, may cost. Used up, the search ends where it is."""

    seconds: float = 2.0
    jobs: int = 500_000
    """Jobs looked at."""
    exhausted: bool = False
    """A search was cut short: what it did not find may still be there."""
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = clock.monotonic() + self.seconds

    @classmethod
    def of_a_page(cls) -> "Budget":
        """What a list page may spend before it offers to continue."""
        return cls(0.25, 20_000)

    @classmethod
    def without_end(cls) -> "Budget":
        """For whoever may take all the time there is."""
        return cls(math.inf, 10**15)

    def part(self, jobs: int) -> "Budget":
        """A budget of its own, of so many jobs and the time that is left. What it spends is to be counted here."""
        return Budget(max(0.0, self._end - clock.monotonic()), max(0, min(jobs, self.jobs)))

    def allowance(self, most: int) -> int:
        """How many jobs a search may look at next: `most`, or less. At 0, it has to end."""
        if self.jobs <= 0 or clock.monotonic() > self._end:
            self.exhausted = True
            return 0
        return min(most, self.jobs)

    def count(self, jobs: int) -> None:
        """So many jobs were looked at."""
        self.jobs -= jobs

    def spend(self, jobs: int) -> bool:
        """Count jobs that were looked at. False when the search has to end."""
        self.count(jobs)
        if self.jobs < 0 or clock.monotonic() > self._end:
            self.exhausted = True
        return not self.exhausted
