"""Asks the worker of this container how it is: `python -m kiq_django.probe`. Exit code 0 is well, 1 is not, 2 is a
mistake in the question.

For the probes of Docker and Kubernetes, which start a program every few seconds: it loads neither Django nor Redis.
What it looks at is said by `$KIQ_HEARTBEAT_FILE` or `$KIQ_HEALTH`, as for the worker itself, or on the command line.
"""

import argparse
import http.client
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

MOST_SECONDS = 30.0
PATIENCE = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("--file", metavar="PATH", default=os.environ.get("KIQ_HEARTBEAT_FILE", ""),
        help="the worker's --heartbeat-file; default $KIQ_HEARTBEAT_FILE")  # fmt: skip
    parser.add_argument("--at", metavar="HOST:PORT", default=os.environ.get("KIQ_HEALTH", ""),
        help="the worker's --health; default $KIQ_HEALTH")  # fmt: skip
    parser.add_argument("--ready", action="store_true", help="ask whether it takes jobs, not only whether it lives")
    parser.add_argument("--max-age", type=float, default=MOST_SECONDS, metavar="SEC",
        help="seconds that the file may be old (30)")  # fmt: skip


def look(*, file: str, at: str, ready: bool, max_age: float) -> tuple[bool, str]:
    """Whether all is well, and what was found.

    Raises:
        ValueError: it is not said where to look.
    """
    if file:
        return _look_at_file(Path(file), ready, max_age)
    if at:
        return _ask(at, "/ready" if ready else "/live")
    raise ValueError("Say where to look: --file PATH or --at HOST:PORT, or $KIQ_HEARTBEAT_FILE or $KIQ_HEALTH")


def _look_at_file(path: Path, ready: bool, max_age: float) -> tuple[bool, str]:
    try:
        age = time.time() - path.stat().st_mtime
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return False, f"{path} cannot be read: {error}"
    if age > max_age:
        return False, f"{path} is {age:.0f} s old"
    trouble = said["not_ready"] if ready else {}
    return not trouble, json.dumps(trouble) if trouble else f"{said['state']}, {max(0.0, age):.0f} s ago"


def _ask(address: str, path: str) -> tuple[bool, str]:
    host, _, port = address.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104 - where it listens
    try:
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status == 200, answer.read().decode(errors="replace")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return False, f"{address} does not answer: {error}"


def main(words: Sequence[str] | None = None) -> int:
    """Look, say what was found, answer the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kiq_django.probe", description=__doc__)
    add_arguments(parser)
    try:
        well, found = look(**vars(parser.parse_args(words)))
    except ValueError as error:
        parser.error(str(error))
    print(found, file=sys.stdout if well else sys.stderr)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
