"""Processes that the demo starts. Each leads a group, to be stopped with whatever it starts itself."""

import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from example_project.demo.waiting import keep_asking


@dataclass(slots=True)
class Child:
    """A running process and where it writes."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def ended(self) -> bool:
        return self.popen.poll() is not None

    def kill(self) -> None:
        """`kill -9`, as a machine that runs out of memory does it."""
        self.popen.kill()
        self.popen.wait()

    def stop(self, seconds: float, hurry: Callable[[], bool]) -> bool:
        """Ask it to end; after some seconds, or in a hurry, end its group. False if it came to that."""
        if not self.ended:
            self.popen.terminate()
        went = keep_asking(lambda: self.ended or hurry(), seconds) and self.ended
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()
        return went

    def tail(self, lines: int = 25) -> str:
        """Return the last lines that it wrote."""
        with self.log.open(errors="replace") as file:
            return "".join(deque(file, lines)).rstrip()


def start(name: str, argv: Sequence[str], *, log: Path, env: Mapping[str, str], fds: Sequence[int] = ()) -> Child:
    """Start a process whose output goes to the end of `log`. It inherits the file descriptors `fds`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        popen = subprocess.Popen(  # noqa: S603 - our own commands
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            pass_fds=fds,
            start_new_session=True,
        )
    return Child(name, popen, log)
