"""How far a search may go: Redis keeps no index of what stands inside of jobs."""

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

    def spend(self, jobs: int) -> bool:
        """Count jobs that were looked at. False when the search has to end."""
        self.jobs -= jobs
        if self.jobs < 0 or clock.monotonic() > self._end:
            self.exhausted = True
        return not self.exhausted
