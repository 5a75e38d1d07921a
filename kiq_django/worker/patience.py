"""How long jobs that nobody has begun may wait in the memory of this process."""

from kiq_django import clock
from kiq_django.worker.pace import Pace

STALE = 0.010
"""Seconds. After so long without a move they go back, so that another process can have them."""


class Patience:
    """With those that wait in one place. Used by one thread at a time."""

    def __init__(self, pace: Pace) -> None:
        """`pace` is that at which jobs end there."""
        self._pace = pace
        self._stuck_since = 0.0

    def is_over(self, waiting: int, ended_at: float) -> bool:
        """Nothing ends, or more wait than will soon be begun: jobs are slow now, whatever they were.

        Args:
            waiting: how many do.
            ended_at: when a job last ended (monotonic seconds).
        """
        now = clock.monotonic()
        if not waiting:
            self._stuck_since = 0.0
        elif not self._stuck_since or (ended_at > self._stuck_since and waiting <= self._pace.ahead):
            self._stuck_since = now
        elif now - self._stuck_since > STALE:
            self._stuck_since = 0.0
            self._pace.forget()
            return True
        return False
