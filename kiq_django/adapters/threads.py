"""For development: threads of this process run the jobs. What has not run when the process is killed is lost."""

import atexit
import heapq
import itertools
import logging
import random
import threading
from collections.abc import Sequence

from django.db import connections

from kiq_django import clock, conf, execution, plugins, retry, signals
from kiq_django.adapters.base import Adapter, begin_result, keep_result
from kiq_django.execution import Outcome
from kiq_django.options import JobOptions
from kiq_django.payload import ABSENT, Payload

logger = logging.getLogger("kiq_django")


class ThreadsAdapter(Adapter):
    """`KIQ["WORKER"]["concurrency"]` daemon threads, started by the first push.

    Failed jobs are retried as a worker would, from memory. At exit, and when the settings change, what is due
    gets `KIQ["WORKER"]["shutdown_timeout"]` seconds to finish.
    """

    persistent = False
    schedules = True
    bulk = True

    def __init__(self) -> None:
        self._settings = conf.get().worker
        self._order = itertools.count()
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        # Guarded by the condition; whoever waits for work waits no longer than until the first job is due.
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Payload]] = []
        self._running = 0

    def push(self, payloads: Sequence[Payload]) -> None:
        self._start()
        for payload in payloads:
            begin_result(payload)
            self._add(Payload.decode(payload.encode()), payload.at or 0)

    def close(self) -> None:
        """Let due jobs finish, up to the shutdown timeout; then no thread takes another one."""
        atexit.unregister(self.close)
        with self._changed:
            self._changed.wait_for(self._is_idle, self._settings.shutdown_timeout)
            self._stopping.set()
            lost = len(self._waiting) + self._running
            self._changed.notify_all()
        if lost:
            logger.warning("The threads adapter stops; %d jobs in its memory are lost", lost)

    def _start(self) -> None:
        with self._changed:
            if self._threads:
                return
            atexit.register(self.close)
            for number in range(self._settings.concurrency):
                thread = threading.Thread(target=self._work, name=f"kiq-threads-{number}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _add(self, payload: Payload, due: float) -> None:
        with self._changed:
            heapq.heappush(self._waiting, (due, next(self._order), payload))
            self._changed.notify()

    def _work(self) -> None:
        while payload := self._take():
            try:
                self._settle(execution.run(payload, payload.queue, self._stopping))
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()
        connections.close_all()

    def _take(self) -> Payload | None:
        with self._changed:
            while not self._stopping.is_set():
                if self._is_due():
                    self._running += 1
                    return heapq.heappop(self._waiting)[2].evolve(at=ABSENT)
                self._changed.wait(self._waiting[0][0] - clock.now() if self._waiting else None)
        return None

    def _is_due(self) -> bool:
        return bool(self._waiting) and self._waiting[0][0] <= clock.now()

    def _is_idle(self) -> bool:
        return not self._running and not self._is_due()

    def _settle(self, outcome: Outcome) -> None:
        error = outcome.error
        if error is None:
            keep_result(outcome)
            return
        definition = outcome.definition
        options = definition.options if definition else JobOptions()
        now = clock.now()
        with plugins.around(outcome.payload):
            decision = retry.decide(
                outcome.payload,
                error,
                options,
                queue=outcome.queue,
                now=now,
                chance=random.random,
                default_max=_default_max(),
            )
        logger.warning("%r failed: %s", outcome.payload, decision.reason, exc_info=error)
        if decision.verdict == "retry":
            self._add(decision.payload, now + decision.delay)
        else:
            keep_result(outcome)
            sender = definition.sender if definition else None
            with plugins.around(decision.payload):
                signals.send(signals.job_dead, sender, payload=decision.payload, error=error)


def _default_max() -> int:
    """Retries of a payload that says `retry: true`."""
    value = conf.get().defaults.retry
    return retry.DEFAULT_MAX if isinstance(value, bool) else value
