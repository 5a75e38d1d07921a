"""What the pages of the dashboard cost: `python -m bench.dashboard`, with a million jobs.

Fills a server of its own, asks for every page and every part that is fetched again and again, in this process, and
tells time, round trips to Redis, commands that the server ran and bytes of HTML. Then the same with a hundredth of the
jobs: a page must not take more round trips for more jobs. (It may take fewer: failures of a short set are counted
anew each time.) Ends with 1 when it does, or when a page takes too long.

On a machine with other things to do, look at `work`: how long this process and the server were at work for a page. That
is what it takes where nobody else wants the processors, and what is judged.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.load import _server

if TYPE_CHECKING:
    from bench.crowd import Crowd
    from bench.visits import Visit

MOST_MS = 150.0
"""For a page; one that searches says itself what it may take."""
TIMES = 100
"""By how much the other run is smaller."""


@dataclass(slots=True)
class Cost:
    """What one page took, in each of several rounds."""

    wall: list[float] = field(default_factory=list)
    """Milliseconds."""
    work: list[float] = field(default_factory=list)
    """The same, of the processors alone: this process's and the server's, one after the other."""
    trips: int = 0
    """Of the last round, as all below."""
    commands: int = 0
    size: int = 0
    status: int = 0

    @property
    def median(self) -> float:
        """Milliseconds of work."""
        return statistics.median(self.work)


def main() -> None:
    """Measure, tell, judge."""
    options = _options()
    directory = Path(tempfile.mkdtemp(prefix="kiq"))
    server = _server(directory)
    try:
        _configure(directory)
        sys.exit(_run(options))
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="in the longest queue; a tenth of it in each set")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--small", action="store_true", help="20,000 jobs, three rounds")
    parser.add_argument("--only", default="", help="pages whose name contains this")
    parser.add_argument("--profile", action="store_true", help="tell where the time goes, page by page")
    options = parser.parse_args()
    if options.small:
        options.jobs, options.rounds = 20_000, 3
    return options


def _configure(directory: Path) -> None:
    """The settings of the tests, with the real adapter and a database of our own."""
    import django
    from django.conf import settings

    from tests import settings as base

    given = {name: getattr(base, name) for name in dir(base) if name.isupper()}
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": directory / "db.sqlite3"}
    settings.configure(
        **{**given, "DATABASES": {"default": database}, "KIQ": {"REDIS": f"unix://{directory}/s"}, "DEBUG": False},
        ALLOWED_HOSTS=["*"],
    )
    django.setup()


def _run(options: argparse.Namespace) -> int:
    from django.core.management import call_command

    from bench import crowd

    call_command("migrate", verbosity=0)
    for name in crowd.NAMES:
        _declare(name)
    full = crowd.Crowd(waiting=options.jobs, in_set=options.jobs // 10)
    wide = crowd.Crowd(waiting=1_000, in_set=100, queues=1_000)
    little, _ = _measured(full.smaller(TIMES), options, rounds=1)
    large, visits = _measured(full, options, rounds=options.rounds)
    _print(f"{full.waiting:,} jobs in a queue, {full.in_set:,} in each set, {full.queues} queues", large)
    many, others = _measured(wide, options, rounds=options.rounds)
    _print(f"{wide.queues:,} queues", many)
    troubles = [*_slow(visits, large), *_slow(others, many), *_dependent(visits, large, little)]
    print("\n" + ("\n".join(troubles) or "All within the figures."))
    return bool(troubles)


def _declare(name: str) -> None:
    from kiq_django import job

    job(name=name)(lambda *args: None)


def _measured(crowd: Crowd, options: argparse.Namespace, rounds: int) -> tuple[dict[str, Cost], list[Visit]]:
    from bench.crowd import fill
    from bench.visits import visits
    from kiq_django import store as stores

    store = stores.get()
    store.link.call("FLUSHALL")
    began = time.perf_counter()
    landmarks = fill(store, crowd)
    client = _client(crowd)
    print(f"filled in {time.perf_counter() - began:.0f} s, load {Path('/proc/loadavg').read_text()[:14]}", flush=True)
    asked = [visit for visit in visits(crowd, landmarks) if options.only in visit.name]
    return {visit.name: measure(client, visit, rounds, profile=options.profile) for visit in asked}, asked


def _client(crowd: Crowd) -> Any:
    """Signed in as a superuser, with an audit log."""
    from django.contrib.admin.models import LogEntry
    from django.contrib.auth.models import User
    from django.test import Client

    from bench.crowd import audit_log

    boss, is_new = User.objects.get_or_create(username="boss", defaults={"is_staff": True, "is_superuser": True})
    if is_new or not LogEntry.objects.exists():
        audit_log(crowd, boss.pk)
    client = Client()
    client.force_login(boss)
    return client


def measure(client: Any, visit: Visit, rounds: int, *, profile: bool = False) -> Cost:
    """Ask for a page so many times, after once without counting: connections, templates and scripts are there then."""
    cost = Cost()
    for number in range(rounds + 1):
        visit.before()
        servers, walls, ours = _server_work(), time.perf_counter(), time.process_time()
        response = client.get(visit.address)
        wall, work = time.perf_counter() - walls, time.process_time() - ours
        if number:
            cost.wall.append(1e3 * wall)
            cost.work.append(1e3 * (work + _server_work() - servers))
    cost.size, cost.status = len(response.content), response.status_code
    visit.before()
    cost.trips, cost.commands = counted(client, visit)
    if profile:
        _profile(client, visit)
    return cost


def counted(client: Any, visit: Visit) -> tuple[int, int]:
    """Round trips, and commands that the server ran for them, those of scripts included."""
    from tests.support import round_trips

    before = _commands()
    with round_trips() as sent:
        client.get(visit.address)
    return len(sent), _commands() - before - 1


def _server_work() -> float:
    """Seconds that the server was at work so far."""
    from kiq_django import store as stores

    found = stores.get().link.client.info("cpu")
    return float(found["used_cpu_user_main_thread"]) + float(found["used_cpu_sys_main_thread"])


def _commands() -> int:
    from kiq_django import store as stores

    return int(stores.get().link.client.info("stats")["total_commands_processed"])


def _profile(client: Any, visit: Visit) -> None:
    import cProfile
    import pstats

    visit.before()
    with cProfile.Profile() as found:
        client.get(visit.address)
    print(f"\n== {visit.name} {visit.address}")
    pstats.Stats(found).sort_stats("cumulative").print_stats(r"kiq_django|django/template/base|render\)|link.py", 45)


def _print(title: str, costs: dict[str, Cost]) -> None:
    print(f"\n{title}")
    print(f"{'':38}{'work':>8}{'median':>9}{'p95':>8}{'max':>8}{'min':>8}{'trips':>7}{'commands':>10}{'bytes':>9}")
    for name, cost in costs.items():
        p95 = statistics.quantiles(cost.wall, n=20)[-1] if len(cost.wall) > 1 else cost.wall[0]
        times = (cost.median, statistics.median(cost.wall), p95, max(cost.wall), min(cost.wall))
        status = "" if cost.status == 200 else f"  status {cost.status}"
        figures = "".join(f"{each:8.1f}" for each in times)
        print(f"{name:38}{figures}{cost.trips:7}{cost.commands:10,}{cost.size:9,}{status}")


def _slow(visits: Sequence[Visit], costs: dict[str, Cost]) -> Iterator[str]:
    for visit in visits:
        cost, most = costs[visit.name], visit.most_ms or MOST_MS
        if cost.median > most:
            yield f"{visit.name}: {cost.median:.0f} ms, more than {most:.0f}"
        if cost.status != 200:
            yield f"{visit.name}: status {cost.status}"


def _dependent(visits: Sequence[Visit], large: dict[str, Cost], little: dict[str, Cost]) -> Iterator[str]:
    for visit in visits:
        trips, fewer = large[visit.name].trips, little[visit.name].trips
        if trips > fewer and not visit.searches:
            yield f"{visit.name}: {trips} round trips, only {fewer} with {TIMES} times fewer jobs"


if __name__ == "__main__":
    main()
