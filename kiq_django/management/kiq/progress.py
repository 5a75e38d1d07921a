"""How far an operation on many jobs is, for a person at a terminal; and its end by Ctrl-C, between two chunks."""

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Self, TextIO

from django.core.management.base import CommandError

from kiq_django import clock
from kiq_django.management.kiq.terminal import count, duration

EVERY = 0.1
"""Seconds between two drawings."""
CELLS = 24
INTERRUPTED = 130
"""The exit code of what Ctrl-C has ended."""


class Aborted(Exception):  # noqa: N818
    """Ctrl-C: no further chunk."""


class Progress:
    """Called with the number of jobs done so far. Each chunk is one step in Redis, so an end between two of them leaves
    nothing half done: what is done is done, the rest is untouched.
    """

    def __init__(self, done: str, of: str, total: int | None, stream: TextIO | None = None) -> None:
        """Begin.

        Args:
            done: what happens to the jobs, `Retried`.
            of: where they are, `of dead`.
            total: how many there are, as far as that is known.
        """
        self.count = 0
        self._words = (done, of)
        self._total = total
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self._began = clock.monotonic()
        self._drawn_at = 0.0
        self._interrupts = 0
        self._former: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)
        if self._drawn_at and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
        if isinstance(error, Aborted | KeyboardInterrupt):
            done, of = self._words
            raise CommandError(
                f"Ended by Ctrl-C. {done} {count(self.count, 'job')} {of}; the others are untouched. "
                "Say the same again to go on.",
                returncode=INTERRUPTED,
            ) from error

    def __call__(self, done: int) -> None:
        """A chunk is done.

        Raises:
            Aborted: it was the last.
        """
        self.count = done
        if self._interrupts:
            raise Aborted
        now = clock.monotonic()
        if self._shown and now - self._drawn_at >= EVERY:
            self._drawn_at = now
            self._stream.write(f"\r{self.line(now)}\x1b[K")
            self._stream.flush()

    def line(self, now: float) -> str:
        """`[#####-----] 1,200 of 40,000 (3 %), 12 s left`."""
        if not self._total:
            return f"{self.count:,} jobs, Ctrl-C ends it"
        share = min(1.0, self.count / self._total)
        full = round(share * CELLS)
        left = (now - self._began) * (1 - share) / share if share else 0.0
        bar = "#" * full + "-" * (CELLS - full)
        return f"[{bar}] {self.count:,} of {self._total:,} ({share:.0%}), {duration(left)} left, Ctrl-C ends it"

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """The first ends it after this chunk, the second at once."""
        del number, frame
        self._interrupts += 1
        if self._interrupts > 1:
            raise KeyboardInterrupt
