"""The figures as tables in Markdown: a median per cell, and how it compares with Sidekiq under YJIT."""

import statistics
from collections.abc import Mapping, Sequence

from bench.peers import measures
from bench.peers.contestant import Contestant
from bench.peers.measures import Figures

BASE = "Sidekiq --yjit"
COLUMNS = {
    "single": "one by one, jobs/s",
    "bulk": "in bulk, jobs/s",
    "rate": "jobs/s",
    "cpu": "worker CPU s per 1,000",
    "server_cpu": "Redis CPU s per 1,000",
    "commands": "commands a job",
    "memory": "memory MB",
    "first": "start to first job s",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "share": "% of the ideal",
}
COMPARED = {"single", "bulk", "rate"}
DIGITS = {"single": 0, "bulk": 0, "rate": 0, "memory": 0, "share": 0, "cpu": 3, "server_cpu": 3}


def render(
    contestants: Sequence[Contestant],
    results: Mapping[str, Mapping[str, Sequence[Figures]]],
    failures: Mapping[tuple[str, str], str],
) -> str:
    """One table a measure."""
    return "\n".join(_table(name, contestants, found, failures) for name, found in results.items())


def _table(
    name: str,
    contestants: Sequence[Contestant],
    found: Mapping[str, Sequence[Figures]],
    failures: Mapping[tuple[str, str], str],
) -> str:
    keys = list(next(iter(found.values()))[0])
    compared = [key for key in keys if key in COMPARED and BASE in found]
    ratios = [f"{COLUMNS[key].split(',')[0]} / {BASE}" for key in compared]
    heads = ["", "survives kill -9", *(COLUMNS[key] for key in keys), *ratios]
    rows = [heads, ["---"] * 2 + ["---:"] * (len(heads) - 2)]
    for contestant in contestants:
        if runs := found.get(contestant.name):
            cells = [_cell(key, runs) for key in keys]
            against = [_ratio(median(runs, key) / median(found[BASE], key)) for key in compared]
            rows.append([contestant.name, contestant.survives, *cells, *against])
        elif why := failures.get((contestant.name, name)):
            rows.append([contestant.name, contestant.survives, why[:80], *[""] * (len(heads) - 3)])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return f"### {measures.TITLES[name]}\n\n" + "\n".join(lines) + "\n"


def median(runs: Sequence[Figures], key: str) -> float:
    """Of one figure over all runs."""
    return statistics.median(run[key] for run in runs)


def _ratio(ratio: float) -> str:
    return f"{ratio:.1f} x" if ratio >= 1 else f"{ratio:.2g} x"


def _cell(key: str, runs: Sequence[Figures]) -> str:
    return f"{median(runs, key):,.{DIGITS.get(key, 2)}f}"
