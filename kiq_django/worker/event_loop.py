"""The process's event loop: all `async def` jobs of all capsules run here, up to a number of their own."""

import asyncio
import logging
import threading
from collections import deque

from kiq_django import clock, execution
from kiq_django.context import StopFlag
from kiq_django.payload import Payload
from kiq_django.worker import verdict
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.reservation import Reservation

logger = logging.getLogger("kiq_django.worker")


class EventLoop:
    """A thread with an asyncio loop, started when the first async job comes."""

    def __init__(self, places: int, stop_flag: StopFlag) -> None:
        self.running: dict[Reservation, float] = {}
        """What runs and since when (epoch seconds). Changed by the submitting threads and the loop, one key each."""
        self._free: deque[None] = deque([None] * places)
        """As long as there are places; taken by any thread, given back by the loop, one atomic step each."""
        self._stop_flag = stop_flag
        self._coming: deque[tuple[Reservation, Payload, Fetcher]] = deque()
        self._told = False
        """The loop knows that some are coming: it is woken once for all that come until it looks."""
        self._tasks: dict[Reservation, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closing = False
        self._start_lock = threading.Lock()

    def submit(self, reservation: Reservation, payload: Payload, fetcher: Fetcher) -> bool:
        """Run an async job on the loop.

        Args:
            fetcher: told when the job's thread is free again, and of the job's end.

        Returns:
            False when all places are taken.
        """
        try:
            self._free.pop()
        except IndexError:
            return False
        self.running[reservation] = clock.now()
        fetcher.hand_off(reservation)
        self._coming.append((reservation, payload, fetcher))
        if not self._told:
            self._told = True
            (self._loop or self._started_loop()).call_soon_threadsafe(self._begin_all)
        return True

    @property
    def free_places(self) -> int:
        """How many more jobs may run. Any thread."""
        return len(self._free)

    def stop(self, timeout: float) -> None:
        """Cancel what runs, with the stop flag set such jobs count as interrupted, and end the thread."""
        self._closing = True
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._wind_down(timeout / 2), self._loop)
            self._thread.join(timeout)

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

    def _begin_all(self) -> None:
        self._told = False  # before the look: who comes after it wakes us again
        create_task = asyncio.get_running_loop().create_task
        for _ in range(len(self._coming)):
            reservation, payload, fetcher = self._coming.popleft()
            self._tasks[reservation] = create_task(self._run(reservation, payload, fetcher))

    async def _run(self, reservation: Reservation, payload: Payload, fetcher: Fetcher) -> None:
        try:
            verdict.conclude(reservation, await execution.arun(payload, reservation.whole, self._stop_flag))
        except BaseException as error:  # noqa: BLE001 - whatever it was, the job must not be lost with it
            verdict.crash(reservation, error)
        finally:
            self.running.pop(reservation, None)
            self._tasks.pop(reservation, None)
            self._free.append(None)
            fetcher.finish(reservation)

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        with self._start_lock:
            if self._loop is None:
                self._loop = loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._serve, args=[loop], name="kiq-asyncio", daemon=True)
                self._thread.start()
        return self._loop
