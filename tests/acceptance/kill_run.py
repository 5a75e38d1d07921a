"""Kill workers at random while jobs run, then count: `python -m tests.acceptance.kill_run --jobs 5000 --kills 20`.

Every job appends one line to a file. At the end nothing may be missing, and no more may have run twice than
were in flight in the workers that were killed.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from kiq_django import payload
from kiq_django.sections import Limits
from kiq_django.store import Store, connections
from kiq_django.store.queues import Entry
from tests.acceptance.process import WorkerProcess, effects
from tests.support import wait_for

JOB = "tests.acceptance.app.jobs.touch"
CONCURRENCY = 5
AHEAD = 15
"""Jobs that a worker may have fetched ahead at most: 5 ms of work of five threads at 2 ms a job, and a little more."""
SLICE = 1000


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to."""

    jobs: int
    kills: int
    missing: int
    extra: int
    bound: int
    """Extra runs that the promise allows."""
    left: int
    """Jobs that are still somewhere in Redis."""
    seconds: float

    @property
    def holds(self) -> bool:
        """Nothing lost, nothing left, no more extra runs than promised."""
        return not self.missing and not self.left and self.extra <= self.bound

    def __str__(self) -> str:
        return (
            f"{self.jobs} jobs, {self.kills} kills: {self.missing} missing, {self.extra} extra runs "
            f"(at most {self.bound}), {self.left} left in Redis, {self.seconds:.0f} s"
        )


def run(url: str, store: Store, directory: Path, *, jobs: int, kills: int, seed: int, work: float = 0.002) -> Result:
    """Two workers, one of which is killed and replaced again and again; `work` is the seconds that a job takes.

    `store` is that of the empty server at `url`, or of wherever else the workers are told that jobs lie.
    """
    started = time.monotonic()
    chance = random.Random(seed)
    workers = [_worker(url, directory).ready() for _ in range(2)]
    _push(store, jobs, work)
    try:
        done = 0
        while done < kills and len(effects(directory)) < jobs:
            victim = chance.randrange(2)
            time.sleep(chance.uniform(0.0, 0.1))
            workers[victim].kill()
            done += 1
            workers[victim] = _worker(url, directory)
            wait_for(lambda: any("Stop with" in w.output for w in workers), 20)
        wait_for(lambda: len(effects(directory)) == jobs or _idle(store), 120, "all jobs to run")
        wait_for(lambda: not _left(store), 30, "Redis to be empty")
    finally:
        for worker in workers:
            worker.kill()
    seen = effects(directory)
    bound = done * (CONCURRENCY + AHEAD)
    elapsed = time.monotonic() - started
    return Result(jobs, done, jobs - len(seen), seen.total() - len(seen), bound, _left(store), elapsed)


def _push(store: Store, jobs: int, work: float) -> None:
    entries = [
        Entry("default", payload.Payload.new(JOB, [n, work], {}, queue="default", retry=True, now=time.time()).encode())
        for n in range(jobs)
    ]
    for start in range(0, jobs, SLICE):
        store.queues.push(entries[start : start + SLICE])


def _worker(url: str, directory: Path) -> WorkerProcess:
    return WorkerProcess(url, directory, "-c", str(CONCURRENCY), "-v", "0")


def _left(store: Store) -> int:
    waiting = store.queues.sizes(["default"])["default"]
    waiting += sum(store.sets.count(name) for name in ("retry", "dead", "schedule"))
    waiting += sum(store.suspects.sizes(["default"]).values())
    owned = [(name, owner) for name in store.lists("default") for owner in store.working.owners("default")]
    return waiting + sum(len(store.working.left_behind(name, owner, 999)) for name, owner in owned)


def _idle(store: Store) -> bool:
    return not _left(store)


def main() -> int:
    """Print one line a run; 1 when the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    failures = 0
    for number in range(options.runs):
        directory = Path(tempfile.mkdtemp(prefix="kiq"))
        socket = directory / "s"
        program = shutil.which("redis-server") or "valkey-server"
        server = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(directory)],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(socket.exists)
            url = f"unix://{socket}"
            store = Store(connections.target(url), "", Limits())
            seed = options.seed + number
            result = run(url, store, directory, jobs=options.jobs, kills=options.kills, seed=seed)
        finally:
            server.kill()
            server.wait()
        print(f"seed {seed}: {result}", flush=True)
        failures += not result.holds
        shutil.rmtree(directory, ignore_errors=True)
    return int(bool(failures))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.acceptance.settings")
    sys.exit(main())
