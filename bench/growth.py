"""What a job costs as there is more of everything: `python -m bench.growth`.

On a server of its own and with the default configuration: 1,000 to a million jobs waiting, 1 to 1,000 queues, payloads
of 100 bytes to 100 kB, up to a million scheduled. A cost that grows with the number would show in the columns of Redis:
its CPU per job, commands per job, bytes per job.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.load import _configure, _server

MOST = 20_000
"""Jobs that are run of those that wait."""
QUEUES = 1_000
SOON = 0.5
"""Seconds until the jobs are due that are moved."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of so many jobs."""

    jobs: int
    seconds: float
    redis_us: float
    commands: float
    net_bytes: float

    def __str__(self) -> str:
        each = max(self.jobs, 1)
        return (
            f"{self.jobs / self.seconds:>9,.0f} | {self.redis_us / each:>6.1f} | {self.commands / each:>6.2f} | "
            f"{self.net_bytes / each:>9,.0f}"
        )


HEAD = "jobs/s | Redis µs a job | commands a job | bytes a job"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1_000_000, help="Jobs waiting, and scheduled, at most.")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="kiq"))
    server = _server(directory)
    try:
        _configure(f"unix://{directory}/s", QUEUES)
        _waiting(options.most)
        _queues()
        _payloads()
        _scheduled(options.most)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _waiting(most: int) -> None:
    job, memory = _job(), _memory()
    print(
        f"\n| jobs waiting | enqueued in bulk, jobs/s | bytes of Redis a job | {HEAD} |\n|---|---|---|---|---|---|---|"
    )
    for number in _steps(1_000, most):
        _flush()
        began = time.perf_counter()
        job.enqueue_all((each,) for each in range(number))
        rate = number / (time.perf_counter() - began)
        each = (_memory() - memory) / number
        print(f"| {number:,} | {rate:,.0f} | {each:,.0f} | {_drain(['default'], min(number, MOST))} |", flush=True)


def _queues() -> None:
    job = _job()
    print(f"\n| queues | {HEAD} |\n|---|---|---|---|---|")
    for number in (1, 10, 100, QUEUES):
        _flush()
        names = ["default", *(f"queue{each}" for each in range(1, number))]
        for name in names:
            job.using(queue=name).enqueue_all((each,) for each in range(MOST // number))
        print(f"| {number:,} | {_drain(names, MOST // number * number)} |", flush=True)


def _payloads() -> None:
    job = _job()
    print(f"\n| bytes of the argument | {HEAD} |\n|---|---|---|---|---|")
    for size in (100, 1_000, 10_000, 100_000):
        _flush()
        number = min(MOST, 200_000_000 // size)
        text = "x" * size
        job.enqueue_all((text,) for _ in range(number))
        print(f"| {size:,} | {_drain(['default'], number)} |", flush=True)


def _scheduled(most: int) -> None:
    from kiq_django import clock, store
    from kiq_django.worker.poller import Poller

    job, poller = _job(), Poller(store.get(), 1.0)
    print("\n| scheduled | one enqueue_in, µs of Redis | moving 1,000 that are due, ms |\n|---|---|---|")
    for number in _steps(1_000, most):
        _flush()
        job.enqueue_all(((each,) for each in range(number)), at=clock.now() + 86_400)
        add = _cost(lambda: [job.enqueue_in(3_600, each) for each in range(200)], 200)
        job.enqueue_all(((each,) for each in range(1_000)), at=clock.now() + SOON)
        time.sleep(SOON)
        began = time.perf_counter()
        poller.tick()
        print(f"| {number:,} | {add.redis_us / 200:.1f} | {(time.perf_counter() - began) * 1e3:.1f} |", flush=True)


def _steps(first: int, most: int) -> Iterator[int]:
    while first <= most:
        yield first
        first *= 10


@cache
def _job() -> Any:
    from kiq_django import job

    return job(name="empty")(_nothing)


def _nothing(argument: Any) -> None:
    pass


def _flush() -> None:
    from kiq_django import store

    store.get().link.call("FLUSHALL")


def _memory() -> int:
    from kiq_django import store

    return int(store.get().link.client.info("memory")["used_memory"])


def _drain(queues: list[str], number: int) -> Cost:
    """Let one worker of ten threads run so many jobs."""
    from kiq_django import store
    from kiq_django.worker.config import CapsuleConfig, WorkerConfig
    from kiq_django.worker.launcher import Launcher

    capsule = CapsuleConfig(queues=dict.fromkeys(queues, 0), concurrency=10)
    launcher = Launcher(WorkerConfig(capsules=[capsule]), store.get, print)
    settler = launcher.managers[0].fetcher.settler

    def run() -> None:
        launcher.start()
        while settler.processed < number:
            time.sleep(0.001)

    cost = _cost(run, number)
    launcher.stop(5)
    return cost


def _cost(run: Callable[[], Any], jobs: int) -> Cost:
    """What Redis spent while this ran."""
    from kiq_django import store

    client = store.get().link.client
    client.config_resetstat()
    before, began = _cpu(client), time.perf_counter()
    run()
    seconds, spent = time.perf_counter() - began, _cpu(client) - before
    calls = sum(each["calls"] for each in client.info("commandstats").values())
    net = client.info("stats")
    return Cost(jobs, seconds, spent * 1e6, calls, net["total_net_input_bytes"] + net["total_net_output_bytes"])


def _cpu(client: Any) -> float:
    told = client.info("cpu")
    return float(told["used_cpu_user"] + told["used_cpu_sys"])


if __name__ == "__main__":
    main()
