"""The only place that reads time, so that tests can move it."""

import time
from collections.abc import Callable

now: Callable[[], float] = time.time
"""Seconds since the epoch by this host's clock.

Good for what people read. Decisions between hosts use Redis `TIME` inside scripts.
"""
monotonic: Callable[[], float] = time.monotonic
"""Seconds from an arbitrary start that never goes back: for durations and deadlines."""
