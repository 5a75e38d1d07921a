"""What workers count: runs, failures, run times and waits per job, runs per queue, and all of them together.

The figures of jobs stand in Sidekiq's keys, so that its Metrics page shows them too, and in ours, which keep more and
are read faster. The rules of counting are Sidekiq's: a run counts under `wrapped`, else under its name; time is counted
for successful runs alone; a run belongs to the minute in which it is written down. What left a queue belongs to the
minute in which it ended, because it is compared with the queue's size at the begin and the end of that minute.
"""

import re
import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kiq_django import clock
from kiq_django.exceptions import StoreRefused, StoreUnavailable
from kiq_django.execution import Outcome
from kiq_django.histogram import BOUNDS_MS
from kiq_django.plugins import Feature
from kiq_django.service import Service

if TYPE_CHECKING:  # features are loaded in every process, and the store would bring Redis along
    from kiq_django.store import Store
    from kiq_django.store.metrics import JobMetrics

FLUSH_EVERY = 5.0
"""Seconds."""
MINUTE = 60
TOO_LATE = 2.0
"""Seconds after the begin of a minute from which its queues are not measured any more."""
LONGEST_WAIT = 540
"""Minutes of which runs by queue wait to be written: nobody can read older ones."""
MOST_STRANGERS = 50
"""Names that no code here declares and that still get metrics of their own: payloads could name millions."""
LONGEST_STRANGER = 128
"""Characters."""
OTHER = "other"
"""Under which all further strangers count."""
PLAIN_NAME = re.compile(r"(?:[^\W\d_a-z]\w*+(?:::[^\W\d_a-z]\w*+)++|[^\W\d]\w*+)(?:[.][^\W\d]\w*+)*+")
"""What Python and Ruby call a function or a class: `shop.jobs.send`, `Shop::SendJob`. Sidekiq 7's histograms have
nothing before the name in their keys: a stranger of another shape could be named like a key of something else."""
TAKEN = frozenset({"it", "deploylock"})
"""Sidekiq has keys of other things that begin like the histograms of these."""


class Counted(NamedTuple):
    """What was counted in some stretch of time."""

    jobs: "dict[str, JobMetrics]"
    ended: dict[int, dict[str, int]]
    """Runs that ended, by the begin of their minute in epoch seconds, and by queue."""


class Tally:
    """What was counted since the last flush. Any thread may call it; its lock is taken once a batch."""

    def __init__(self) -> None:
        self._jobs: dict[str, JobMetrics] = {}
        self._ended: dict[str, int] = {}
        self._minute: int | None = None
        """To which `_ended` belongs; None until somebody says."""
        self._earlier: dict[int, dict[str, int]] = {}
        self._strangers: set[str] = set()
        self._lock = threading.Lock()

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count runs whose ends are stored. This is on every job's way: about half a microsecond each."""
        with self._lock:
            ended = self._ended
            for outcome in outcomes:
                document = outcome.payload.document
                definition = outcome.definition
                name = definition.name if definition and "wrapped" not in document else self._name(outcome)
                seen = self._jobs.get(name) or self._open(name)
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
                queue = outcome.queue  # one that this process serves, whatever the payload names
                ended[queue] = ended.get(queue, 0) + 1

    def turn(self, now: float) -> None:
        """A new minute has begun, or goes on: what ends from here on belongs to it."""
        with self._lock:
            self._turn(now)

    def take(self, now: float) -> Counted:
        """Everything counted so far; from here on counting starts at zero."""
        with self._lock:
            self._turn(now)
            self._file()
            taken, self._jobs, self._earlier = Counted(self._jobs, self._earlier), {}, {}
        return taken

    def give_back(self, taken: Counted) -> None:
        """What could not be written counts again. Bounded: there are only so many names, queues and minutes."""
        with self._lock:
            for name, counts in taken.jobs.items():
                (self._jobs.get(name) or self._open(name)).merge(counts)
            for minute, queues in taken.ended.items():
                _add(self._earlier.setdefault(minute, {}), queues)
            for minute in sorted(self._earlier)[:-LONGEST_WAIT]:
                del self._earlier[minute]

    def _turn(self, now: float) -> None:
        minute = int(now // MINUTE) * MINUTE
        if minute != self._minute and self._minute is not None:
            self._file()
        self._minute = minute

    def _file(self) -> None:
        if self._ended and self._minute is not None:
            _add(self._earlier.setdefault(self._minute, {}), self._ended)
            self._ended = {}

    def _open(self, name: str) -> "JobMetrics":
        from kiq_django.store.metrics import JobMetrics

        counts = self._jobs[name] = JobMetrics()
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
        if name in TAKEN or not PLAIN_NAME.fullmatch(name):
            return OTHER
        self._strangers.add(name)
        return name


class Flusher(Service):
    """Writes the tally every few seconds, and a last time when it is stopped."""

    def __init__(self, store: "Store", tally: Tally | None = None) -> None:
        super().__init__("metrics", FLUSH_EVERY)
        self._ledger = store.ledger
        self._tally = tally or _tally

    def first_wait(self) -> float:
        return FLUSH_EVERY

    def tick(self) -> None:
        """Write what was counted. An answer that is lost counts twice.

        Raises:
            StoreError: the counts are kept for the next flush, unless Redis has written a part of them.
        """
        now = clock.now()
        counted = self._tally.take(now)
        if not counted.jobs:
            return
        try:
            self._ledger.write(counted.jobs, now, counted.ended)
        except (StoreUnavailable, StoreRefused):
            self._tally.give_back(counted)
            raise

    def last_tick(self) -> None:
        """Write the rest."""
        self.tick()


class Measurer(Service):
    """At the begin of each minute: closes the minute before in the tally, and has one worker measure the queues.

    Both at once, so that what left the queues and what is in them fit together.
    """

    def __init__(self, store: "Store", tally: Tally | None = None) -> None:
        super().__init__("queue sizes", MINUTE)
        self._sizes = store.sizes
        self._tally = tally or _tally

    def interval(self) -> float:
        """Seconds until the next minute begins."""
        return MINUTE - clock.now() % MINUTE

    def tick(self) -> None:
        """Close the minute, and measure when it is the first moment of one.

        Raises:
            StoreError: this minute is not measured, unless another worker does.
        """
        now = clock.now()
        self._tally.turn(now)
        if now % MINUTE < TOO_LATE:
            self._sizes.take(now)


def _add(total: dict[str, int], counts: Mapping[str, int]) -> None:
    for queue, count in counts.items():
        total[queue] = total.get(queue, 0) + count


_tally = Tally()
feature = Feature(name="metrics", settled=_tally.add, services=(Flusher, Measurer))
