"""The process's event loop: all `async def` jobs of all capsules run here, up to a number of their own."""

import asyncio
import threading

from kiq_django import clock, execution
from kiq_django.context import StopFlag
from kiq_django.payload import Payload
from kiq_django.worker import verdict
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.reservation import Reservation

PATIENCE = 0.5
"""Seconds between two looks whether the worker is stopping, while all places are taken."""


class EventLoop:
    """A thread with an asyncio loop, started when the first async job comes."""

    def __init__(self, places: int, stop_flag: StopFlag) -> None:
        self.running: dict[Reservation, float] = {}
        """What runs and since when (epoch seconds). Changed by the submitting threads and the loop, one key each."""
        self._places = threading.BoundedSemaphore(places)
        self._stop_flag = stop_flag
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._start_lock = threading.Lock()

    def submit(self, reservation: Reservation, payload: Payload, fetcher: Fetcher) -> bool:
        """Run an async job on the loop. Blocks while all places are taken, so that no more is fetched than can run.

        Args:
            fetcher: told when the job's thread is free again, and of the job's end.

        Returns:
            False when the worker began to stop while we waited: the job was put back.
        """
        while not self._places.acquire(timeout=PATIENCE):
            if self._stop_flag.is_set():
                verdict.put_back(reservation)
                return False
        self.running[reservation] = clock.now()
        fetcher.hand_off(reservation)
        self._started_loop().call_soon_threadsafe(self._begin, reservation, payload, fetcher)
        return True

    def cancel(self) -> None:
        """Cancel what runs; with the stop flag set those jobs count as interrupted."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel_tasks)

    def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _begin(self, reservation: Reservation, payload: Payload, fetcher: Fetcher) -> None:
        task = asyncio.get_running_loop().create_task(self._run(reservation, payload, fetcher))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, reservation: Reservation, payload: Payload, fetcher: Fetcher) -> None:
        try:
            verdict.conclude(reservation, await execution.arun(payload, reservation.queue, self._stop_flag))
        except BaseException as error:  # noqa: BLE001 - whatever it was, the job must not be lost with it
            verdict.crash(reservation, error)
        finally:
            self.running.pop(reservation, None)
            self._places.release()
            fetcher.finish(reservation)

    def _started_loop(self) -> asyncio.AbstractEventLoop:
        with self._start_lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="kiq-asyncio", daemon=True).start()
        return self._loop
