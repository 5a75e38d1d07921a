"""Worker processes that start at once: copies of one that has made itself ready."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import roles
from tests.acceptance.process import READY, ROOT
from tests.chaos.zygote import CODE
from tests.support import wait_for


class Nursery:
    """Makes workers. All of them end with it."""

    def __init__(self, root: Path = ROOT) -> None:
        """`root` is the folder whose code they run."""
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "PYTHONUNBUFFERED": "1"}
        environment["PYTHONPATH"] = str(root)
        command = [sys.executable, "-m", "tests.chaos.zygote"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._zygote: Any = subprocess.Popen(command, cwd=root, env=environment, bufsize=0, **pipes)

    def worker(
        self,
        url: str,
        directory: Path,
        *options: str,
        kiq: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
    ) -> "Worker":
        """Start a worker on a server; its jobs write to `directory`, and so does it its log."""
        log = directory / f"worker-{os.urandom(3).hex()}.log"
        log.touch()
        variables = {
            "KIQ_TEST_URL": roles.as_worker(url),
            "KIQ_TEST_DIRECTORY": str(directory),
            "KIQ_TEST_KIQ": json.dumps(kiq or {}),
            **(environment or {}),
        }
        order = {"options": options, "environment": variables, "log": str(log)}
        self._zygote.stdin.write(json.dumps(order).encode() + b"\n")
        return Worker(int(self._zygote.stdout.readline()), log)

    def close(self) -> None:
        """End it, and all workers with it."""
        self._zygote.stdin.close()
        self._zygote.wait()
        self._zygote.stdout.close()


class Worker:
    """One process."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log

    def ready(self) -> "Worker":
        """Wait until it takes jobs."""
        wait_for(lambda: READY in self.output or self.code is not None, 20, "the worker's banner")
        assert self.code is None, self.output
        return self

    @property
    def code(self) -> int | None:
        """What it ended with, a negative number for a signal; None while it lives."""
        with contextlib.suppress(FileNotFoundError):
            return int(self.log.with_suffix(CODE).read_text())
        return None

    @property
    def output(self) -> str:
        """Everything it wrote."""
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """The hard way."""
        self.send(signal.SIGKILL)
        self.wait()

    def wait(self, timeout: float = 20) -> int:
        """Wait for its end. Returns its code."""
        wait_for(lambda: self.code is not None, timeout, f"the end of the worker:\n{self.output}")
        assert self.code is not None
        return self.code
