"""The process's event loop: all `async def` jobs of all capsules run here, up to a number of their own."""

import asyncio
import logging
import threading
from collections import deque

from kiq_django import clock, execution
from kiq_django.context import StopFlag
from kiq_django.payload import Payload
from kiq_django.worker import verdict
from kiq_django.worker.journal import Journal
from kiq_django.worker.line import Guest, Host, Line
from kiq_django.worker.reservation import Reservation

logger = logging.getLogger("kiq_django.worker")


class EventLoop:
    """A thread with an asyncio loop, started when the first async job comes.

    A job takes one of its places; when a job ends, the place goes to the next in the line, without a way through
    another thread.
    """

    def __init__(self, places: int, stop_flag: StopFlag, journal: Journal | None = None) -> None:
        self.running: dict[Reservation, float] = {}
        """What runs and since when (epoch seconds). Changed by the submitting threads and the loop, one key each."""
        self.line = Line()
        self._free: deque[None] = deque([None] * places)
        """As long as there are places; taken by any thread, given back by the loop, one atomic step each."""
        self._stop_flag = stop_flag
        self._journal = journal
        self._coming: deque[Guest] = deque()
        """Who has a place, and is not known to the loop yet."""
        self._told = False
        """The loop knows that some are coming: it is woken once for all that come until it looks."""
        self._tasks: dict[Reservation, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closing = False
        self._start_lock = threading.Lock()

    def submit(self, reservation: Reservation, payload: Payload, host: Host) -> bool:
        """Run an async job on the loop, at once or within milliseconds.

        Args:
            host: told when the job's thread is free again, and of the job's end.

        Returns:
            False when all places are taken, and none is soon to come free.
        """
        guest = Guest(reservation, payload, host)
        if self._take_place():
            host.hand_off(reservation)
            self._admit(guest)
        elif self.line.room:
            host.hand_off(reservation)
            self.line.join(guest)
            self._seat_waiting()
        else:
            return False
        return True

    @property
    def free_places(self) -> int:
        """How many more jobs may come. Any thread."""
        return len(self._free) + self.line.room

    def stop(self, timeout: float) -> None:
        """Cancel what runs, with the stop flag set such jobs count as interrupted, and end the thread."""
        self._closing = True
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._wind_down(timeout / 2), self._loop)
            self._thread.join(timeout)

    # -- places -----------------------------------------------------------------------------------

    def _take_place(self) -> bool:
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def _seat_waiting(self) -> None:
        """While there are both, a free place and somebody in the line. Who adds one of the two calls this after it, so
        that none is left to the other.
        """
        while self.line and not self._closing and self._take_place():
            guest = self.line.next()
            if guest is None:
                self._free.append(None)
            else:
                self._admit(guest)

    def _admit(self, guest: Guest) -> None:
        """Any thread: the guest has a place."""
        self.running[guest.reservation] = clock.now()
        self._coming.append(guest)
        if not self._told:
            self._told = True
            (self._loop or self._started_loop()).call_soon_threadsafe(self._begin_all)

    def _pass_on(self) -> None:
        """The loop's thread: a job has ended, its place is the next one's."""
        self.line.note_end()
        guest = None if self._closing else self.line.next()
        if guest is not None:
            self.running[guest.reservation] = clock.now()
            self._begin(guest, asyncio.get_running_loop())
        else:
            self._free.append(None)
            self._seat_waiting()

    # -- on the loop ------------------------------------------------------------------------------

    def _begin_all(self) -> None:
        self._told = False  # before the look: who comes after it wakes us again
        loop = asyncio.get_running_loop()
        for _ in range(len(self._coming)):
            self._begin(self._coming.popleft(), loop)

    def _begin(self, guest: Guest, loop: asyncio.AbstractEventLoop) -> None:
        if self._journal is not None:
            self._journal.started(guest.payload, guest.reservation.whole)
            guest.host.note_start()
        self._tasks[guest.reservation] = loop.create_task(self._run(guest))

    async def _run(self, guest: Guest) -> None:
        reservation = guest.reservation
        try:
            verdict.conclude(reservation, await execution.arun(guest.payload, reservation.whole, self._stop_flag))
        except BaseException as error:  # noqa: BLE001 - whatever it was, the job must not be lost with it
            verdict.crash(reservation, error)
        finally:
            self.running.pop(reservation, None)
            self._tasks.pop(reservation, None)
            try:
                self._pass_on()
            finally:
                guest.host.finish(reservation)

    async def _wind_down(self, patience: float) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        await asyncio.get_running_loop().shutdown_asyncgens()  # connections to Redis close with one
        asyncio.get_running_loop().stop()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """SystemExit in a task that a job made comes out of the loop: it is that job's affair, the others go on."""
        while not self._closing:
            try:
                loop.run_forever()
            except BaseException:
                logger.exception("A task of an async job tried to end the event loop; it goes on")
        loop.close()

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        with self._start_lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=self._serve, args=[loop], name="kiq-asyncio", daemon=True)
                thread.start()
                self._thread, self._loop = thread, loop  # once it runs: whoever stops us may wait for it
        return self._loop
