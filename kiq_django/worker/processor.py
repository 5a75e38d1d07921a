"""A thread that runs jobs: take, run, decide, hand back. It never speaks to Redis."""

import logging
import threading
from collections.abc import Callable

from django.db import connections

from kiq_django import clock, conf, execution, routing
from kiq_django.context import StopFlag
from kiq_django.exceptions import MalformedPayload
from kiq_django.payload import Payload
from kiq_django.worker import unroutable, verdict
from kiq_django.worker.buffer import Buffer, Seat
from kiq_django.worker.event_loop import EventLoop
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.journal import Journal
from kiq_django.worker.reservation import Reservation

logger = logging.getLogger("kiq_django.worker")


class Processor:
    """One of a capsule's threads.

    1. Takes a reservation from the buffer, sleeping while there is none.
    2. Reads it; what cannot be read is buried as it is.
    3. An async job goes to the event loop, any other runs here.
    4. What becomes of it is decided here and handed back to the fetcher, which writes it.
    """

    def __init__(
        self,
        name: str,
        buffer: Buffer,
        fetcher: Fetcher,
        event_loop: EventLoop,
        stop_flag: StopFlag,
        died: Callable[["Processor"], None],
        journal: Journal | None = None,
    ) -> None:
        self.current: tuple[Reservation, float] | None = None
        """What runs here and since when (epoch seconds). Written by this thread, read by the heartbeat."""
        self._buffer = buffer
        self._fetcher = fetcher
        self._finish = fetcher.finish
        self._event_loop = event_loop
        self._stop_flag = stop_flag
        self._died = died
        self._journal = journal
        self._seat = Seat()
        self._largest = conf.get().limits.worker_payload
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException:
            logger.exception("Thread %s died; another takes its place", self.thread.name)
            self._died(self)
        finally:
            connections.close_all()

    def _work(self) -> None:
        take, seat = self._buffer.take, self._seat
        while (work := take(seat)) is not None:
            if isinstance(work, Reservation):
                self._process(work)
            else:
                work()

    def _process(self, reservation: Reservation) -> None:
        self.current = (reservation, clock.now())
        handed_on = False
        try:
            handed_on = self._dispatch(reservation)
        except BaseException as error:
            # Not the job's error but ours, or an interrupt: it must not take the job with it.
            verdict.crash(reservation, error)
            if not isinstance(error, Exception):
                raise
        finally:
            self.current = None
            if not handed_on:
                self._finish(reservation)

    def _submit(self, reservation: Reservation, payload: Payload) -> bool:
        """Hand an async job on, or give it back when the loop has no place: this thread has others to run."""
        if self._event_loop.submit(reservation, payload, self._fetcher):
            return True
        verdict.put_back(reservation)
        self._fetcher.leave_alone(reservation.queue)
        return False

    def _dispatch(self, reservation: Reservation) -> bool:
        """Run a job here, or hand it on to the event loop: True."""
        if len(reservation.raw) > self._largest:
            verdict.bury_oversized(reservation, self._largest)
            return False
        try:
            payload = Payload.decode(reservation.raw)
        except MalformedPayload as error:
            verdict.bury_unreadable(reservation, error)
            return False
        definition = routing.find(payload)
        if definition is None:
            unroutable.park(reservation, payload)
            return False
        if definition.is_async:
            return self._submit(reservation, payload)
        if self._journal is not None:
            self._journal.started(payload, reservation.whole)
            self._fetcher.note_start()
        queue = reservation.part_of or reservation.queue  # `whole` in short, on the hot path
        outcome = execution.run(payload, queue, self._stop_flag, definition=definition)
        verdict.conclude(reservation, outcome)
        return False
