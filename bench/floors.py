"""The least that each step of a job's way costs without us, for `bench.profile` to stand beside ours."""

import asyncio
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from pathlib import Path
from typing import Any

BATCH = 100
REPEATS = 15


def each(step: Callable[[], Any], jobs: int = BATCH, before: Callable[[], Any] = lambda: None) -> float:
    """Microseconds of the processor a job, of a step that handles `jobs` at once; the best of many.

    Time that passes while the thread waits, for Redis say, is not in it, and so it may be measured on a busy machine.
    """
    best = float("inf")
    for _ in range(REPEATS):
        before()
        began = time.thread_time()
        step()
        best = min(best, time.thread_time() - began)
    return best / jobs * 1e6


async def together(run: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """A batch of tasks at once."""
    await asyncio.gather(*[asyncio.create_task(run()) for _ in range(BATCH)])


class Floors:
    """Bare redis-py, bare JSON, bare threads."""

    def __init__(self, client: Any, raw: bytes, call: Callable[[int], Any]) -> None:
        self._client = client
        self._raw = raw
        self._call = call

    def parse(self) -> float:
        text = self._raw.decode()
        return each(lambda: [json.loads(text) for _ in range(BATCH)])

    def enqueue(self) -> float:
        def send() -> None:
            for _ in range(BATCH):
                pipe = self._client.pipeline(transaction=False)
                pipe.sadd("queues", "default")
                pipe.lpush("queue:default", self._raw)
                pipe.execute()

        return each(send)

    def push(self) -> float:
        raws = [self._raw] * 1000
        return each(lambda: self._client.lpush("queue:default", *raws), 1000)

    def fetch(self) -> float:
        """The least with at-least-once: LMOVE, in pipelines."""

        def move() -> None:
            pipe = self._client.pipeline(transaction=False)
            for _ in range(BATCH):
                pipe.lmove("queue:default", "bare", "RIGHT", "LEFT")
            pipe.execute()

        return each(move, before=self._waiting)

    def _waiting(self) -> None:
        self._client.delete("bare")
        self._client.lpush("queue:default", *[self._raw] * BATCH)

    def settle(self) -> float:
        def remove() -> None:
            pipe = self._client.pipeline(transaction=False)
            for _ in range(BATCH):
                pipe.lrem("bare", -1, self._raw)
            pipe.execute()

        return each(remove, before=lambda: self._client.lpush("bare", *[self._raw] * BATCH))

    def run(self) -> float:
        """A context variable set and reset, the clock read twice, and the call."""
        variable: ContextVar[Any] = ContextVar("bare", default=None)

        def run() -> None:
            for number in range(BATCH):
                token = variable.set(number)
                began = time.monotonic()
                self._call(number)
                _ = time.monotonic() - began
                variable.reset(token)

        return each(run)

    def task(self) -> float:
        """A task of asyncio that sleeps once."""

        async def nap() -> None:
            await asyncio.sleep(0.001)

        return each(lambda: asyncio.run(together(nap)))

    def hand_over(self) -> float:
        """A job to another thread and back, by the fastest queues that Python has."""
        to: queue.SimpleQueue[Any] = queue.SimpleQueue()
        back: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def echo() -> None:
            while (item := to.get()) is not None:
                back.put(item)

        thread = threading.Thread(target=echo)
        thread.start()

        def send() -> None:
            for number in range(1, BATCH + 1):
                to.put(number)
            for _ in range(BATCH):
                back.get()

        cost = each(send)
        to.put(None)
        thread.join()
        return cost

    def line(self) -> float:
        """Two lines formatted and written, a write for a batch."""
        out = Path(os.devnull).open("w")  # noqa: SIM115

        def write() -> None:
            about = [f"{number} pid=1 tid=2 class=empty jid={number} queue=default" for number in range(BATCH)]
            out.write("\n".join([f"{each} INFO: start" for each in about]))
            out.write("\n".join([f"{each} elapsed={0.001:.3f} INFO: done" for each in about]))
            out.flush()

        return each(write)
