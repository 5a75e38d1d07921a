"""What is told of a worker's jobs: their starts and ends by its journal, their deaths in any case."""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kiq_django import clock, signals
from kiq_django.execution import Outcome
from kiq_django.log.escaping import said
from kiq_django.log.lines import Line, logger
from kiq_django.log.subject import Subject
from kiq_django.log.telling import tell
from kiq_django.log.threads import here
from kiq_django.log.trace import raised
from kiq_django.payload import Payload

MOST_RUNNING = 20_000
"""Jobs that are known to run; beyond it some must have been taken from us, and their ends never came."""


class JobJournal:
    """`kiq_django.worker.journal.Journal`: the lines `start`, `done` and `fail`. Several fetchers may share it."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, str, Payload, str] | Outcome] = deque()
        self._running: dict[int, Subject] = {}
        self._lock = threading.Lock()

    def started(self, payload: Payload, queue: str) -> None:
        """Note a start, in the thread that runs the job."""
        self._noted.append((clock.now(), here.tid, payload, queue))

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """Note ends."""
        self._noted.extend(outcomes)

    def flush(self) -> None:
        """Write what was noted. The lock is between fetchers; no thread of a job ever takes it."""
        if self._noted:
            with self._lock, suppress(Exception):
                tell([self._line(self._noted.popleft()) for _ in range(len(self._noted))])

    def _line(self, noted: tuple[float, str, Payload, str] | Outcome) -> Line:
        if isinstance(noted, tuple):
            moment, tid, payload, queue = noted
            if len(self._running) >= MOST_RUNNING:
                self._running.clear()
            subject = self._running[id(payload)] = Subject(payload, queue, tid)
            return moment, subject, None
        known = self._running.pop(id(noted.payload), None)
        return noted.started_at + noted.elapsed, known or Subject(noted.payload, noted.queue), noted


def journal() -> JobJournal | None:
    """What a launcher gets; also lets failures and deaths be told.

    None where the level of `kiq_django.job` is above INFO: then jobs cost no line, and failures are told all the same.
    """
    signals.job_dead.connect(_died, dispatch_uid="kiq_django.log.died")
    if logger.isEnabledFor(logging.INFO):
        signals.jobs_settled.disconnect(dispatch_uid="kiq_django.log.failures")
        return JobJournal()
    signals.jobs_settled.connect(_failures, dispatch_uid="kiq_django.log.failures")
    return None


def _failures(records: Sequence[Outcome], **_: Any) -> None:
    failed = [outcome for outcome in records if outcome.error is not None]
    if failed:
        tell([(o.started_at + o.elapsed, Subject(o.payload, o.queue), o) for o in failed])


def _died(payload: Payload | None, error: BaseException, **_: Any) -> None:
    """ERROR is what mail and error trackers listen to; our own formatters do not print the traceback again."""
    if payload is None:
        logger.error("unreadable, put into the dead set as it is: %s", said(error))
        return
    context = Subject(payload, payload.queue).context()
    if "discarded_at" in payload.document:
        logger.info("discarded: %s", said(error), extra={"kiq": context})
    else:
        logger.error("dead: %s", said(error), exc_info=raised(error), extra={"kiq": context, "traced": True})
