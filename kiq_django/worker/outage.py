"""What to do while Redis is away: wait a little longer each time, and say so once in a while."""

import logging
import random

from kiq_django import clock

logger = logging.getLogger("kiq_django.worker")
LOG_EVERY = 30
"""Seconds."""
LONGEST_WAIT = 1.0
"""Seconds: Redis is noticed at most this long after its return."""


class Outage:
    """From the first error to the first success. Used by one thread."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._since: float | None = None
        self._said = -float(LOG_EVERY)
        self._told = False
        self._wait = 0.05

    @property
    def lasting(self) -> bool:
        """Redis is away."""
        return self._since is not None

    def note(self, error: Exception) -> float:
        """An attempt failed. Returns the seconds to wait before the next."""
        now = clock.monotonic()
        if self._since is None:
            self._since = now
        if now - self._said >= LOG_EVERY:
            self._said = now
            self._told = True
            logger.error("%s: %s Running jobs go on; their ends are kept until Redis is back.", self._who, error)
        self._wait = min(LONGEST_WAIT, self._wait * 2)
        return self._wait * random.uniform(0.5, 1.0)  # noqa: S311 - spreads the return of many processes

    def over(self) -> None:
        """An attempt succeeded."""
        if self._since is not None:
            if self._told:
                logger.info("%s: Redis is back after %.1f s", self._who, clock.monotonic() - self._since)
            self._since, self._told, self._wait = None, False, 0.05
