"""The process's event loop: all `async def` jobs of all capsules run here, up to a number of their own."""

import asyncio
import logging
import threading

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
        self._places = threading.BoundedSemaphore(places)
        self._stop_flag = stop_flag
        self._limit = places
        self._tasks: set[asyncio.Task[None]] = set()
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
        if not self._places.acquire(blocking=False):
            return False
        self.running[reservation] = clock.now()
        fetcher.hand_off(reservation)
        self._started_loop().call_soon_threadsafe(self._begin, reservation, payload, fetcher)
        return True

    @property
    def is_full(self) -> bool:
        """All places are taken."""
        return len(self.running) >= self._limit

    def stop(self, timeout: float) -> None:
        """Cancel what runs, with the stop flag set such jobs count as interrupted, and end the thread."""
        self._closing = True
        if self._loop is not None and self._thread is not None:
            asyncio.run_coroutine_threadsafe(self._wind_down(timeout / 2), self._loop)
            self._thread.join(timeout)

    async def _wind_down(self, patience: float) -> None:
        tasks = list(self._tasks)
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

    def _begin(self, reservation: Reservation, payload: Payload, fetcher: Fetcher) -> None:
        task = asyncio.get_running_loop().create_task(self._run(reservation, payload, fetcher))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, reservation: Reservation, payload: Payload, fetcher: Fetcher) -> None:
        try:
            verdict.conclude(reservation, await execution.arun(payload, reservation.whole, self._stop_flag))
        except BaseException as error:  # noqa: BLE001 - whatever it was, the job must not be lost with it
            verdict.crash(reservation, error)
        finally:
            self.running.pop(reservation, None)
            self._places.release()
            fetcher.finish(reservation)

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        with self._start_lock:
            if self._loop is None:
                self._loop = loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._serve, args=[loop], name="kiq-asyncio", daemon=True)
                self._thread.start()
        return self._loop
