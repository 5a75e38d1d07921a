"""How fast jobs come into a queue and leave it, and when it will be empty.

Nothing counts what is pushed: jobs come from this program, from Ruby's, from retries and schedules. What came in is
what left plus what the queue has grown by, running jobs included; so it needs a living worker that measures the queues
once a minute. Without one it is unknown, and said so.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from kiq_django import clock
from kiq_django import store as stores
from kiq_django.api.periods import moment
from kiq_django.store import Store
from kiq_django.store.flow import Out
from kiq_django.store.sizes import Size
from kiq_django.store.steps import MINUTE, TEN_MINUTES

SETTLED_AFTER = 8.0
"""Seconds after its end that every worker has written what it ran in a minute."""
MOST_MINUTES = 60
"""Over which a flow is averaged."""
LONGEST_HISTORY = 480
"""Minutes."""
UNSHARP_JOBS, UNSHARP_SHARE = 3, 0.03
"""By how much less than nothing may have come in: no two clocks strike the minute at once."""
Measurement = Mapping[str, Size] | None
"""What was in each queue; None when nobody measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What passes through one queue, on the average of the last minutes."""

    name: str
    minutes: int
    """Of which that is known."""
    out_per_minute: float | None
    """Runs that ended; None when unknown."""
    in_per_minute: float | None
    """Jobs that came, be it by a push, a retry or a move; None when unknown."""
    time_to_empty: float | None
    """Seconds; `math.inf` when it does not get emptier, None when unknown."""


@dataclass(frozen=True, slots=True)
class QueuePoint:
    """One step in the history of a queue."""

    begin: datetime
    """UTC."""
    size: int | None
    """Jobs that waited then; None when unknown."""
    latency: float | None
    """Seconds that the next one had waited."""
    out: int | None
    """Runs that ended within the step; of the last step so far."""


class _Stretch(NamedTuple):
    """Between two measurements of one queue."""

    minutes: int
    out: Out
    first: Size
    last: Size

    @property
    def is_ours(self) -> bool:
        return not (self.first.elsewhere or self.last.elsewhere)

    @property
    def growth(self) -> int:
        """Of what waits, and of what runs where that was counted."""
        waiting = self.last.waiting - self.first.waiting
        if self.first.taken is None or self.last.taken is None:
            return waiting
        return waiting + self.last.taken - self.first.taken

    @property
    def came(self) -> int | None:
        """Jobs that came in; None when some left that nobody counted, cleared by another program say."""
        came = self.out.ended + self.out.removed + self.growth
        return came if came >= -(UNSHARP_JOBS + UNSHARP_SHARE * self.out.ended) else None


def flows(
    names: Iterable[str],
    minutes: int = 5,
    *,
    sizes: Mapping[str, int] | None = None,
    now: float | None = None,
    store: Store | None = None,
) -> dict[str, Flow]:
    """What passes through these queues, on the average of the last full minutes, in two round trips.

    Args:
        names: the queues that are shown. Each costs some three values a minute to read.
        minutes: 1 to 60.
        sizes: jobs that wait now, for `time_to_empty`; as last measured unless given.
        now: epoch seconds; the present unless given.

    Raises:
        ValueError: so many minutes are not kept.
    """
    if not 1 <= minutes <= MOST_MINUTES:
        raise ValueError(f"minutes must be 1 to {MOST_MINUTES}, not {minutes!r}")
    store, now, queues = store or stores.get(), clock.now() if now is None else now, list(dict.fromkeys(names))
    if not queues:
        return {}
    begins = MINUTE.last(minutes + 1, now - SETTLED_AFTER)
    measured = store.sizes.read(queues, begins)
    left = store.flow.read(queues, MINUTE, begins[:-1])
    found = {}
    for name in queues:
        last = next((each[name].waiting for each in reversed(measured) if each and name in each), None)
        size = (sizes or {}).get(name, last)
        found[name] = _flow(name, size, list(_stretches(name, measured, left)))
    return found


def queue_history(
    name: str, minutes: int = 60, *, now: float | None = None, store: Store | None = None
) -> list[QueuePoint]:
    """The last minutes of one queue, by minute up to an hour and by ten minutes beyond, in two round trips.

    Raises:
        ValueError: so many minutes are not kept.
    """
    if not 1 <= minutes <= LONGEST_HISTORY:
        raise ValueError(f"minutes must be 1 to {LONGEST_HISTORY}, not {minutes!r}")
    store, now = store or stores.get(), clock.now() if now is None else now
    step = MINUTE if minutes <= MOST_MINUTES else TEN_MINUTES
    begins = step.last(math.ceil(minutes * 60 / step.seconds), now)
    measured = store.sizes.read([name], begins)
    left = store.flow.read([name], step, begins)
    return [
        _point(moment(begin), (sizes or {}).get(name), out[name])
        for begin, sizes, out in zip(begins, measured, left, strict=True)
    ]


def _flow(name: str, size: int | None, stretches: Sequence[_Stretch]) -> Flow:
    ours = [stretch for stretch in stretches if stretch.is_ours]
    known = [(stretch.minutes, came) for stretch in ours if (came := stretch.came) is not None]
    out = _rate((stretch.minutes, stretch.out.ended) for stretch in ours)
    come = _rate(known)
    if ours:
        shrinks = None if out is None or come is None else out - come
    else:  # those who take jobs do not tell, but whether the queue gets shorter can be seen
        growth = _rate((stretch.minutes, stretch.growth) for stretch in stretches)
        shrinks = None if growth is None else -growth
    return Flow(
        name=name,
        minutes=sum(stretch.minutes for stretch in ours),
        out_per_minute=out,
        in_per_minute=None if come is None else max(0.0, come),
        time_to_empty=_time_to_empty(size, shrinks),
    )


def _stretches(name: str, measured: Sequence[Measurement], left: Sequence[Mapping[str, Out]]) -> Iterator[_Stretch]:
    """From each measurement to the next, however many minutes lie between."""
    places = [index for index, sizes in enumerate(measured) if sizes and name in sizes]
    for first, last in pairwise(places):
        outs = [out[name] for out in left[first:last]]
        total = Out(sum(out.ended for out in outs), sum(out.removed for out in outs))
        yield _Stretch(last - first, total, _size(measured[first], name), _size(measured[last], name))


def _size(measurement: Measurement, name: str) -> Size:
    return measurement[name] if measurement else Size()


def _rate(pairs: Iterable[tuple[int, int]]) -> float | None:
    minutes, amount = map(sum, zip(*pairs, strict=True)) if (pairs := list(pairs)) else (0, 0)
    return amount / minutes if minutes else None


def _time_to_empty(size: int | None, shrinks: float | None) -> float | None:
    """From jobs that wait, and by how many a minute they become fewer."""
    if size == 0:
        return 0.0
    if size is None or shrinks is None:
        return None
    return 60 * size / shrinks if shrinks > 0 else math.inf


def _point(begin: datetime, size: Size | None, out: Out) -> QueuePoint:
    if size is None:
        return QueuePoint(begin, None, None, out.ended or None)
    return QueuePoint(begin, size.waiting, size.latency, None if size.elsewhere else out.ended)
