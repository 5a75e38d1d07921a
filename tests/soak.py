"""A worker at work for a long time, and whether anything grows: `python -m tests.soak --minutes 30`.

Jobs of all kinds come at a steady pace: quick ones, async ones, failing ones that are retried. Once a second the
worker's threads, descriptors and memory are looked at, the server's connections, and its lasting keys. What holds in
the second quarter has to hold in the last one.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import redis

from kiq_django.payload import Payload
from kiq_django.sections import Limits
from kiq_django.store import Store, connections
from kiq_django.store.queues import Entry
from tests import hygiene
from tests.acceptance.process import WorkerProcess, effects
from tests.support import wait_for

JOBS = "tests.acceptance.app.jobs"
PACE = 0.1
"""Seconds between two pushes."""
AT_ONCE = 20
LOOK_EVERY = 1.0
RSS_MAY_GROW, RSS_NOISE = 1.05, 2_048
"""A factor, and kilobytes: a page here and there is no leak."""
SLACK = 2
"""Threads, descriptors and connections that may be more, since one may just be opened."""


@dataclass(frozen=True, slots=True)
class Look:
    """One moment."""

    threads: float
    descriptors: float
    rss: float
    """Kilobytes."""
    connections: float
    lasting: float
    """Keys that never expire."""


@dataclass(frozen=True, slots=True)
class Result:
    """The second quarter and the last one, and what was left at the end."""

    early: Look
    late: Look
    pushed: int
    done: int
    strangers: list[str]

    @property
    def grown(self) -> list[str]:
        """Names of what has grown more than it may."""
        return [each.name for each in fields(Look) if getattr(self.late, each.name) > self._most(each.name)]

    @property
    def holds(self) -> bool:
        """Nothing has grown, nothing strange is left, every job has run."""
        return not (self.grown or self.strangers) and self.done == self.pushed

    def _most(self, name: str) -> float:
        before: float = getattr(self.early, name)
        return before * RSS_MAY_GROW + RSS_NOISE if name == "rss" else before + SLACK

    def __str__(self) -> str:
        pairs = [(each.name, getattr(self.early, each.name), getattr(self.late, each.name)) for each in fields(Look)]
        figures = ", ".join(f"{name} {early:g} -> {late:g}" for name, early, late in pairs)
        return f"{self.done} of {self.pushed} jobs; {figures}; strange keys: {self.strangers or 'none'}"


def soak(url: str, directory: Path, seconds: float, rest: Callable[[float], object] = time.sleep) -> Result:
    """Let a worker work for a while on an empty server."""
    store = Store(connections.target(url), "", Limits())
    store.link.call("FLUSHALL")
    worker = WorkerProcess(url, directory, "-c", "5", "-v", "0").ready()
    looks: list[Look] = []
    pushed, end, look_at = 0, time.monotonic() + seconds, 0.0
    try:
        with redis.Redis.from_url(url) as client:
            while (now := time.monotonic()) < end:
                pushed += _push(store, pushed)
                if now >= look_at:
                    looks.append(_look(client, worker.process.pid))
                    look_at = now + LOOK_EVERY
                rest(PACE)
            wait_for(lambda: _done(directory) >= pushed, 60, "all jobs to end")
    finally:
        worker.kill()
    quarter = len(looks) // 4
    early, late = _middle(looks[quarter : 2 * quarter]), _middle(looks[-quarter:])
    return Result(early, late, pushed, _done(directory), hygiene.strangers(url))


def _push(store: Store, first: int) -> int:
    kinds = [(f"{JOBS}.touch", [0.001]), (f"{JOBS}.atouch", [0.001]), (f"{JOBS}.fail", [])]
    made = []
    for number in range(first, first + AT_ONCE):
        name, more = kinds[number % len(kinds)]
        made.append(Payload.new(name, [number, *more], {}, queue="default", retry=True, now=time.time()).encode())
    store.queues.push([Entry("default", raw) for raw in made])
    return len(made)


def _done(directory: Path) -> int:
    return len(effects(directory))


def _look(client: "redis.Redis", pid: int) -> Look:
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return Look(
        threads=int(status["Threads"]),
        descriptors=len(list((process / "fd").iterdir())),
        rss=int(status["VmRSS"].split()[0]),
        connections=client.info("clients")["connected_clients"],
        lasting=len(hygiene.lasting(client)),
    )


def _middle(looks: list[Look]) -> Look:
    return Look(**{each.name: statistics.median(getattr(look, each.name) for look in looks) for each in fields(Look)})


def main() -> int:
    """Print what was found; 1 when something has grown."""
    from tests.conftest import launched, server_programs

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kiq") as folder, launched(server_programs()[0]) as url:
        result = soak(url, Path(folder), options.minutes * 60)
    print(result, flush=True)
    if result.grown:
        print(f"Grown: {', '.join(result.grown)}", flush=True)
    return int(not result.holds)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.acceptance.settings")
    sys.exit(main())
