"""How far to fetch ahead: as much as the threads will finish within the next milliseconds, nothing for slow jobs."""

WINDOW = 0.005
"""Seconds of work to hold in memory. Bounds how long a job waits here while another process is idle."""
MEMORY = 0.02
"""Seconds over which the moving rate forgets."""
MOST = 500
"""Jobs. Keeps one round trip, and what a crash can repeat, small."""


class Pace:
    """A moving rate of finished jobs per second. Used by one thread."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._since = 0.0

    def note(self, finished: int, now: float) -> None:
        """`finished` jobs ended since the last call; `now` in monotonic seconds."""
        elapsed = now - self._since
        self._since = now
        if elapsed <= 0:
            return
        weight = min(1.0, elapsed / MEMORY)
        self.rate += weight * (finished / elapsed - self.rate)

    def forget(self) -> None:
        """Jobs are slow now, whatever they were."""
        self.rate = 0.0

    @property
    def ahead(self) -> int:
        """How many jobs to hold beyond what runs."""
        return min(MOST, int(self.rate * WINDOW))
