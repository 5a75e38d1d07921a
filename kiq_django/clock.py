"""The only place that reads time, so that tests can move it."""

import time


def now() -> float:
    """Seconds since the epoch by this host's clock.

    Good for what people read. Decisions between hosts use Redis `TIME` inside scripts.
    """
    return time.time()


def monotonic() -> float:
    """Seconds from an arbitrary start that never goes back: for durations and deadlines."""
    return time.monotonic()
