"""Chaos over real workers and a real Redis: `python -m tests.chaos.run --minutes 2`.

Workers are killed, frozen and stopped, Redis dies and refuses, lines lose answers; all the while jobs are pushed. In
the end everything is healed and drained, and what was pushed is compared with what ran. Exit code 1: a promise was
broken.
"""

import argparse
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import django

from tests.chaos.against_redis import AgainstRedis
from tests.chaos.against_workers import AgainstWorkers
from tests.chaos.arena import STOP_TIMEOUT, Arena
from tests.chaos.producer import Producer
from tests.chaos.verdict import Verdict, counted, let_live, reached, strange_keys

SLOW_END = 8.0
"""Seconds beyond its own limit that a worker may take to stop. On a machine with nothing else to do it is 2."""
SLOW_RETURN = 20.0
"""Seconds after which jobs must run again. On a machine with nothing else to do it is 5."""


def run(
    seconds: float, seed: int, *, workers: int = 3, only: str = "", mutant: str = "", other: Path | None = None
) -> tuple[Verdict, str]:
    """One run.

    Args:
        seconds: of chaos; healing and draining come on top.
        seed: of all that is left to chance, but for the moments at which things happen.
        only: evils whose name contains this.
        mutant: a bug that the workers have.
        other: folder with the code of one of the workers; default: a build of ours that is told apart.

    Returns:
        What it came to, and a table for people.
    """
    began = time.monotonic()
    with Arena(workers, {"KIQ_CHAOS_MUTANT": mutant}, other) as arena:
        producer = Producer(arena, random.Random(f"{seed} jobs"))
        evils = AgainstWorkers(arena, f"{seed} workers", only), AgainstRedis(arena, f"{seed} redis", only)
        producer.start()
        for nemesis in evils:
            nemesis.begin()
        threading.Event().wait(seconds)
        for nemesis in evils:
            nemesis.end()
        producer.stop()
        verdict = _ended(arena, producer)
    for nemesis in evils:
        verdict.troubles += nemesis.troubles
    verdict.troubles += [
        f"{s:.1f} s until a worker had stopped" for s in evils[0].endings if s > STOP_TIMEOUT + SLOW_END
    ]
    verdict.troubles += [f"{s:.1f} s until jobs ran again after {n}" for s, n in evils[1].recoveries if s > SLOW_RETURN]
    return verdict, _table(verdict, producer, evils, time.monotonic() - began)


def _ended(arena: Arena, producer: Producer) -> Verdict:
    """Heal, drain, stop, and look."""
    troubles: list[str] = []
    arena.heal()
    recoveries: Counter[int] = Counter()
    try:
        arena.drain()
        while spared := let_live(arena.store):
            recoveries += spared
            arena.drain()
    except AssertionError as error:
        troubles.append(f"ghosts: {error}")
    codes = arena.stop()
    verdict = reached(arena, producer.pushed, recoveries + counted(arena.store))
    verdict.buried = len(recoveries)
    verdict.troubles = troubles + [f"a worker ended with {code}" for code in codes if code]
    verdict.troubles += [f"strange key {name}" for name in strange_keys(arena.store)]
    return verdict


def _table(verdict: Verdict, producer: Producer, evils: tuple[AgainstWorkers, AgainstRedis], seconds: float) -> str:
    pushed = producer.counts()
    done = sum((nemesis.done for nemesis in evils), Counter())
    lines = [
        f"pushed        {pushed['ok']} ok, {pushed['fail']} refused, {pushed['unknown']} unknown",
        f"done          {verdict.done}, of them {verdict.recovered} of which nobody knew whether they had been pushed",
        f"lost          {len(verdict.lost)} {verdict.lost[:5] or ''}",
        f"unexpected    {len(verdict.unexpected)} {verdict.unexpected[:5] or ''}",
        f"extra runs    {verdict.extra}, not excused: {verdict.unexcused or 'none'}",
        f"excuses       {verdict.taken_back} taken back from {verdict.gone} owners, {verdict.pushed_back} pushed back",
        f"leases lost   {verdict.leases_lost} by workers that lived",
        f"buried        {verdict.buried} that were in flight at three deaths; each was given another chance",
        f"evils         {sum(done.values())}: {', '.join(f'{name} {count}' for name, count in sorted(done.items()))}",
        _spread("stopping", evils[0].endings),
        _spread("return", [took for took, _ in evils[1].recoveries]),
        f"time          {seconds:.0f} s",
        *(f"TROUBLE       {trouble}" for trouble in verdict.troubles),
        "The promise holds." if verdict.holds else "THE PROMISE IS BROKEN.",
    ]
    return "\n".join(lines)


def _spread(what: str, seconds: list[float]) -> str:
    if not seconds:
        return f"{what:13} never"
    return f"{what:13} {len(seconds)} times, median {statistics.median(seconds):.2f} s, at most {max(seconds):.2f} s"


def main() -> int:
    """Run once, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--only", default="", metavar="TEXT", help="only evils whose name contains this")
    parser.add_argument("--mutant", default="", metavar="NAME", help="workers with this bug; see tests.chaos.mutants")
    parser.add_argument(
        "--other", type=lambda text: Path(text).resolve(), metavar="FOLDER", help="one worker runs the code in here"
    )
    options = parser.parse_args()
    print(f"seed          {options.seed}", flush=True)
    verdict, table = run(
        60 * options.minutes,
        options.seed,
        workers=options.workers,
        only=options.only,
        mutant=options.mutant,
        other=options.other,
    )
    print(table, flush=True)
    return int(not verdict.holds)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    sys.exit(main())
