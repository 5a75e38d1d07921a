"""Explore the model: `python -m tests.chaos.model [--large] [--world TEXT]`. Exit code 1: the promise is broken."""

import argparse
import sys
import time

from tests.chaos.model.worlds import BUGS, LARGE, SMALL, Setting


def main() -> int:
    """One line a world, and one a seeded bug."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="minutes instead of seconds")
    parser.add_argument("--world", default="", help="only worlds whose name contains this")
    options = parser.parse_args()
    worlds = {**SMALL, **(LARGE if options.large else {})}
    chosen = {name: world for name, world in worlds.items() if options.world in name}
    failures = sum(not _holds(name, world) for name, world in chosen.items())
    if not options.world:
        failures += sum(not _is_caught(bug) for bug in BUGS)
    return int(bool(failures))


def _holds(name: str, world: Setting) -> bool:
    started = time.monotonic()
    result = world.explore()
    cut = "" if result.complete else "+"
    took = time.monotonic() - started
    print(f"{name:45} {result.states:>8}{cut} states  {result.extra} extra runs  {took:6.1f} s", flush=True)
    for fault, way in result.faults.items():
        print(f"  {fault}:", *way, sep="\n    ", flush=True)
    return not result.faults


def _is_caught(bug: str) -> bool:
    world, expected = BUGS[bug]
    result = world.explore(frozenset({bug}), first=True)
    seen = next(iter(result.faults), "NOT CAUGHT")
    print(f"bug: {bug:40} {result.states:>8} states  {seen}", flush=True)
    return seen in expected


if __name__ == "__main__":
    sys.exit(main())
