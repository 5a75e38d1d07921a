"""What is measured of a contestant. Each measure starts from empty servers and ends with nothing running."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers import servers
from bench.peers.contestant import ROOT, Contestant
from bench.peers.worker import Setting, Worker, await_jobs, client, delays, prepare, progress

Figures = Mapping[str, float]
SLICES = 200
"""Into so many parts the notes of the workers divide a drain."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How long a measurement takes."""

    drain: int = 40_000
    """Jobs at most."""
    seconds: float = 4
    """Of draining, roughly: slow contestants get fewer jobs."""
    single: int = 3_000
    samples: int = 150
    paced: int = 1_500
    patience: float = 120
    """Seconds until a measurement is given up."""

    def jobs(self, contestant: Contestant) -> int:
        """How many a contestant has to drain."""
        return min(self.drain, max(60, int(contestant.speed * self.seconds)))


QUICK = Scale(drain=10_000, seconds=2, single=1_000, samples=50, paced=500, patience=60)


@contextmanager
def place(
    contestant: Contestant,
    *saving: str,
    every: int = 100,
    lines: bool = False,
    link: float = 0.0,
    recovery: int = 0,
) -> Iterator[tuple[Setting, servers.Redis]]:
    """Empty servers, a directory for notes, and where to find them. `saving` are options of Redis, which saves nothing
    without them."""
    with ExitStack() as stack:
        redis = stack.enter_context(servers.redis(*saving))
        postgres = stack.enter_context(servers.postgres()) if contestant.postgres else ""
        directory = Path(tempfile.mkdtemp(prefix="bench"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        url = redis.url if not link else stack.enter_context(_linked(redis.port, link))
        setting = Setting(url, directory, postgres, every, lines, recovery)
        prepare(contestant, setting)
        yield setting, redis


@contextmanager
def _linked(port: int, milliseconds: float) -> Iterator[str]:
    """The URL of a server behind a line with this round trip."""
    command = [sys.executable, "-m", "bench.peers.link", str(port), str(milliseconds / 2)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout
        yield f"redis://127.0.0.1:{int(process.stdout.readline())}/0"
    finally:
        process.kill()
        process.wait()


@contextmanager
def _working(contestant: Contestant, setting: Setting, **options: int) -> Iterator[Worker]:
    worker = Worker(contestant, setting, **options)
    try:
        yield worker
    finally:
        worker.stop()


def enqueue(contestant: Contestant, scale: Scale) -> Figures:
    """Jobs a second that one client enqueues, one by one and in bulk."""
    number = min(scale.single, contestant.speed * 4)
    figures = {}
    for how, count in (("single", number), ("bulk", number * 10)):
        with place(contestant) as (setting, _):
            told = json.loads(client(contestant, setting, how, str(count)))
            figures[how] = told["jobs"] / told["seconds"]
    return figures


def drain(
    contestant: Contestant,
    scale: Scale,
    *,
    processes: int = 1,
    concurrency: int = 10,
    lines: bool = False,
    link: float = 0.0,
) -> Figures:
    """Jobs a second of empty jobs that were waiting, and what 1,000 of them cost."""
    number = scale.jobs(contestant)
    every = max(1, number // SLICES)
    with place(contestant, every=every, lines=lines, link=link) as (setting, redis):
        client(contestant, setting, "fill", str(number))
        commands, server = redis.commands(), redis.cpu()
        began = time.monotonic()
        with _working(
            contestant, setting, processes=processes, concurrency=min(concurrency, contestant.most)
        ) as worker:
            while progress(setting.directory) is None:
                if time.monotonic() > began + scale.patience or worker.process.poll() is not None:
                    raise RuntimeError(f"no job ran: {worker.log.read_text(errors='replace')[-3000:]}")
                time.sleep(0.005)
            cpu = worker.cpu()
            found = await_jobs(setting.directory, number, every, scale.patience)
            thousands = found.ran / 1_000
            return {
                "rate": found.rate,
                "cpu": (worker.cpu() - cpu) / thousands,
                "server_cpu": (redis.cpu() - server) / thousands,
                "commands": (redis.commands() - commands) / found.ran,
                "memory": worker.memory(),
                "first": found.first - began,
            }


def latency(contestant: Contestant, scale: Scale) -> Figures:
    """Milliseconds from the client's call to the start of the job, on a worker with nothing else to do."""
    return _delays(contestant, scale.samples, "clock", "", 0.02, scale)


def latency_of_eight(contestant: Contestant, scale: Scale) -> Figures:
    """The same with seven empty queues besides."""
    return _delays(contestant, scale.samples, "clock", "", 0.02, scale, more_queues=True)


def loaded_latency(contestant: Contestant, scale: Scale) -> Figures:
    """The same while jobs that wait 10 ms keep half of ten threads busy."""
    return _delays(contestant, scale.paced, "nap", "10", 0.002, scale)


TOILING = 4


def toiling_latency(contestant: Contestant, scale: Scale) -> Figures:
    """The same while four of ten threads compute all the time."""
    number, gap = scale.samples // 2, 0.04
    return _delays(contestant, number, "clock", "", gap, scale, toil=number * gap + 4)


def _delays(
    contestant: Contestant,
    number: int,
    kind: str,
    argument: str,
    gap: float,
    scale: Scale,
    *,
    toil: float = 0,
    more_queues: bool = False,
) -> Figures:
    with (
        place(contestant) as (setting, _),
        _working(contestant, setting, concurrency=min(10, contestant.most), more_queues=more_queues) as worker,
    ):
        _awake(contestant, setting, worker, scale.patience)
        if toil:
            client(contestant, setting, "fill", str(TOILING), "toil", str(toil * 1000))
        client(contestant, setting, "paced", str(number), kind, argument, str(gap))
        wanted = number if kind == "clock" else number // 10
        until = time.monotonic() + scale.patience
        while len(delays(setting.directory)) < wanted and time.monotonic() < until:
            time.sleep(0.05)
        found = delays(setting.directory)
        if len(found) < wanted:
            raise TimeoutError(f"{len(found)} of {wanted} jobs ran")
        return {"p50": statistics.median(found) * 1e3, "p99": found[int(len(found) * 0.99) - 1] * 1e3}


def _awake(contestant: Contestant, setting: Setting, worker: Worker, patience: float) -> None:
    """Wait until a first job ran, and let the worker fall asleep again."""
    client(contestant, setting, "paced", "1", "clock", "", "0")
    until = time.monotonic() + patience
    while not delays(setting.directory):
        if worker.process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"no job ran: {worker.log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.01)
    time.sleep(0.5)
    for notes in setting.directory.glob("delays.*"):
        os.truncate(notes, 0)


def waiting(contestant: Contestant, scale: Scale, *, concurrency: int) -> Figures:
    """Share of the ideal for jobs that wait 10 ms for somebody else, so many at once."""
    number = concurrency * 200
    every = max(1, number // SLICES)
    kind = "anap" if concurrency > 100 and contestant.name.startswith("kiq_django") else "nap"
    with place(contestant, every=every) as (setting, _):
        client(contestant, setting, "fill", str(number), kind, "10")
        with _working(contestant, setting, concurrency=concurrency):
            found = await_jobs(setting.directory, number, every, scale.patience)
        return {"share": found.rate / (concurrency / 0.010) * 100, "rate": found.rate}


Measure = Callable[[Contestant, Scale], Figures]
MEASURES: Mapping[str, Measure] = {
    "enqueue": enqueue,
    "drain": drain,
    "lines": lambda contestant, scale: drain(contestant, scale, lines=True),
    "two": lambda contestant, scale: drain(contestant, scale, processes=2),
    "link": lambda contestant, scale: drain(contestant, scale, link=1.0),
    "latency": latency,
    "eight": latency_of_eight,
    "load": loaded_latency,
    "toil": toiling_latency,
    "io10": lambda contestant, scale: waiting(contestant, scale, concurrency=10),
    "io100": lambda contestant, scale: waiting(contestant, scale, concurrency=100),
    "io1000": lambda contestant, scale: waiting(contestant, scale, concurrency=1_000),
}
TITLES = {
    "enqueue": "Enqueue",
    "drain": "Empty jobs, one process, ten at once, log level WARNING",
    "lines": "The same with the lines about each job",
    "two": "Empty jobs, two processes on two cores",
    "link": "Empty jobs over a line with a round trip of 1 ms",
    "latency": "From enqueue to start, idle worker",
    "eight": "The same with eight queues",
    "load": "From enqueue to start, worker half busy with jobs that wait 10 ms",
    "toil": f"From enqueue to start, while {TOILING} of ten jobs compute",
    "io10": "Jobs that wait 10 ms, ten at once",
    "io100": "Jobs that wait 10 ms, 100 at once",
    "io1000": "Jobs that wait 10 ms, 1,000 at once, asynchronous",
}


def applies(contestant: Contestant, measure: str) -> bool:
    """Whether this can be asked of a contestant at all."""
    match measure:
        case "lines":
            return contestant.log_lines is not None
        case "toil":
            return contestant.toils
        case "eight":
            return bool(contestant.more_queues)
        case "two":
            return contestant.processes
        case "load" | "io10":
            return contestant.most >= 10
        case "io100":
            return contestant.most >= 100
        case "io1000":
            return contestant.most >= 1_000
        case "link":
            return not contestant.postgres
    return True
