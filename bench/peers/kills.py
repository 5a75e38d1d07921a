"""The same kills for everybody: `python -m bench.peers.kills --jobs 3000 --kills 10`, or `make chaos-peers`.

Jobs that note their number are enqueued, and acknowledged to the client. Workers get `kill -9` at random moments and
are started again; Redis, which appends to its file every second, is killed and started again too. In the end the last
worker has as long as it takes to run what is left. Then what was acknowledged is compared with what ran. Who can be
told how soon to run the jobs of a dead worker again is told the same number of seconds.
"""

import argparse
import random
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.peers import environments
from bench.peers.contestant import Contestant
from bench.peers.contestants import CONTESTANTS
from bench.peers.measures import place
from bench.peers.servers import Redis
from bench.peers.worker import Setting, Worker, client

APPEND_ONLY = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
SLOWEST = 30.0
"""Seconds in which a worker that was just started must have run something."""


@dataclass(frozen=True, slots=True)
class Count:
    """What a run came to."""

    jobs: int
    kills: int
    lost: int
    """Acknowledged, and never run."""
    extra: int
    """Runs beyond the first."""
    seconds: float

    def __str__(self) -> str:
        return f"{self.lost} of {self.jobs} lost, {self.extra} ran again, {self.kills} kills, {self.seconds:.0f} s"


def run(contestant: Contestant, *, jobs: int, kills: int, redis_kills: int, recovery: int, seed: int) -> Count:
    """Kill one contestant's workers, and count."""
    began, chance = time.monotonic(), random.Random(seed)
    fates = ["worker"] * kills + ["redis"] * redis_kills
    chance.shuffle(fates)
    with place(contestant, *APPEND_ONLY, recovery=recovery) as (setting, redis):
        client(contestant, setting, "fill", str(jobs), "mark")
        time.sleep(1.1)  # what is acknowledged is on disk: a power cut is another matter
        victims = Victims(contestant, setting, redis)
        try:
            done = 0
            for fate in fates:
                if not _advance(setting.directory, jobs // (len(fates) + 1), SLOWEST):
                    break
                time.sleep(chance.uniform(0, 0.2))
                victims.kill(fate)
                done += 1
            _drain(victims, jobs, recovery)
        finally:
            victims.worker.kill()
        ran = _marks(setting.directory)
        return Count(jobs, done, jobs - len(ran), ran.total() - len(ran), time.monotonic() - began)


class Victims:
    """A worker and its Redis, each started again when it was killed, as a supervisor would."""

    def __init__(self, contestant: Contestant, setting: Setting, redis: Redis) -> None:
        self.directory = setting.directory
        self._redis = redis
        self._start = partial(Worker, contestant, setting, concurrency=min(10, contestant.most))
        self.worker = self._start()

    def kill(self, fate: str) -> None:
        """`redis`, or else the worker."""
        if fate == "redis":
            self._redis.kill()
            self._redis.start()
        else:
            self.replace()

    def replace(self) -> None:
        """Another worker."""
        self.worker.kill()
        self.worker = self._start()


def _drain(victims: Victims, jobs: int, recovery: int) -> None:
    """Wait until everything ran, or nothing did for long enough. A worker that gave up is started again."""
    quiet_since, seen = time.monotonic(), 0
    while (ran := len(_marks(victims.directory))) < jobs and time.monotonic() - quiet_since < 3 * recovery + 20:
        if ran > seen:
            quiet_since, seen = time.monotonic(), ran
        if victims.worker.process.poll() is not None:
            victims.replace()
        time.sleep(0.2)


def _advance(directory: Path, step: int, patience: float) -> bool:
    """Wait until so many more jobs have run."""
    until, wanted = time.monotonic() + patience, _marks(directory).total() + step
    while time.monotonic() < until:
        if _marks(directory).total() >= wanted:
            return True
        time.sleep(0.02)
    return False


def _marks(directory: Path) -> Counter[int]:
    """How often each job ran to its end."""
    return Counter(int(line) for path in directory.glob("marks.*") for line in path.read_text().split())


def main() -> int:
    """Print a line a contestant. Returns 1 when one of ours lost a job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--jobs", type=int, default=3_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--redis-kills", type=int, default=2)
    parser.add_argument("--recovery", type=int, default=10, help="Seconds.")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    ours_lost = False
    print("| | by its documentation | what was counted |\n| --- | --- | --- |")
    for contestant in CONTESTANTS:
        if contestant.postgres or (options.only and not contestant.name.startswith(tuple(options.only))):
            continue
        told = _told(contestant, options)
        ours_lost |= contestant.name.startswith("kiq") and not told.startswith("0 of")
        print(f"| {contestant.name} | {contestant.survives} | {told} |", flush=True)
    return int(ours_lost)


def _told(contestant: Contestant, options: argparse.Namespace) -> str:
    jobs = min(options.jobs, max(100, contestant.speed * 10))
    try:
        environments.programs(contestant)
        count = run(
            contestant,
            jobs=jobs,
            kills=options.kills,
            redis_kills=options.redis_kills,
            recovery=options.recovery,
            seed=options.seed,
        )
    except (environments.Missing, RuntimeError) as error:
        return f"did not take part: {str(error).strip().splitlines()[-1]}"
    return str(count)


if __name__ == "__main__":
    raise SystemExit(main())
