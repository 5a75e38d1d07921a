"""Stretches of the past, and which stored steps cover them."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from kiq_django.store.metrics import KEPT
from kiq_django.store.steps import DAY, HOUR, MINUTE, TEN_MINUTES, Step

LONGEST = 4_320
"""Minutes."""
COARSEST_FIRST = (HOUR, TEN_MINUTES, MINUTE)
LONGEST_BY = ((MINUTE, 72), (TEN_MINUTES, 720), (HOUR, LONGEST))
"""Minutes for which a step gives a picture at most 72 columns."""


@dataclass(frozen=True, slots=True)
class Period:
    """Some steps in a row, up to and with the one that is running now."""

    step: Step
    begins: range
    """Of the steps, in epoch seconds."""
    now: float

    @classmethod
    def last(cls, minutes: int, now: float) -> "Period":
        """The last minutes, in steps of a minute, ten minutes or an hour.

        Raises:
            ValueError: so many minutes are not kept.
        """
        if not 1 <= minutes <= LONGEST:
            raise ValueError(f"minutes must be 1 to {LONGEST}, not {minutes!r}")
        step = next(step for step, longest in LONGEST_BY if minutes <= longest)
        return cls(step, step.last(math.ceil(minutes * 60 / step.seconds), now), now)

    @property
    def begin(self) -> int:
        return self.begins[0]

    @property
    def length(self) -> int:
        """Seconds from the begin of the first step to the end of the last one."""
        return len(self.begins) * self.step.seconds

    def days(self) -> range:
        """Begins of the UTC days that it touches."""
        return range(DAY.begin(self.begin), int(self.now) + 1, DAY.seconds)

    def cover(self) -> list[tuple[Step, int]]:
        """The fewest stored steps that hold all of it: whole hours where possible, for nothing lies after now."""
        steps = _cover(self.begin, HOUR.begin(self.now) + HOUR.seconds, self.now)
        return [(step, begin) for step, begin in steps if begin <= self.now]

    def cover_before(self) -> list[tuple[Step, int]]:
        """The same for as long a time before, which ends as far into its last step as now is into this one.

        That end is met to the minute as long as minutes are kept, then to ten minutes, then to the hour.
        """
        end = self.now - self.length
        finest = _finest(end, self.now)
        return _cover(self.begin - self.length, round(end / finest.seconds) * finest.seconds, self.now)


def moment(begin: float) -> datetime:
    """Epoch seconds as people's time, UTC."""
    return datetime.fromtimestamp(begin, UTC)


def _finest(begin: float, now: float) -> Step:
    return next((step for step in reversed(COARSEST_FIRST) if begin >= now - KEPT[step]), HOUR)


def _cover(begin: int, end: int, now: float) -> list[tuple[Step, int]]:
    found = []
    while begin < end:
        fitting = (step for step in COARSEST_FIRST if begin % step.seconds == 0 and begin + step.seconds <= end)
        step = next(fitting, _finest(begin, now))
        found.append((step, begin))
        begin += step.seconds
    return found
