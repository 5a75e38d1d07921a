"""One child as its parent knows it: its process, its pipe, what it last said. And the child's end of that pipe."""

import contextlib
import os
import signal
from typing import Any

from kiq_django import clock
from kiq_django.management.processes.role import CHILD
from kiq_django.worker.status import STOPPING, Report, Status

SILENT = 30.0
"""Seconds without a word from a child, which speaks every second, after which it does not count as alive."""


class ToParent:
    """The child's end: its report, a line a second."""

    def __init__(self, number: int) -> None:
        self._number = number
        os.set_blocking(number, False)

    def __call__(self, report: Report) -> None:
        """Say it. A parent that does not listen, or is gone, keeps nobody waiting."""
        with contextlib.suppress(OSError):
            os.write(self._number, report.statuses[0].to_line())

    @classmethod
    def inherited(cls) -> "ToParent":
        """In a spawned child."""
        number = int(os.environ.pop(CHILD))
        os.set_inheritable(number, False)
        return cls(number)


class Child:
    """A process that runs jobs."""

    def __init__(self, pid: int, pipe: int, started_at: float | None = None) -> None:
        self.pid = pid
        self.pipe = pipe
        """Our end, to read from; readable when the child has said something, or is gone."""
        self.started_at = clock.monotonic() if started_at is None else started_at
        self.heard_at = clock.monotonic()
        self.status: Status | None = None
        """What it last said; None until it has said something."""
        self.is_mute = False
        """It is gone, or has closed its end of the pipe: it will say nothing more."""
        self._unread = b""
        os.set_blocking(pipe, False)

    def hear(self) -> None:
        """Take in what it has said."""
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self.pipe, 65_536):
                *lines, self._unread = (self._unread + said).split(b"\n")
                if lines:
                    self.status = Status.from_line(lines[-1]) or self.status
                    self.heard_at = clock.monotonic()
            self.is_mute = True

    def send(self, name: str) -> None:
        """Pass a signal on; `TERM` for instance."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.Signals[f"SIG{name}"])

    def end(self) -> int | None:
        """Its exit code once it has ended, negative for a signal; None while it lives. Asked no more after that."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pid, status = self.pid, 0  # somebody else has waited for it
        if not pid:
            return None
        self.hear()
        self.close()
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Our end of its pipe; once, for its number soon means another file."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1

    @property
    def identity(self) -> str:
        """Under which name it holds jobs; empty until it has said so, and until then it holds none."""
        return self.status.identity if self.status else ""

    @property
    def is_ready(self) -> bool:
        """It takes jobs."""
        return self.status is not None and not self.status.idle

    @property
    def is_leaving(self) -> bool:
        """It ends by itself when its jobs have."""
        return self.status is not None and self.status.state == STOPPING

    @property
    def trouble(self) -> str:
        """Why it does not count as alive."""
        silent = clock.monotonic() - self.heard_at
        if silent > SILENT:
            return f"silent for {silent:.0f} s"
        return "; ".join(self.status.stalled.values()) if self.status else ""

    @property
    def why_not_ready(self) -> str:
        """Why it takes no jobs."""
        if self.status is None:
            return "starting"
        return self.trouble or "; ".join(self.status.idle.values())

    def to_plain(self) -> dict[str, Any]:
        """For the next life of the parent."""
        return {"pid": self.pid, "pipe": self.pipe, "started_at": self.started_at}
