"""For tests: jobs are collected, to be looked at and run by the test."""

import threading
from collections.abc import Callable, Sequence

from kiq_django import clock, execution
from kiq_django.adapters.base import Adapter, begin_result, keep_result, raise_failure
from kiq_django.execution import Outcome
from kiq_django.payload import ABSENT, Payload


class TestAdapter(Adapter):
    """Keeps payloads as they would come back from Redis: read again from their own bytes."""

    __test__ = False  # pytest would take it for a class of tests

    persistent = False
    schedules = True
    bulk = True

    def __init__(self) -> None:
        self._payloads: list[Payload] = []
        self._lock = threading.Lock()

    def push(self, payloads: Sequence[Payload]) -> None:
        read = [Payload.decode(payload.encode()) for payload in payloads]
        for payload in read:
            begin_result(payload)
        with self._lock:
            self._payloads.extend(read)

    async def apush(self, payloads: Sequence[Payload]) -> None:
        self.push(payloads)

    def enqueued(self) -> list[Payload]:
        """What waits, in the order of enqueueing; scheduled jobs have `at`."""
        with self._lock:
            return list(self._payloads)

    def clear(self) -> None:
        """Forget what waits."""
        self.swap([])

    def swap(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Put these in the place of what waits, and give that."""
        with self._lock:
            former, self._payloads = self._payloads, list(payloads)
        return former

    def drain(self, *, queue: str | None = None, until: float | None = None) -> list[Outcome]:
        """Run what waits, what these jobs enqueue, and so on, until nothing is left.

        Args:
            queue: only this one.
            until: run scheduled jobs up to this time (epoch seconds) too, each in its turn; None is now.

        Raises:
            BaseException: what the first failing job raised, unless it discards that; the others go on waiting.
        """
        latest = clock.now() if until is None else until
        outcomes = []
        while payload := self.take(queue, latest):
            outcomes.append(self.run(payload))
        return outcomes

    def take(self, queue: str | None, latest: float) -> Payload | None:
        """Take away what is to run next up to a time: in the order of enqueueing, then the scheduled ones by time."""
        return self._take(lambda p: queue in (None, p.queue) and (p.at or 0) <= latest)

    def run(self, payload: Payload) -> Outcome:
        """Run one job as a worker would.

        Raises:
            BaseException: what it raised, unless it discards that.
        """
        outcome = execution.run(payload.evolve(at=ABSENT), payload.queue, housekeeping=False)
        keep_result(outcome)
        raise_failure(outcome)
        return outcome

    def _take(self, wanted: Callable[[Payload], bool]) -> Payload | None:
        with self._lock:
            payload = min(filter(wanted, self._payloads), key=lambda p: p.at or 0, default=None)
            if payload is not None:
                self._payloads = [each for each in self._payloads if each is not payload]
            return payload
