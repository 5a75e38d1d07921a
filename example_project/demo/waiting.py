"""Waiting for something to become true, and for somebody who wants the demo to end."""

import signal
import time
from collections.abc import Callable

STEP = 0.1


class Stopped(Exception):  # noqa: N818 - not an error
    """Somebody pressed Ctrl-C, closed the terminal, or sent TERM."""


class Patience:
    """Waits, and notices signals meanwhile. The handlers only count: no process is started and forgotten."""

    def __init__(self) -> None:
        self.signals = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._count)

    def _count(self, *_: object) -> None:
        self.signals += 1

    def asked_twice(self) -> bool:
        """Tell whether somebody cannot wait for the end any longer."""
        return self.signals > 1

    def check(self) -> None:
        """Raise `Stopped` if the demo shall end."""
        if self.signals:
            raise Stopped

    def wait_for(self, probe: Callable[[], bool], seconds: float) -> bool:
        """Ask until the answer is yes or the time is over; return the last answer."""

        def patiently() -> bool:
            self.check()
            return probe()

        return keep_asking(patiently, seconds)


def keep_asking(probe: Callable[[], bool], seconds: float) -> bool:
    """Ask until the answer is yes or the time is over; return the last answer."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            return False
        time.sleep(STEP)
    return True
