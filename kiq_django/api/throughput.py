"""How many runs ended, of all jobs together: what a chart over an hour, a day, a week or a month shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from kiq_django import clock
from kiq_django import store as stores
from kiq_django.api.periods import moment
from kiq_django.store import Store
from kiq_django.store.steps import DAY, HOUR, MINUTE, TEN_MINUTES, Step

PeriodName = Literal["1h", "24h", "7d", "30d"]
CHARTS: Mapping[PeriodName, tuple[Step, int]] = {
    "1h": (MINUTE, 60),
    "24h": (TEN_MINUTES, 144),
    "7d": (HOUR, 168),
    "30d": (DAY, 30),
}
"""Step, and how many of them."""


@dataclass(frozen=True, slots=True)
class Point:
    """One step of a chart."""

    begin: datetime
    """UTC."""
    processed: int
    """Runs that ended, well or not."""
    failed: int
    complete: bool
    """The step is over; False for the last one, which is running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What a chart shows, and with what to compare it."""

    period: PeriodName
    step: int
    """Seconds."""
    points: tuple[Point, ...]
    """The first first, without gaps."""
    processed: int
    """The sum of all points."""
    failed: int
    processed_before: int
    """In as many steps before the first one as there are complete points."""
    failed_before: int
    marks: Mapping[datetime, str]
    """Deploys: minute (UTC) and label, the first first."""

    @property
    def change(self) -> float | None:
        """Of `processed` against the time before, complete steps alone: 0.1 is a tenth more; None against nothing."""
        processed = sum(point.processed for point in self.points if point.complete)
        return processed / self.processed_before - 1 if self.processed_before else None


def throughput(period: PeriodName, now: float | None = None, store: Store | None = None) -> Throughput:
    """Read one chart, in two round trips: at most 15 keys of totals, or 118 of days, and one of deploys a day.

    Up to seven days it counts what the workers of this program ran with the feature `kiq_django.features.metrics`. Days
    are Sidekiq's, with what Ruby's workers ran, and end at midnight UTC.

    Args:
        period: `1h` by minute, `24h` by ten minutes, `7d` by hour, `30d` by day.
        now: epoch seconds of the end; the present unless given.

    Raises:
        ValueError: there is no such period.
    """
    if period not in CHARTS:
        raise ValueError(f"there is no period {period!r}: use one of {', '.join(get_args(PeriodName))}")
    store, now = store or stores.get(), clock.now() if now is None else now
    step, count = CHARTS[period]
    begins = step.last(2 * count - 1, now)
    counts = _days(store, begins) if step is DAY else store.totals.read(step, begins)
    before, shown = counts[: count - 1], counts[count - 1 :]
    points = tuple(
        Point(moment(begin), *pair, complete=begin < begins[-1])
        for begin, pair in zip(begins[count - 1 :], shown, strict=True)
    )
    return Throughput(
        period=period,
        step=step.seconds,
        points=points,
        processed=sum(point.processed for point in points),
        failed=sum(point.failed for point in points),
        processed_before=sum(processed for processed, _ in before),
        failed_before=sum(failed for _, failed in before),
        marks=_marks(store, points[0].begin, now),
    )


def _days(store: Store, begins: Sequence[int]) -> list[tuple[int, int]]:
    found = store.counters.history(len(begins), moment(begins[-1]).date())
    return [(processed, failed) for _, processed, failed in reversed(found)]


def _marks(store: Store, begin: datetime, now: float) -> dict[datetime, str]:
    end = moment(now)
    days = [begin.date() + timedelta(days=day) for day in range((end.date() - begin.date()).days + 1)]
    found = store.deploys.marks(days)
    return {when: found[when] for when in sorted(found) if begin <= when <= end}
