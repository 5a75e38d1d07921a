"""Where each microsecond of a job goes: `python -m bench.profile`.

Every step of a job's way is run by itself, over and over, as the worker runs it in the middle of a busy hour: in
batches of `BATCH` jobs, against a server of its own.
Beside it stands the floor: the least that the same step costs without us.
What the sum leaves open to the measured rate of a whole worker are hand-overs between threads and waits for Redis.
Microseconds are those of the processor, so another program on the machine changes little.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.floors import BATCH, REPEATS, Floors, each, together
from bench.load import _configure, _server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plain", action="store_true", help="without orjson, as without the extra 'fast'")
    options = parser.parse_args()
    if options.plain:
        sys.modules["orjson"] = None  # type: ignore[assignment]
    directory = Path(tempfile.mkdtemp(prefix="kiq"))
    server = _server(directory)
    try:
        _configure(f"unix://{directory}/s", 1)
        _print(Steps())
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(directory, ignore_errors=True)


class Steps:
    """The parts of a worker without its threads."""

    def __init__(self) -> None:
        from kiq_django import execution, job, log, routing, store
        from kiq_django.payload import Payload
        from kiq_django.worker import verdict
        from kiq_django.worker.buffer import Buffer, Seat
        from kiq_django.worker.config import CapsuleConfig
        from kiq_django.worker.fetcher import Fetcher
        from kiq_django.worker.reservation import Reservation

        @job(name="empty")
        def empty(number: int) -> None:
            pass

        self.job = empty
        self.store = store.get("fetch")
        self.link = store.get().link
        capsule = CapsuleConfig(queues={"default": 1}, concurrency=10)
        self.buffer, self.seat = Buffer(), Seat()
        self.fetcher = Fetcher(capsule, "profile", self.store, self.buffer, lease=300, audit_every=300)
        self.fetcher._take_new_name()
        self.custody, self.settler = self.fetcher._custody, self.fetcher.settler
        self.owner = self.fetcher._ownership.name
        self.Payload, self.Reservation, self.verdict = Payload, Reservation, verdict
        self.find, self.execute = routing.find, execution.run
        self.journal = log.JobJournal()
        self.turn: Any = None
        self.in_redis = 0.0
        """Microseconds a job that the server takes for fetch and settle; known once `settle` has run."""
        self.raw: bytes = self._fill(1)[0]
        self.link.call("DEL", "queue:default")

    def _fill(self, count: int = BATCH) -> list[bytes]:
        self.job.enqueue_all((number,) for number in range(count))
        return list(self.link.call("LRANGE", "queue:default", 0, count - 1))

    def enqueue_one(self) -> float:
        return each(lambda: [self.job.enqueue(1) for _ in range(BATCH)])

    def enqueue_many(self) -> float:
        return each(lambda: self.job.enqueue_all((number,) for number in range(1000)), 1000)

    def fetch(self) -> float:
        """One turn that takes a batch: pack, send, wait for Redis, read."""
        self.link.call("DEL", "queue:default")

        def taken() -> None:
            self.turn = self.fetcher._working.turn([], self.owner, ["default"], BATCH)

        cost = each(taken, before=lambda: (self._forget(), self._fill()))
        assert len(self.turn.taken) == BATCH
        return cost

    def _forget(self) -> None:
        self.link.call("DEL", "queue:default", f"kiq:working:default:{self.owner}")

    def accept(self) -> float:
        def before() -> None:
            self.buffer.drain()
            self.fetcher._ownership._held.clear()

        return each(lambda: self.fetcher._accept(self.turn.taken, closed=()), before=before)

    def take(self) -> float:
        reservations = [self.Reservation(self.owner, "default", self.raw) for _ in range(BATCH)]

        def before() -> None:
            self.buffer.drain()
            self.buffer.put(reservations)

        return each(lambda: [self.buffer.take(self.seat) for _ in range(BATCH)], before=before)

    def decode(self) -> float:
        return each(lambda: [self.Payload.decode(self.raw) for _ in range(BATCH)])

    def run(self) -> float:
        payload = self.Payload.decode(self.raw)
        definition = self.find(payload)
        return each(lambda: [self.execute(payload, "default", None, definition=definition) for _ in range(BATCH)])

    def run_async(self) -> float:
        """An async job that sleeps once, on an event loop."""
        from kiq_django import execution, job

        @job(name="nap")
        async def nap(number: int) -> None:
            await asyncio.sleep(0.001)

        payload = self.Payload({**self.Payload.decode(self.raw).document, "class": nap.name})
        return each(lambda: asyncio.run(together(lambda: execution.arun(payload, "default"))))

    def process(self) -> float:
        """All that a thread does with a job: read, find, run, decide, hand back."""
        from kiq_django.worker.processor import Processor

        processor = Processor("p", self.buffer, self.fetcher, None, None, lambda dead: None)  # type: ignore[arg-type]
        reservations = [self.Reservation(self.owner, "default", raw) for _, raw in self.turn.taken]
        step = processor._process
        cost = each(lambda: [step(reservation) for reservation in reservations], before=self.custody.finished.clear)
        self.custody.finished.clear()
        self.done = reservations
        return cost

    def settle(self) -> tuple[float, float]:
        """One turn that settles a batch, and what is done with the answer: counts, metrics, signals."""
        sent: list[float] = []
        told: list[float] = []
        spent: list[float] = []
        for _ in range(REPEATS):
            self._forget()
            self._fill()
            before = self._cpu()
            taken = self.fetcher._working.turn([], self.owner, ["default"], BATCH).taken
            self.fetcher._accept(taken, closed=())
            from kiq_django.worker.processor import Processor

            processor = Processor("p", self.buffer, self.fetcher, None, None, lambda dead: None)  # type: ignore[arg-type]
            for reservation in self.buffer.drain():
                processor._process(reservation)
            began = time.thread_time()
            self.fetcher._collect()
            turn = self.fetcher._working.turn(self.settler.batches(), self.owner, [], 0)
            between = time.thread_time()
            spent.append(self._cpu() - before)
            self.fetcher._confirm(turn)
            told.append(time.thread_time() - between)
            sent.append(between - began)
        self.in_redis = min(spent) / BATCH * 1e6
        return min(sent) / BATCH * 1e6, min(told) / BATCH * 1e6

    def _cpu(self) -> float:
        """Seconds of the processor that the server has used so far."""
        said = self.link.client.info("cpu")
        return float(said["used_cpu_sys_main_thread"] + said["used_cpu_user_main_thread"])

    def lines(self) -> float:
        """Two log lines a job."""
        outcomes = [reservation.outcome for reservation in self.done]
        from kiq_django.log import BatchHandler
        from kiq_django.log.lines import logger

        handler = BatchHandler(Path(os.devnull).open("w"))  # noqa: SIM115
        logger.addHandler(handler)
        logger.setLevel("INFO")
        logger.propagate = False

        def write() -> None:
            for outcome in outcomes:
                if outcome is not None:
                    self.journal.started(outcome.payload, "default")
            self.journal.settled([outcome for outcome in outcomes if outcome is not None])
            self.journal.flush()

        return each(write)


def _print(steps: Steps) -> None:
    floors = Floors(steps.link.client, steps.raw, steps.job)
    fetched = steps.fetch()
    accepted, taken, decoded, ran, processed = (
        steps.accept(), steps.take(), steps.decode(), steps.run(), steps.process(),
    )  # fmt: skip
    settled, told = steps.settle()
    rows: list[tuple[str, float, str, float | None]] = [
        ("a batch is fetched: pack, send, read", fetched, "LMOVE by a pipeline of redis-py", floors.fetch()),
        ("into memory, to a thread", accepted + taken, "to a thread and back by SimpleQueue", floors.hand_over()),
        ("a thread reads the payload", decoded, "json.loads", floors.parse()),
        ("runs it: context, middleware, clocks, database", ran, "contextvar, clock, call", floors.run()),
        ("finds, decides, hands back", processed - decoded - ran, "", None),
        ("a batch is settled: pack, send, read", settled, "LREM by a pipeline of redis-py", floors.settle()),
        ("counts, metrics, signals", told, "", None),
    ]
    print("| step of a job | µs | floor | µs |\n| --- | ---: | --- | ---: |")
    for name, cost, floor, least in rows:
        print(f"| {name} | {cost:.2f} | {floor} | {'' if least is None else f'{least:.2f}'} |")
    total, least_of_all = sum(row[1] for row in rows), sum(row[3] or 0 for row in rows)
    print(f"| **all** | **{total:.2f}** | | **{least_of_all:.2f}** |")
    print(f"| Redis itself, for fetch and settle | {steps.in_redis:.2f} | | |")
    print(f"| two log lines | {steps.lines():.2f} | format and write | {floors.line():.2f} |")
    print(f"| an async job that sleeps once | {steps.run_async():.2f} | a task of asyncio | {floors.task():.2f} |")
    one, bare = steps.enqueue_one(), floors.enqueue()
    print(f"| enqueue one | {one:.2f} | SADD, LPUSH by a pipeline of redis-py | {bare:.2f} |")
    print(f"| enqueue 1,000 at once | {steps.enqueue_many():.2f} | one LPUSH by redis-py | {floors.push():.2f} |")


if __name__ == "__main__":
    main()
