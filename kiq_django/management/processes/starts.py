"""How children come to be. Forked off a parent that has loaded the project they share its memory; else they are
spawned, and load it themselves.
"""

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from django.db import connections
from django.urls import get_resolver

from kiq_django import plugins
from kiq_django.exceptions import ConfigurationError
from kiq_django.management.processes.child import Child, ToParent
from kiq_django.management.processes.plan import Work
from kiq_django.management.processes.role import CHILD
from kiq_django.worker.os_signals import HANDLED, SignalPipe

logger = logging.getLogger("kiq_django.worker")
OURS = {signal.Signals[f"SIG{name}"] for name in HANDLED}
NOTIFY = "NOTIFY_SOCKET"


class Fork:
    """The parent has no threads and no open connections, so that nothing can be shared that must not be."""

    def __init__(self, work: Work, forget: Callable[[], None]) -> None:
        """Load what children would load each for itself, and keep the collector from writing to it.

        Args:
            forget: called in each child: closes what is the parent's alone.
        """
        self._work = work
        self._forget = forget
        plugins.features()
        plugins.server_links()
        connections.all()  # imports the backends, connects to nothing
        connections.close_all()
        gc.collect()
        gc.freeze()

    def child(self) -> Child:
        """Start one."""
        reading, writing = os.pipe()
        try:
            pid = _fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if pid == 0:
            os.close(reading)
            self._be_child(writing)
        os.close(writing)
        return Child(pid, reading)

    def aside(self, errand: Callable[[], object]) -> int:
        """Do something that needs connections, in a process of its own. Returns its number."""
        pid = _fork()
        if pid == 0:
            code = 1
            try:
                self._begin()
                for number in OURS:
                    signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
                errand()
                code = 0
            except BaseException:
                logger.exception("An errand of the parent failed")
            os._exit(code)
        return pid

    def _begin(self) -> None:
        os.setpgid(0, 0)  # Ctrl-C goes to the parent alone, which passes it on
        signal.set_wakeup_fd(-1)
        self._forget()
        os.environ.pop(NOTIFY, None)

    def _be_child(self, writing: int) -> NoReturn:
        self._begin()
        pipe = SignalPipe()
        pipe.open()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
        sys.exit(self._work(pipe, ToParent(writing)))


def _fork() -> int:
    """As `os.fork`, in whose child our signals wait: until it has handlers of its own they would be the parent's."""
    signal.pthread_sigmask(signal.SIG_BLOCK, OURS)
    pid = -1
    try:
        pid = os.fork()
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
    return pid


class Spawn:
    """Each child is the same command again."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def child(self) -> Child:
        """Start one."""
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        environment = {name: value for name, value in os.environ.items() if name != NOTIFY}
        try:
            pid = os.posix_spawn(self._command[0], self._command, {**environment, CHILD: str(writing)}, setpgroup=0)
        except OSError:  # it is tried again and again
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return Child(pid, reading)

    def aside(self, errand: Callable[[], object]) -> int:
        """Do something that takes a moment, in a thread. Returns 0: there is no process to wait for."""
        threading.Thread(target=errand, name="kiq-aside", daemon=True).start()
        return 0


def choose(preload: bool | None, work: Work, forget: Callable[[], None], command: list[str]) -> Fork | Spawn:
    """Fork where that is safe.

    Args:
        preload: True insists on it, False spawns.

    Raises:
        ConfigurationError: it is insisted on and not safe.
    """
    if preload is not False:
        _load_urls()
    reason = "--no-preload" if preload is False else why_not_fork()
    if not reason:
        return Fork(work, forget)
    if preload:
        raise ConfigurationError(f"--preload: children cannot be forked here: {reason}")
    logger.info("Children load the project each for itself: %s", reason)
    return Spawn(command)


def _load_urls() -> None:
    """Jobs make links. What that takes is loaded once for all children, and before anybody counts threads."""
    with contextlib.suppress(Exception):  # a project without pages, or with broken ones: that is for its jobs to say
        _ = get_resolver().url_patterns


def why_not_fork() -> str:
    """What makes it unsafe; empty when nothing does."""
    if not hasattr(os, "fork") or sys.platform == "darwin":
        return "libraries of this system do not survive a fork"
    if (number := _threads()) > 1:
        names = ", ".join(sorted(thread.name for thread in threading.enumerate()))
        return f"this process has {number} threads already ({names} and those of libraries); a fork would copy one"
    return ""


def _threads() -> int:
    """Those of C libraries too, where the system tells."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return threading.active_count()
