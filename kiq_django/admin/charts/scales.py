"""Where values lie on an axis, and which of them are named: round numbers, and round times of the zone in force."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count
from math import ceil, floor, log10

MINUTE, HOUR, DAY = 60, 3_600, 86_400
WITHIN_A_DAY = (*(n * MINUTE for n in (1, 2, 5, 10, 15, 30)), *(n * HOUR for n in (1, 2, 3, 6, 12)))
"""Steps in seconds that begin anew at midnight."""
IN_DAYS = (1, 2, 7, 14, 30, 60, 90, 180, 365)


def place(value: float, low: float, high: float, size: float) -> float:
    """Where a value lies on an axis of this size; the middle when there is but one value."""
    if high <= low:
        return size / 2
    return min(max((value - low) / (high - low), 0.0), 1.0) * size


def round_step(highest: float, most: int) -> int:
    """The least of 1, 2, 5, 10, 20, … that reaches the highest value in at most so many steps."""
    least = max(1.0, highest / max(1, most))
    power = 10 ** floor(log10(least))
    return int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999999))


def round_ticks(highest: float, most: int = 4) -> list[int]:
    """0 and up to so many steps of a round size above it; the last is at or above the highest value."""
    step = round_step(highest, most)
    return [step * index for index in range(max(1, ceil(highest / step)) + 1)]


def time_step(seconds: float, most: int) -> int:
    """Seconds between two named times, so that at most so many are named."""
    steps = (*WITHIN_A_DAY, *(days * DAY for days in IN_DAYS))
    fitting = (step for step in steps if seconds / step <= most)
    return next(fitting, ceil(seconds / most / DAY / IN_DAYS[-1]) * IN_DAYS[-1] * DAY)


def time_ticks(begin: datetime, end: datetime, zone: tzinfo, most: int = 7) -> list[datetime]:
    """Round times between two moments as clocks on the wall of the zone show them, in order.

    What a clock skips in spring is left out; what it shows twice in autumn is named once.
    """
    span = (end - begin).total_seconds()
    if span <= 0:
        return [begin.astimezone(zone)]
    step = time_step(span, most)
    found = _days(begin, end, zone, step // DAY) if step >= DAY else _times(begin, end, zone, step)
    return [moment for moment in found if begin <= moment <= end]


def _days(begin: datetime, end: datetime, zone: tzinfo, step: int) -> Iterator[datetime]:
    first = begin.astimezone(zone).date()
    # Steps are counted from a fixed day, so that the same days are named while time goes on.
    first -= timedelta(days=first.toordinal() % step)
    for index in count():
        moment = _at(datetime.combine(first + timedelta(days=index * step), datetime.min.time()), zone)
        if moment > end:
            return
        yield moment


def _times(begin: datetime, end: datetime, zone: tzinfo, step: int) -> Iterator[datetime]:
    day = datetime.combine(begin.astimezone(zone).date(), datetime.min.time())
    for index in count():
        clock = day + timedelta(seconds=index * step)
        moment = _at(clock, zone)
        if moment > end:
            return
        if moment.astimezone(zone).replace(tzinfo=None) == clock:
            yield moment


def _at(clock: datetime, zone: tzinfo) -> datetime:
    # Through UTC, because two times of one zone are compared by their clocks, whatever happened in between.
    from_clock = clock.replace(tzinfo=zone)
    return from_clock.astimezone(UTC).astimezone(zone)
