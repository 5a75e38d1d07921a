"""How fast one worker process is: `python -m bench.load --jobs 20000 --threads 10`.

Runs a launcher in this process with the default configuration on a server of its own, so what is measured is what
`runworker` does. Prints jobs per second for empty jobs, and the time from `enqueue` to the start of the job on an
idle worker.
"""

import argparse
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import django
from django.conf import settings

IDLE = 0.003
"""Seconds between two jobs of the latency measurement: long enough for the worker to fall asleep."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--queues", type=int, default=1)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="kiq"))
    server = _server(directory)
    try:
        _configure(f"unix://{directory}/s", options.queues)
        _measure(options)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _server(directory: Path) -> "subprocess.Popen[bytes]":
    program = shutil.which("redis-server") or shutil.which("valkey-server") or "redis-server"
    command = [program, "--port", "0", "--unixsocket", str(directory / "s"), "--save", "", "--dir", str(directory)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not (directory / "s").exists():
        time.sleep(0.01)
    return server


def _configure(url: str, queues: int) -> None:
    names = ["default", *(f"queue{number}" for number in range(1, queues))]
    settings.configure(
        KIQ={"REDIS": url, "QUEUES": names},
        INSTALLED_APPS=["kiq_django"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    django.setup()


def _measure(options: argparse.Namespace) -> None:
    from kiq_django import conf, job, store
    from kiq_django.worker.config import CapsuleConfig, WorkerConfig
    from kiq_django.worker.launcher import Launcher

    delays: list[float] = []
    started = threading.Event()

    @job(name="empty")
    def empty(number: int) -> None:
        pass

    @job(name="clock")
    def clock(sent: float) -> None:
        delays.append(time.perf_counter() - sent)
        started.set()

    weights = {queue.name: queue.weight for queue in conf.get().queues.values()}
    capsule = CapsuleConfig(queues=weights, concurrency=options.threads)
    rates = []
    for _ in range(options.rounds):
        empty.enqueue_all((number,) for number in range(options.jobs))
        launcher = Launcher(WorkerConfig(capsules=[capsule]), store.get, print)
        settler = launcher.managers[0].fetcher.settler
        began = time.perf_counter()
        launcher.start()
        while settler.processed < options.jobs:
            time.sleep(0.001)
        rates.append(options.jobs / (time.perf_counter() - began))
        launcher.stop(5)
    rates.sort()
    print(f"{options.jobs} empty jobs, {options.threads} threads: {rates[len(rates) // 2]:,.0f} a second "
          f"({rates[0]:,.0f} to {rates[-1]:,.0f} in {options.rounds} rounds)")  # fmt: skip

    launcher = Launcher(WorkerConfig(capsules=[capsule]), store.get, print)
    launcher.start()
    for _ in range(options.samples):
        started.clear()
        time.sleep(IDLE)
        clock.enqueue(time.perf_counter())
        started.wait(5)
    launcher.stop(5)
    delays.sort()
    middle, high = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    print(
        f"enqueue to start on an idle worker, {len(weights)} queues: p50 {middle * 1e3:.2f} ms, p99 {high * 1e3:.2f} ms"
    )


if __name__ == "__main__":
    main()
