"""Measure contestants in alternating runs on the same servers, and print one table with medians and ratios.

python -m bench.peers --only kiq_django --only Sidekiq --measures drain,latency --runs 3
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.peers import environments, measures, table
from bench.peers.contestant import Contestant
from bench.peers.contestants import CONTESTANTS

Results = dict[str, dict[str, list[measures.Figures]]]


def main() -> int:
    """Run what was asked for. Returns 1 when one of ours failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="Contestants whose name begins so; repeatable."
    )
    parser.add_argument("--measures", default=",".join(measures.MEASURES), help="Separated by commas.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="Fewer jobs.")
    parser.add_argument("--json", type=Path, help="Keep all figures there.")
    options = parser.parse_args()
    contestants = [each for each in CONTESTANTS if not options.only or each.name.startswith(tuple(options.only))]
    there, missing = _those_there(contestants)
    scale = measures.QUICK if options.quick else measures.Scale()
    results, failures = _measured(there, options.measures.split(","), options.runs, scale)
    print(_machine(there))
    print(table.render(there, results, failures))
    for name, why in missing.items():
        print(f"{name} did not take part: {why}")
    if options.json:
        told = {f"{name}, {measure}": why for (name, measure), why in failures.items()}
        options.json.write_text(json.dumps({"results": results, "failures": told, "missing": missing}, indent=1))
    return int(any(name.startswith("kiq") for name, _ in failures))


def _those_there(contestants: Sequence[Contestant]) -> tuple[list[Contestant], dict[str, str]]:
    there, missing = [], {}
    for contestant in contestants:
        try:
            environments.programs(contestant)
        except environments.Missing as error:
            missing[contestant.name] = str(error)
        else:
            there.append(contestant)
    return there, missing


def _measured(
    contestants: Sequence[Contestant], names: Sequence[str], runs: int, scale: measures.Scale
) -> tuple[Results, dict[tuple[str, str], str]]:
    """All measures of all contestants, one run of each after the other, so that a slow minute hits them all."""
    results: Results = defaultdict(lambda: defaultdict(list))
    failures: dict[tuple[str, str], str] = {}
    for name in names:
        for run in range(runs):
            for contestant in contestants:
                if (contestant.name, name) in failures or not measures.applies(contestant, name):
                    continue
                try:
                    figures = measures.MEASURES[name](contestant, scale)
                except (RuntimeError, TimeoutError, environments.Missing, subprocess.TimeoutExpired) as error:
                    failures[contestant.name, name] = str(error).strip().splitlines()[-1] if str(error) else repr(error)
                else:
                    results[name][contestant.name].append(figures)
                    told = ", ".join(f"{key} {value:,.2f}" for key, value in figures.items())
                    print(f"{name}, run {run + 1}, {contestant.name}: {told}", file=sys.stderr, flush=True)
    return {name: dict(found) for name, found in results.items()}, failures


def _machine(contestants: Sequence[Contestant]) -> str:
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=False).stdout.split()
    version = next((word[2:] for word in redis if word.startswith("v=")), "?")
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, Redis {version}\n"


if __name__ == "__main__":
    raise SystemExit(main())
