"""New code is tried before the parent gives itself up for it; and what the parent of before hands on."""

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from kiq_django import clock
from kiq_django.management.processes.child import Child
from kiq_django.management.processes.role import TRIAL
from kiq_django.management.processes.starts import NOTIFY, OURS

HANDOVER = "KIQ_HANDOVER"
LONGEST = 120.0
"""Seconds that loading the project may take."""


def command() -> list[str]:
    """This process's own command line, to be run again."""
    return [sys.executable, *sys.orig_argv[1:]]


def home() -> str:
    """Where to start again: the folder as its visitors call it, which may be a link to the newest release."""
    said = os.environ.get("PWD", "")
    try:
        return said if said and Path(said).samefile(Path.cwd()) else str(Path.cwd())
    except OSError:
        return "/"


class Trial:
    """A process of the new code that only loads the project."""

    def __init__(self, folder: str) -> None:
        self._until = clock.monotonic() + LONGEST
        environment = {name: value for name, value in os.environ.items() if name != NOTIFY}
        words = command()
        with _inside(folder):
            self._pid = os.posix_spawn(words[0], words, {**environment, TRIAL: "1"}, setpgroup=0)

    def end(self) -> int | None:
        """Its exit code, None while it lasts."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid and clock.monotonic() > self._until:
            self.kill()
        return os.waitstatus_to_exitcode(status) if pid else None

    def kill(self) -> None:
        """Enough of it."""
        os.kill(self._pid, signal.SIGKILL)


@contextlib.contextmanager
def _inside(folder: str) -> Iterator[None]:
    """The former code may rely on the folder that it was started in, unless that is gone."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def begin_anew(folder: str, children: Iterable[Child], listening: socket.socket | None) -> NoReturn:
    """Become the new code. Process number, children, their pipes and the address for probes stay; signals that come
    meanwhile wait until the new code can hear them.
    """
    heirloom: dict[str, Any] = {"children": [], "listening": None}
    for child in children:
        os.set_inheritable(child.pipe, True)
        heirloom["children"].append(child.to_plain())
    if listening is not None:
        listening.set_inheritable(True)
        heirloom["listening"] = listening.fileno()
    signal.pthread_sigmask(signal.SIG_BLOCK, OURS)
    words = command()
    os.chdir(folder)
    os.execve(words[0], words, {**os.environ, HANDOVER: json.dumps(heirloom)})  # noqa: S606 - our own command line


def hear_again() -> None:
    """What came meanwhile is heard now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)


class Inheritance:
    """What a former life has left; empty in the first."""

    def __init__(self) -> None:
        said = json.loads(os.environ.pop(HANDOVER, "{}"))
        self.children = [Child(**each) for each in said.get("children", [])]
        self.listening: socket.socket | None = None
        for child in self.children:
            os.set_inheritable(child.pipe, False)
        if (number := said.get("listening")) is not None:
            self.listening = socket.socket(fileno=number)
            self.listening.set_inheritable(False)
        hear_again()
