"""When a process has done enough and another one shall take its place: after so many jobs, or at so much memory."""

import random

from kiq_django.worker.memory import resident_kilobytes

SPREAD = 0.1
"""Each limit is met up to this share earlier or later, so that processes started together do not all go at once."""


class Wear:
    """Looks twice a second, so that quick jobs may come to a few more than the limit says."""

    def __init__(self, max_jobs: int | None, max_memory: int | None) -> None:
        """Draw the limits.

        Args:
            max_jobs: runs that have ended; None is no limit.
            max_memory: megabytes of resident memory; None is no limit.
        """
        self._jobs = max_jobs and max(1, round(_about(max_jobs)))
        self._kilobytes = max_memory and _about(max_memory) * 1024

    def out(self, ended: int) -> str:
        """Why it is time to go; empty when it is not."""
        if self._jobs and ended >= self._jobs:
            return f"{ended} jobs have run (--max-jobs)"
        if self._kilobytes and (now := resident_kilobytes()) >= self._kilobytes:
            return f"{now // 1024} MB are occupied (--max-memory)"
        return ""


def _about(limit: float) -> float:
    return limit * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - spreads the load
