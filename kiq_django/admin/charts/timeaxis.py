"""The time axis: which moments are named, how, and where, in the current time zone and language."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format

from kiq_django.admin.charts.scales import DAY, place, time_ticks
from kiq_django.admin.charts.values import Tick, rounded

LABEL_WIDTH = 90
"""Pixels that a named time needs, with the gap to the next."""
EDGE = 4.0
"""Percent from the edge within which a label is not centred."""


def axis(begin: datetime, end: datetime, width: int = 720) -> tuple[Tick, ...]:
    """Named times on an axis of this many pixels; every second one is minor."""
    zone = timezone.get_current_timezone()
    moments = time_ticks(begin, end, zone, max(2, width // LABEL_WIDTH))
    low, high = begin.timestamp(), end.timestamp()
    return tuple(
        _tick(place(at.timestamp(), low, high, 100), _name(at, end - begin), minor=index % 2 == 1)
        for index, at in enumerate(moments)
    )


def _tick(x: float, label: str, *, minor: bool) -> Tick:
    anchor = "start" if x < EDGE else "end" if x > 100 - EDGE else ""
    return Tick(rounded(x), label, anchor, minor)


def _name(at: datetime, span: timedelta) -> str:
    """The time of day; at midnight of a longer span, and on the axis of several days, the date."""
    is_midnight = at.hour == 0 and at.minute == 0
    if span >= timedelta(days=15):
        return date_format(at, "MONTH_DAY_FORMAT")
    if is_midnight and span > timedelta(hours=3):
        return date_format(at, "D j")
    return date_format(at, "TIME_FORMAT")


def moment(at: datetime) -> str:
    """A moment in full, in the zone in force; midnight alone is a day."""
    local = timezone.localtime(at)
    if at.timestamp() % DAY == 0:  # the figures of a day are those of a UTC day
        return date_format(at, "DATE_FORMAT")
    return f"{date_format(local, 'MONTH_DAY_FORMAT')}, {date_format(local, 'TIME_FORMAT')}"


def namer(begin: datetime, end: datetime) -> Callable[[datetime], str]:
    """How moments between these two are named: by the time of day alone, when that is clear."""
    return clock_time if end - begin < timedelta(days=1) else moment


def clock_time(at: datetime) -> str:
    """The time of day in the zone in force."""
    return date_format(timezone.localtime(at), "TIME_FORMAT")
