"""Wakes a thread that sleeps in `select`, and costs next to nothing while it is awake."""

import contextlib
import os
import selectors


class Bell:
    """A pipe that is written to only when its owner has said that it goes to sleep."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._rung = False
        self._sleeping = False

    def join(self, selector: selectors.BaseSelector) -> None:
        """Make `selector` return when the bell rings."""
        selector.register(self._read, selectors.EVENT_READ, None)

    def heard(self) -> None:
        """The owner looks at everything now; what rings from here on is news."""
        self._rung = False

    def may_sleep(self) -> bool:
        """Announce sleep. False when it rang since `heard`: there is something to look at first."""
        self._sleeping = True
        return not self._rung

    def awake(self) -> None:
        """The owner has slept."""
        self._sleeping = False
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def ring(self) -> None:
        """Any thread: there is news. Write it down before ringing."""
        self._rung = True
        if self._sleeping:
            self._sleeping = False
            with contextlib.suppress(OSError):
                os.write(self._write, b"!")

    def close(self) -> None:
        """Give the pipe back."""
        self._sleeping = False
        os.close(self._read)
        os.close(self._write)
