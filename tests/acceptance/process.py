"""A real `manage.py runworker` process and what it left behind."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests import roles
from tests.support import wait_for

ROOT = Path(__file__).resolve().parents[2]
READY = "Stop with Ctrl-C"


class WorkerProcess:
    """Starts at once; `ready` waits until it takes jobs."""

    def __init__(
        self,
        url: str,
        directory: Path,
        *options: str,
        kiq: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        folder: Path = ROOT,
    ) -> None:
        self.log = directory / f"worker-{os.urandom(3).hex()}.log"
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings",
            **(environment or {}),
            "KIQ_TEST_URL": roles.as_worker(url),
            "KIQ_TEST_DIRECTORY": str(directory),
            "KIQ_TEST_KIQ": json.dumps(kiq or {}),
            "PYTHONUNBUFFERED": "1",
        }
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "django", "runworker", *options]
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    def ready(self) -> "WorkerProcess":
        wait_for(lambda: READY in self.output or self.process.poll() is not None, 20, "the worker's banner")
        assert self.process.poll() is None, self.output
        return self

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def children(self) -> list[int]:
        """Process numbers of its children, the dead that nobody has waited for left out."""
        pid = self.process.pid
        try:
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:
            return []
        return [int(each) for each in text.split() if not is_gone(int(each))]

    def wipe_out(self) -> None:
        """Kill it with its children, which would go on for a moment, and take jobs of the next test."""
        children = self.children
        self.kill()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda pid=pid: is_gone(pid))

    def wait(self, timeout: float = 20) -> int:
        return self.process.wait(timeout)


def is_gone(pid: int) -> bool:
    """It has ended, whether somebody has waited for it or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextmanager
def workers(url: str, directory: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Gives a function that starts workers on a server; what still runs at the end is killed."""
    started: list[WorkerProcess] = []

    def start(*options: str, **kwargs: Any) -> WorkerProcess:
        process = WorkerProcess(url, directory, *options, **kwargs)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.process.poll() is None:
            process.wipe_out()


def effects(directory: Path) -> Counter[str]:
    """How often each effect happened."""
    path = directory / "effects"
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()
