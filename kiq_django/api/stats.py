"""The figures of the whole: totals, sizes, history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, overload

from kiq_django import clock, conf
from kiq_django import store as stores
from kiq_django.api.records import JobRecord
from kiq_django.store import Store

LONGEST_HISTORY = 1825
"""Days that Redis keeps the totals of a day."""


class Stats:
    """All figures at one moment, read in two round trips when made, and again by `refresh`."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store or stores.get()
        self._default_queue = conf.get().defaults.queue
        self.refresh()

    def refresh(self) -> None:
        """Read them anew."""
        self._found = self._store.counters.overview(self._default_queue)

    @property
    def processed(self) -> int:
        """Runs that ended, well or not, since the last reset."""
        return self._found.processed

    @property
    def failed(self) -> int:
        """Runs that failed, since the last reset."""
        return self._found.failed

    @property
    def queues(self) -> dict[str, int]:
        """Waiting jobs by queue, the longest queue first."""
        return dict(sorted(self._found.queues.items(), key=lambda pair: -pair[1]))

    @property
    def enqueued(self) -> int:
        """Waiting jobs of all queues."""
        return sum(self._found.queues.values())

    @property
    def scheduled_size(self) -> int:
        return self._found.scheduled

    @property
    def retry_size(self) -> int:
        return self._found.retry

    @property
    def dead_size(self) -> int:
        return self._found.dead

    @property
    def processes_size(self) -> int:
        """Worker processes that live."""
        return len(self._found.busy)

    @property
    def workers_size(self) -> int:
        """Running jobs."""
        return sum(self._found.busy.values())

    @property
    def default_queue_latency(self) -> float:
        """Seconds that the next job of the default queue has waited; 0 when it is empty."""
        oldest = self._found.oldest
        return JobRecord(oldest, "queue").latency if oldest is not None else 0.0

    def reset(self, *names: Literal["processed", "failed"]) -> None:
        """Count from 0 again: both totals, or those named. The totals of each day stay."""
        self._store.counters.reset_totals(names or ("processed", "failed"))
        self.refresh()


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on one UTC day."""

    date: date
    processed: int
    failed: int


class History(Sequence[Day]):
    """The last days, the latest first.

    Args:
        days: how many, at most 1825.
        until: the latest day; today by UTC unless given.

    Raises:
        ValueError: so many days are not kept.
    """

    def __init__(self, days: int = 30, until: date | None = None, store: Store | None = None) -> None:
        if not 1 <= days <= LONGEST_HISTORY:
            raise ValueError(f"days must be 1 to {LONGEST_HISTORY}, not {days!r}")
        until = until or datetime.fromtimestamp(clock.now(), UTC).date()
        store = store or stores.get()
        self._days = [Day(*each) for each in store.counters.history(days, until)]

    @property
    def processed(self) -> dict[date, int]:
        """Ended runs by day."""
        return {day.date: day.processed for day in self._days}

    @property
    def failed(self) -> dict[date, int]:
        """Failed runs by day."""
        return {day.date: day.failed for day in self._days}

    def __len__(self) -> int:
        return len(self._days)

    @overload
    def __getitem__(self, index: int) -> Day: ...
    @overload
    def __getitem__(self, index: slice) -> list[Day]: ...
    def __getitem__(self, index: int | slice) -> Day | list[Day]:
        return self._days[index]
