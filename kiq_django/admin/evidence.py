"""What was measured before, for whoever judges what is now: how often jobs usually fail, how long they usually take.

No page can afford to add up the figures of a day each time that it is asked for, and no page needs them to the second.
So each process remembers them: those of the last hour for less than a minute, those of the day before until the next
hour begins. A page pays for one of both at most once a minute, and the live parts of pages nearly never.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Final

from kiq_django import clock, conf
from kiq_django.admin.lazily import api, store, submodule
from kiq_django.exceptions import StoreError

if TYPE_CHECKING:
    from kiq_django.api import JobFigures
    from kiq_django.api.situation import Situation
    from kiq_django.api.usual import Evidence, Usual

FRESH: Final = 45.0
"""Seconds for which the figures of the last hour are good."""
HOUR: Final = 3600
DAY: Final = 1_440
"""Minutes."""
MOST_JOBS: Final = 300
FEWEST_RUNS: Final = 20
"""Of fewer one cannot tell what 95 of 100 do."""
LOOKS_APART: Final = 30.0
"""Seconds between two sizes of the retry set that are compared: what comes and goes within is no growth."""
LOOKS_KEPT: Final = 300.0
"""Seconds after which a size is no longer `a moment ago`."""
Jobs = Mapping[str, "JobFigures"]


@dataclass(frozen=True, slots=True)
class Past:
    """Jobs by name, as they did before."""

    recent: Jobs = field(default_factory=dict)
    """In the last hour."""
    before: Jobs = field(default_factory=dict)
    """In the 24 hours before, in full hours."""
    before_end: int = 0
    """Epoch seconds."""
    usual: Usual = field(default_factory=dict)
    """Seconds that 95 of 100 runs stay below."""
    read_at: float = float("-inf")
    """By the monotonic clock."""


class Memory:
    """What one process remembers of one store. Any thread may ask."""

    def __init__(self) -> None:
        self._past = Past()
        self._looks: deque[tuple[float, int]] = deque(maxlen=16)
        self._lock = Lock()

    def past(self) -> Past:
        """The figures. One thread reads them anew when it is time; others take what is there meanwhile."""
        known = self._past
        if clock.monotonic() - known.read_at < FRESH or not self._lock.acquire(blocking=not known.before_end):
            return known
        try:
            if self._past is known:  # nobody was faster
                self._past = _read(known)
            return self._past
        finally:
            self._lock.release()

    def earlier(self, retries: int) -> list[int]:
        """Sizes of the retry set at earlier looks, the earliest first; this one is kept for later ones."""
        now = clock.monotonic()
        if not self._looks or now - self._looks[-1][0] >= LOOKS_APART:
            self._looks.append((now, retries))
        looks = list(self._looks)
        return [size for at, size in looks if LOOKS_APART <= now - at <= LOOKS_KEPT]


@cache
def _memory() -> Memory:
    """Of the store that the settings choose."""
    return Memory()


conf.on_reset(_memory.cache_clear)


def of(situation: Situation) -> Evidence:
    """What `api.attention.judge` needs beside what is now."""
    past = _memory().past()
    evidence: Evidence = submodule("usual").Evidence(
        recent=past.recent,
        before=past.before,
        usual=past.usual,
        retries=_memory().earlier(situation.sizes["retry"]),
    )
    return evidence


def usual() -> Usual:
    """How long jobs usually take: seconds that 95 of 100 runs stay below, by name. What seldom runs is not there."""
    return _memory().past().usual


def lately() -> Jobs:
    """How jobs did in the last hour, by name; less than a minute old."""
    return _memory().past().recent


def _read(known: Past) -> Past:
    """One of both tables, or both at first; without them a page says less, but it is there, and asks again later."""
    now, read_at = clock.now(), clock.monotonic()
    end = int((now - HOUR) // HOUR) * HOUR
    try:
        is_first, has_turned = not known.before_end, end != known.before_end
        before = _table(end - 1, DAY) if has_turned else known.before
        recent = _table(now, HOUR // 60) if is_first or not has_turned else known.recent
    except StoreError:
        return replace(known, read_at=read_at)
    return Past(recent, before, end, {**_usual(recent), **_usual(before)}, read_at)


def _table(end: float, minutes: int) -> dict[str, JobFigures]:
    table = api.Metrics(store(), now=end).table(minutes, limit=MOST_JOBS)
    return {job.name: job for job in table.rows}


def _usual(jobs: Jobs) -> Usual:
    times: Usual = submodule("usual").usual_times(job for job in jobs.values() if sum(job.run) >= FEWEST_RUNS)
    return times
