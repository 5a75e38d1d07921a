"""The product gets one bug after the other; each must be caught: `python -m tests.chaos.mutants [NAME ...]`."""

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import django

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
FAILED = 1
"""What pytest returns when tests failed; anything above says that it could not run them."""


def main() -> int:
    """One line a bug. Exit code 1 when one was not caught, or when a test fails without any."""
    from tests.chaos.app.mutants import MUTANTS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    names = parser.parse_args().names or list(MUTANTS)
    checks = sorted({MUTANTS[name].caught_by for name in names})
    print(f"{len(checks)} checks without a bug ...", flush=True)
    for check in checks:
        if _pytest(check, "").returncode:
            print(f"{check} fails although there is no bug")
            return 1
    caught = 0
    for name in names:
        began = time.monotonic()
        failed, said = is_caught(name)
        caught += failed
        print(f"{name:32} {time.monotonic() - began:5.1f} s  {said}", flush=True)
    print(f"{caught} of {len(names)} caught")
    return int(caught < len(names))


def is_caught(bug: str) -> tuple[bool, str]:
    """Whether a test fails once the product has this bug, and which one; or what there is to say instead."""
    from tests.chaos.app.mutants import MUTANTS

    check = MUTANTS[bug].caught_by
    done = _pytest(check, bug)
    if done.returncode == FAILED:
        return True, _first_failure(done.stdout)
    return False, f"NOT CAUGHT by {check}" + (f"\n{done.stdout}{done.stderr}" if done.returncode else "")


def _pytest(check: str, bug: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "KIQ_CHAOS_MUTANT": bug, "KIQ_CHAOS_LOSSES": "6"}
    file, *selection = shlex.split(check)
    command = [sys.executable, "-m", "pytest", str(FOLDER / file), *selection, "-x", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _first_failure(output: str) -> str:
    lines = output.splitlines()
    found = [line.partition("::")[2] for line in lines if line.startswith(("FAILED", "ERROR")) and "::" in line]
    return (found or lines[-1:] or [""])[0][:100]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    sys.exit(main())
