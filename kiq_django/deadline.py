"""A time limit for plain Python code in the thread that runs it.

A watchdog thread raises `JobTimeout` inside the other thread. That takes effect when the thread next runs
Python code: a call that blocks inside C (a query, a socket without a timeout of its own) is not cut short.
"""

import ctypes
import math
import os
import threading
from types import TracebackType
from typing import Self

from kiq_django import clock
from kiq_django.exceptions import JobTimeout


class limit:  # noqa: N801 - read as a statement: `with limit(60, "...")`
    """Raise `JobTimeout(message)` in the block once it took so many seconds.

    The error cannot leave the block late: firing and leaving exclude each other, and what was fired but has
    not struck yet is called back.
    """

    __slots__ = ("_message", "_seconds", "due", "fired", "thread")

    def __init__(self, seconds: float, message: str) -> None:
        self._seconds = seconds
        self._message = message
        self.fired = False

    def __enter__(self) -> Self:
        self.thread = threading.get_ident()
        self.due = clock.monotonic() + self._seconds
        _watchdog.watch(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _watchdog.release(self)
        if self.fired and isinstance(error, JobTimeout) and not error.args:
            error.args = (self._message,)


class _Watchdog:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        # Guarded by the condition. As many limits as threads with a limited job, so a set is searched
        # quickly.
        self._active: set[limit] = set()
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None

    def watch(self, each: limit) -> None:
        with self._changed:
            self._active.add(each)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="kiq-deadlines", daemon=True)
                self._thread.start()
            elif each.due < self._wakes_at:
                self._changed.notify()

    def release(self, each: limit) -> None:
        with self._changed:
            self._active.discard(each)
            if each.fired:
                _raise_in(each.thread, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = clock.monotonic()
                for each in [each for each in self._active if each.due <= now]:
                    self._active.discard(each)
                    each.fired = True
                    _raise_in(each.thread, JobTimeout)
                self._wakes_at = min((each.due for each in self._active), default=math.inf)
                self._changed.wait(None if self._wakes_at == math.inf else self._wakes_at - now)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have the thread raise this next; None takes back what it has not raised yet."""
    what = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)


_watchdog = _Watchdog()


def _after_fork() -> None:
    global _watchdog
    _watchdog = _Watchdog()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
