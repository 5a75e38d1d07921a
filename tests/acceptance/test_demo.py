"""The demo as a newcomer runs it: real processes, a real Valkey, and nothing left when it is over."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[2]
ELSEWHERE = ("REDIS_URL", "REDIS_PROVIDER", "KIQ_PREFIX", "DATABASE_URL")
PROCESSES = Path("/proc")
COUNTS_OF_A_QUIET_RUN = {
    "Thumbnails": (25, 25, 0, 0, 0, 0),
    "Receipts": (20, 20, 0, 0, 0, 0),
    "Courier": (20, 20, 12, 0, 0, 0),
    "Reminders": (5, 5, 0, 0, 0, 0),
    "Exchange rates": (3, 3, 0, 0, 0, 0),
    "Monthly reports": (6, 6, 0, 0, 0, 0),
    "Parcel labels": (3, 0, 6, 0, 3, 0),
    "Second thoughts": (3, 0, 0, 3, 0, 0),
    "Refused cards": (0, 0, 0, 0, 0, 0),
    "Import of orders": (1, 1, 0, 0, 0, 0),
    "Import, rows": (24, 24, 0, 0, 0, 0),
}
"""enqueued, succeeded, retried, discarded, dead, run again: the same every time, since the failures have a seed."""


class Demo:
    """Starts `manage.py demo` with files of its own."""

    def __init__(self, var: Path) -> None:
        self.var = var
        environ = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        self.environ = environ | {
            "KIQ_DEMO_VAR": str(var),
            "DJANGO_SETTINGS_MODULE": "example_project.settings",
            "SPT_NOENV": "1",  # a worker's title is not to be written over the environment that it is found by
        }

    def start(self, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "manage.py", "demo", "--port=0", *options]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environ, stdout=pipe, stderr=subprocess.STDOUT, text=True, bufsize=1
        )

    def run(self, *options: str) -> str:
        """Run it to its end, which must be a good one, and return what it said."""
        process = self.start(*options)
        said, _ = process.communicate(timeout=150)
        assert process.returncode == 0, said
        return said

    def left(self) -> dict[int, str]:
        """Processes that were started with this folder in their environment, whoever their parent is now."""
        mark = f"KIQ_DEMO_VAR={self.var}".encode()
        return {int(entry.name): _command(entry) for entry in PROCESSES.glob("[0-9]*") if mark in _environ(entry)}


def _environ(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@pytest.fixture
def demo(tmp_path):
    if not (PROCESSES / "self/environ").exists():
        pytest.skip("finding left processes needs /proc")
    demo = Demo(tmp_path)
    yield demo
    wait_for(lambda: not demo.left(), timeout=15, what="all processes of the demo to end")


@contextmanager
def running(demo):
    """The demo that people click in, once it says where its pages are."""
    process = demo.start()
    try:
        yield process, _address(process)
    finally:
        process.kill()
        process.communicate()


def _address(process):
    for line in process.stdout:
        if found := re.search(r"The desk\s+(http\S+)", line):
            return found[1]
    raise AssertionError("the demo ended before it said its address")


def counts(said):
    """The table's numbers by kind."""
    table = {}
    for line in said.splitlines():
        title, *cells = re.split(r"\s{2,}", line.strip())
        if title in COUNTS_OF_A_QUIET_RUN:
            table[title] = tuple(map(int, cells[:6]))
    return table


def test_every_kind_of_job_comes_to_the_end_it_must_come_to(demo):
    said = demo.run("--once")

    assert counts(said) == COUNTS_OF_A_QUIET_RUN
    assert "Every count is what it must be." in said


def test_nothing_is_lost_when_the_worker_is_killed(demo):
    said = demo.run("--once", "--kill")

    held = int(re.search(r"Killed the worker .* while it held (\d+) job", said)[1])
    for kind, (enqueued, succeeded, _, discarded, dead, again) in counts(said).items():
        quiet = COUNTS_OF_A_QUIET_RUN[kind]
        assert (enqueued, succeeded, discarded, dead) == (*quiet[:2], *quiet[3:5]), kind
        assert again <= held, kind
    assert held
    assert "Every count is what it must be." in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_the_demo_ends_everything_when_it_is_told_to_end(demo, number):
    with running(demo) as (process, address):
        with urllib.request.urlopen(address, timeout=10) as page:
            assert "What shall be done?" in page.read().decode()

        process.send_signal(number)
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 0, said
    assert "Stopped." in said


def test_a_process_that_dies_ends_the_demo_with_its_last_words(demo):
    with running(demo) as (process, _):
        [worker] = [pid for pid, command in demo.left().items() if "runworker" in command or command.startswith("kiq ")]
        os.kill(worker, signal.SIGKILL)
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 1, said
    assert "the worker ended with -9" in said
