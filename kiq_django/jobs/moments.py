"""When a job shall run, as people say it, in epoch seconds."""

import math
import random
from collections.abc import Iterable, Iterator, Sequence, Sized
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any, TypeVar

from django.conf import settings
from django.utils import timezone

T = TypeVar("T")

Moment = datetime | float
"""An aware datetime (naive without `USE_TZ`), or epoch seconds."""
Delay = timedelta | float
"""A timedelta, or seconds."""

SHORTEST_SPREAD = 5.0
LONGEST_DELAY = 1_000_000_000


def seconds(delay: Delay) -> float:
    """A delay in seconds.

    Raises:
        TypeError: it is neither a timedelta nor a number.
        ValueError: it is so long (31 years) that a point in time must be meant.
    """
    value = delay.total_seconds() if isinstance(delay, timedelta) else _number(delay, "a timedelta or seconds")
    if value > LONGEST_DELAY:
        raise ValueError(f"a delay of {value:g} s is more than 31 years; for a point in time use enqueue_at")
    return value


def epoch(moment: Moment) -> float:
    """A point in time in seconds since the epoch.

    Raises:
        TypeError: it is neither a datetime nor a number.
        ValueError: a naive datetime with `USE_TZ`: nobody can know which zone is meant.
    """
    if not isinstance(moment, datetime):
        return _number(moment, "a datetime or epoch seconds")
    if timezone.is_naive(moment):
        if settings.USE_TZ:
            raise ValueError(
                f"{moment!r} has no time zone, and USE_TZ is on: pass django.utils.timezone.make_aware(...) of it"
            )
        moment = timezone.make_aware(moment, timezone.get_default_timezone())
    return moment.timestamp()


def each_its_time(
    items: Iterable[T], at: Moment | Sequence[Moment] | None, spread: Delay | None, *, now: float
) -> Iterator[tuple[T, float | None]]:
    """Pair each item with its time: one for all, one from a list for each, or a random one in a window.

    Raises:
        ValueError: both are given, or the list is of another length than the items.
    """
    if at is not None and spread is not None:
        raise ValueError("enqueue_all() takes either at or spread, not both")
    if isinstance(at, list | tuple):
        return _paired(items, [epoch(moment) for moment in at])
    if spread is not None:
        return zip(items, _random_times(now, max(SHORTEST_SPREAD, seconds(spread))), strict=False)
    return zip(items, repeat(None if at is None else epoch(at)), strict=False)  # type: ignore[arg-type]


def _paired(items: Iterable[T], times: Sequence[float]) -> Iterator[tuple[T, float]]:
    """A list of items is counted before the first is pushed; a lazy one as far as it goes."""
    if isinstance(items, Sized) and len(items) != len(times):
        raise ValueError(f"{len(items)} items but {len(times)} times in at; give one time for each item")
    return zip(items, times, strict=True)


def _random_times(now: float, window: float) -> Iterator[float]:
    while True:
        yield now + random.random() * window  # noqa: S311 - spreads load, hides nothing


def _number(value: Any, wanted: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not {wanted}")
    return float(value)
