"""A real `manage.py runworker` process and what it left behind."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

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

    def wait(self, timeout: float = 20) -> int:
        return self.process.wait(timeout)


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
            process.kill()


def effects(directory: Path) -> Counter[str]:
    """How often each effect happened."""
    path = directory / "effects"
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()
