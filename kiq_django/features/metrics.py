"""Metrics per job and minute: runs, failures, and how long jobs ran and waited in their queue, as histograms.

They stand in Sidekiq's keys, so that its Metrics page shows them too. What Sidekiq has no key for, the wait,
has one of ours. The rules of counting are Sidekiq's: a run counts under `wrapped`, else under its name; time
is counted for successful runs alone; a run belongs to the minute in which it is written down.
"""

import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kiq_django import clock
from kiq_django.exceptions import StoreRefused, StoreUnavailable
from kiq_django.execution import Outcome
from kiq_django.histogram import BOUNDS_MS
from kiq_django.plugins import Feature
from kiq_django.service import Service

if TYPE_CHECKING:  # features are loaded in every process, and the store would bring Redis along
    from kiq_django.store import Store
    from kiq_django.store.counters import JobMetrics

FLUSH_EVERY = 5.0
"""Seconds."""
MOST_STRANGERS = 50
"""Names that no code here declares and that still get metrics of their own: payloads could name millions."""
LONGEST_STRANGER = 128
"""Characters."""
OTHER = "other"
"""Under which all further strangers count."""


class Tally:
    """What was counted since the last flush. Any thread may call it; its lock is taken once a batch."""

    def __init__(self) -> None:
        self._counts: dict[str, JobMetrics] = {}
        self._strangers: set[str] = set()
        self._lock = threading.Lock()

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count runs whose ends are stored. This is on every job's way: about half a microsecond each."""
        with self._lock:
            for outcome in outcomes:
                document = outcome.payload.document
                definition = outcome.definition
                name = definition.name if definition and "wrapped" not in document else self._name(outcome)
                seen = self._counts.get(name) or self._open(name)
                queued = document.get("enqueued_at")
                if type(queued) is not float:
                    queued = outcome.payload.enqueued_at
                if queued is not None:
                    seen.wait[bisect_right(BOUNDS_MS, (outcome.started_at - queued) * 1000)] += 1
                seen.runs += 1
                if outcome.error is None:
                    ms = outcome.elapsed * 1000
                    seen.run[bisect_right(BOUNDS_MS, ms)] += 1
                    seen.run_ms += ms
                else:
                    seen.failures += 1

    def take(self) -> "Mapping[str, JobMetrics]":
        """Everything counted so far, per name; from here on counting starts at zero."""
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken

    def give_back(self, taken: "Mapping[str, JobMetrics]") -> None:
        """What could not be written counts again. Bounded: there are only so many names."""
        with self._lock:
            for name, counts in taken.items():
                (self._counts.get(name) or self._open(name)).merge(counts)

    def _open(self, name: str) -> "JobMetrics":
        from kiq_django.store.counters import JobMetrics

        counts = self._counts[name] = JobMetrics()
        return counts

    def _name(self, outcome: Outcome) -> str:
        """The name of a run that may be unknown here; `wrapped` is the job inside an adapter's job."""
        payload, definition = outcome.payload, outcome.definition
        wrapped = payload.document.get("wrapped")
        name = wrapped if type(wrapped) is str and wrapped else payload.name
        if definition is not None and name == definition.name:
            return name
        if name in self._strangers:
            return name
        if len(self._strangers) >= MOST_STRANGERS or len(name) > LONGEST_STRANGER:
            return OTHER
        self._strangers.add(name)
        return name


class Flusher(Service):
    """Writes the tally every few seconds, and a last time when it is stopped."""

    def __init__(self, store: "Store", tally: Tally | None = None) -> None:
        super().__init__("metrics", FLUSH_EVERY)
        self._counters = store.counters
        self._tally = tally or _tally

    def first_wait(self) -> float:
        return FLUSH_EVERY

    def tick(self) -> None:
        """Write what was counted. An answer that is lost counts twice.

        Raises:
            StoreError: the counts are kept for the next flush, unless Redis has written a part of them.
        """
        counts = self._tally.take()
        if not counts:
            return
        try:
            self._counters.add_metrics(counts, clock.now())
        except (StoreUnavailable, StoreRefused):
            self._tally.give_back(counts)
            raise

    def last_tick(self) -> None:
        """Write the rest."""
        self.tick()


_tally = Tally()
feature = Feature(name="metrics", settled=_tally.add, services=(Flusher,))
