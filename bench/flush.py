"""What the metrics cost: `python -m bench.flush --jobs 50`.

On a server of its own: counting one run, one flush of so many jobs with 20 runs each (commands, time in the worker and
in the server), measuring so many queues, and reading the pages of the dashboard where each job ran in every minute.
"""

import argparse
import random
import shutil
import statistics
import tempfile
import time
import timeit
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench.load import _configure, _server

RUNS = 20
"""Of each job between two flushes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--queues", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="kiq"))
    server = _server(directory)
    try:
        _configure(f"unix://{directory}/s", 1)
        _count(options)
        _flush(options)
        _read(options)
        _measure(options)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _count(options: argparse.Namespace) -> None:
    from kiq_django import job, registry
    from kiq_django.execution import Outcome
    from kiq_django.features.metrics import Tally
    from kiq_django.payload import Payload

    job(name="counted")(lambda: None)
    payload = Payload({"class": "counted", "jid": "j", "args": [], "enqueued_at": time.time()})
    outcomes = [Outcome(payload, "default", registry.find("counted")) for _ in range(200)]
    tally = Tally()
    best = min(timeit.repeat(lambda: tally.add(outcomes), number=100, repeat=30)) / 100 / len(outcomes)
    print(f"counting a run: {best * 1e9:.0f} ns")


def _flush(options: argparse.Namespace) -> None:
    from kiq_django import store as stores

    store, jobs, now = stores.get(), _counted(options.jobs), time.time()
    ended = {int(now // 60) * 60: {"default": options.jobs * RUNS}}
    _tell(f"a flush of {options.jobs} jobs", lambda: store.ledger.write(jobs, now, ended), options)
    store.link.client.config_resetstat()
    store.ledger.write(jobs, now, ended)
    stats = {name: told for name, told in store.link.client.info("commandstats").items() if "config" not in name}
    commands = sum(told["calls"] for told in stats.values())
    server = sum(told["usec"] for name, told in stats.items() if name != "cmdstat_exec")
    print(f"  {commands} commands, {server / 1e3:.1f} ms of the server")


def _read(options: argparse.Namespace) -> None:
    from kiq_django import store as stores
    from kiq_django.api.metrics import PERIODS, Metrics
    from kiq_django.api.throughput import CHARTS, throughput

    store, jobs, now = stores.get(), _counted(options.jobs), time.time()
    for minute in (*range(510), *range(510, 6 * 1_440, 10)):
        store.ledger.write(jobs, now - 60 * minute)
    for name, minutes in PERIODS.items():
        _tell(f"table of {name}", lambda minutes=minutes: Metrics().table(minutes), options)
        _tell("  with the time before", lambda minutes=minutes: Metrics().table(minutes, compare=True), options)
        _tell(
            "  one job with it",
            lambda minutes=minutes: Metrics().for_job("shop.jobs.job1", minutes, compare=True),
            options,
        )
    for period in CHARTS:
        _tell(f"throughput of {period}", lambda period=period: throughput(period), options)
    for name, keys in _by_kind(store.link.client.keys("*")).items():
        size = statistics.mean(store.link.client.memory_usage(key) for key in random.sample(keys, min(50, len(keys))))
        print(f"{name}: {len(keys)} keys of {size:.0f} bytes")


def _measure(options: argparse.Namespace) -> None:
    from kiq_django import store as stores
    from kiq_django.api.flow import flows, queue_history
    from kiq_django.store.queues import Entry

    store, now = stores.get(), int(time.time() // 60) * 60
    names = [f"queue{number}" for number in range(options.queues)]
    store.queues.push([Entry(name, b'{"class":"a","jid":"b","args":[],"enqueued_at":1.5}') for name in names])
    minutes = iter(range(now - 6_000, now, 60))
    _tell(f"measuring {options.queues} queues", lambda: store.sizes.take(next(minutes)), options)
    for minute in range(now - 480, now + 1, 60):
        store.sizes.take(minute)
    _tell("flow of 50 queues", lambda: flows(names[:50], now=now), options)
    _tell(f"flow of {options.queues} queues", lambda: flows(names, now=now), options)
    _tell("eight hours of a queue", lambda: queue_history(names[0], 480, now=now), options)


def _counted(number: int) -> dict[str, Any]:
    """Run times of all kinds, as a minute of a busy program has them."""
    from kiq_django import histogram
    from kiq_django.store.metrics import JobMetrics

    chance, found = random.Random(1), {}
    for index in range(number):
        seen = found[f"shop.jobs.job{index}"] = JobMetrics(runs=RUNS, failures=1)
        for _ in range(RUNS):
            ms = chance.expovariate(1 / 200)
            seen.run_ms += ms
            histogram.add(seen.run, ms)
            histogram.add(seen.wait, chance.expovariate(1 / 50))
    return found


def _best(call: Callable[[], object], rounds: int) -> tuple[float, float]:
    """The shortest of several runs, and the least that one took of the processor, in milliseconds."""
    clocks, found = (time.perf_counter, time.process_time), []
    for _ in range(rounds):
        before = [clock() for clock in clocks]
        call()
        found.append([1e3 * (clock() - begin) for clock, begin in zip(clocks, before, strict=True)])
    wall, processor = map(min, zip(*found, strict=True))
    return wall, processor


def _tell(what: str, call: Callable[[], object], options: argparse.Namespace) -> None:
    wall, processor = _best(call, options.rounds)
    print(f"{what}: {wall:.1f} ms ({processor:.1f} ms of the processor)")


def _by_kind(keys: Iterable[bytes]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for key in keys:
        text = key.decode()
        kind = ":".join(text.split(":")[:2]) if text.startswith("kiq:") else "Sidekiq's"
        kind += f" of {len(text.split(':')[2])} digits" if kind == "kiq:figures" else ""
        found.setdefault(kind, []).append(key)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    main()
