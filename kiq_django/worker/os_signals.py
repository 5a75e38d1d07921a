"""Signals of the operating system as words in a pipe: handlers do nothing, so nothing can deadlock in them."""

import contextlib
import logging
import os
import select
import signal
from types import FrameType

logger = logging.getLogger("kiq_django.worker")

QUIET = frozenset({"TSTP", "USR1"})
STOP = frozenset({"TERM", "INT"})
DUMP = frozenset({"TTIN"})
RETIRE = frozenset({"USR2"})
"""End when all jobs have ended, however long that takes; a parent of processes takes it for: start with new code."""
HANDLED = sorted(QUIET | STOP | DUMP | RETIRE)


class SignalPipe:
    """Opened in the main thread; may be read in any."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def open(self) -> None:
        """Take over the signals. Main thread only."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for name in HANDLED:
            signal.signal(_number(name), _ignore)
            # A blocked system call goes on instead of failing in the middle of a job.
            signal.siginterrupt(_number(name), False)

    def close(self) -> None:
        """Give it up, in a child that has one of its own."""
        os.close(self._read)
        os.close(self._write)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._read

    def tell(self, name: str) -> None:
        """Act as if the signal had come. Any thread. What is no signal of ours is ignored: it may come out of Redis."""
        if name not in HANDLED:
            logger.warning("%.20r is not a signal that a worker knows", name)
            return
        with contextlib.suppress(OSError):
            os.write(self._write, bytes([_number(name)]))

    def wait(self, seconds: float) -> list[str]:
        """Names without `SIG` of what has come, `TERM` for instance; nothing after `seconds`."""
        poll = (
            select.poll()
        )  # `select` cannot look at files beyond the first 1,024, of which a web server may have more
        poll.register(self._read, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return []
        with contextlib.suppress(BlockingIOError):
            return [signal.Signals(number).name.removeprefix("SIG") for number in os.read(self._read, 256)]
        return []


def _number(name: str) -> signal.Signals:
    return signal.Signals[f"SIG{name}"]


def _ignore(number: int, frame: FrameType | None) -> None:
    """The pipe has it."""
