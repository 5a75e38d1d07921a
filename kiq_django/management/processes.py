"""Several worker processes under one: started, watched, replaced when they die, stopped together."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils import autoreload

from kiq_django import clock
from kiq_django.exceptions import ConfigurationError
from kiq_django.worker.os_signals import DUMP, QUIET, STOP, SignalPipe

logger = logging.getLogger("kiq_django.worker")
CHILD = "KIQ_CHILD"
"""Set in the environment of a child: it must not start children of its own."""
LONGEST_PAUSE = 30.0
STABLE = 10.0
"""Seconds that a child must have lived for its next death to count as the first."""
MERCY = 5.0
"""Seconds beyond the shutdown timeout before a child is killed."""
BAD_CONFIGURATION = 2


@dataclass(slots=True)
class _Place:
    """One of the processes that there shall be, whichever one it is at the moment."""

    child: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    deaths: int = 0
    again_at: float = field(default_factory=clock.monotonic)


class Processes:
    """The parent. It runs no jobs and does not speak to Redis."""

    def __init__(self, number: int, timeout: float, pipe: SignalPipe) -> None:
        self._places = [_Place() for _ in range(number)]
        self._timeout = timeout
        self._pipe = pipe
        self._command = [sys.executable, *_own_arguments()]

    def run(self) -> int:
        """Until a signal says stop. Returns 0, or what a child said that cannot work as configured."""
        while True:
            for place in self._places:
                if place.child is not None and (code := place.child.poll()) is not None:
                    if code == BAD_CONFIGURATION:
                        self._stop("TERM")
                        return code
                    self._mourn(place, code)
                if place.child is None and clock.monotonic() >= place.again_at:
                    self._start(place)
            for name in self._pipe.wait(0.2):
                if name in STOP:
                    return self._stop(name)
                if name in QUIET | DUMP:
                    self._forward(name)

    def _start(self, place: _Place) -> None:
        environment = {**os.environ, CHILD: "1"}
        place.child = subprocess.Popen(self._command, env=environment, process_group=0)  # noqa: S603 - our own
        place.started_at = clock.monotonic()
        logger.info("Started worker process %d", place.child.pid)

    def _mourn(self, place: _Place, code: int) -> None:
        """Replace it, the later the more often it dies."""
        now = clock.monotonic()
        place.deaths = 1 if now - place.started_at > STABLE else place.deaths + 1
        pause = min(LONGEST_PAUSE, 0.5 * 2 ** (place.deaths - 1))
        place.again_at = now + pause
        pid = place.child.pid if place.child else 0
        place.child = None
        logger.error("Worker process %d ended with %d; another one starts in %.1f s", pid, code, pause)

    def _forward(self, name: str) -> None:
        for child in self._living():
            child.send_signal(signal.Signals[f"SIG{name}"])

    def _living(self) -> list["subprocess.Popen[bytes]"]:
        return [place.child for place in self._places if place.child is not None and place.child.poll() is None]

    def _stop(self, name: str) -> int:
        self._forward(name)
        deadline = clock.monotonic() + self._timeout + MERCY
        while self._living() and clock.monotonic() < deadline:
            for again in self._pipe.wait(0.05):
                self._forward(again)
        for child in self._living():
            logger.error("Worker process %d did not end in time and is killed", child.pid)
            child.kill()
        return 0


def is_child() -> bool:
    """This process was started by another worker."""
    return CHILD in os.environ


def how_many(text: str) -> int:
    """A number, or `auto`: the processors that we may use.

    Raises:
        ConfigurationError: it is neither.
    """
    if text == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdigit() or not int(text):
        raise ConfigurationError(f"--processes must be a number above 0, or 'auto', not {text!r}")
    return int(text)


def _own_arguments() -> Sequence[str]:
    return autoreload.get_child_arguments()[1:]
