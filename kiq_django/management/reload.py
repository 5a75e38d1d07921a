"""Start again when code changes, as `runserver` does; jobs that run get a moment, then go back to their queue."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from django.utils import autoreload

from kiq_django.worker.os_signals import SignalPipe

PATIENCE = 5.0
"""Seconds that running jobs get when code has changed."""
RESTART = 3
"""The exit code by which Django's reloader asks for a new process."""
FORWARDED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGTTIN)

Work = Callable[[SignalPipe], int]


def run(work: Work) -> int:
    """Run `work` in a child that is replaced whenever code changes. Returns the exit code."""
    if os.environ.get(autoreload.DJANGO_AUTORELOAD_ENV) == "true":
        return _Reloaded(work).run()
    return _supervise([sys.executable, *_arguments()])


def parent_lives(parent: int = os.getppid()) -> bool:
    """False once the supervising process is gone: nobody would stop us any more."""
    return os.getppid() == parent


def parent_watch() -> Callable[[], bool]:
    """Answers True for as long as whoever is our parent now lives."""
    parent = os.getppid()
    return lambda: parent_lives(parent)


def _arguments() -> Sequence[str]:
    return autoreload.get_child_arguments()[1:]


def _supervise(command: Sequence[str]) -> int:
    """Keep one child running. Ctrl-C reaches it by itself, the terminal sends that to both."""
    environment = {**os.environ, autoreload.DJANGO_AUTORELOAD_ENV: "true"}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # new code is loaded anyway
    while True:
        child = subprocess.Popen(command, env=environment, close_fds=False)  # noqa: S603 - our own command line
        for number in FORWARDED:
            signal.signal(number, _forwarder(child))
        if (code := child.wait()) != RESTART:
            return code


def _forwarder(child: "subprocess.Popen[bytes]") -> Callable[[int, FrameType | None], None]:
    return lambda number, _: child.send_signal(number)


class _Reloaded:
    """The child: Django's reloader in the main thread, where it must be, and the worker in another."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._code = 1
        self._ended = threading.Event()
        self._pipe = SignalPipe()
        self._reloader = autoreload.StatReloader()

    def run(self) -> int:
        self._pipe.open()
        autoreload.file_changed.connect(self._code_changed, weak=False)
        worker = threading.Thread(target=self._run_worker, name="kiq-main", daemon=True)
        worker.start()
        self._reloader.run(worker)
        return self._code

    def _run_worker(self) -> None:
        try:
            self._code = self._work(self._pipe)
        except SystemExit as error:
            self._code = error.code if isinstance(error.code, int) else 1
        finally:
            self._ended.set()
            self._reloader.stop()

    def _code_changed(self, *, file_path: Path, **arguments: Any) -> bool:
        """Main thread. Ends this process for good when it is code that changed."""
        del arguments
        if file_path.suffix != ".py":
            return False
        print(f"{file_path} changed, reloading.", file=sys.stderr, flush=True)  # noqa: T201 - as runserver says it
        for _ in range(2):  # the second time is told as an operator would: now
            self._pipe.tell("TERM")
            self._ended.wait(PATIENCE)
        os._exit(RESTART)
