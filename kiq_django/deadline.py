"""A time limit for plain Python code in the thread that runs it.

A watchdog thread raises `JobTimeout` inside the other thread. That takes effect when the thread next runs Python code:
a call that blocks inside C (a query, a socket without a timeout of its own) is not cut short.
"""

import contextlib
import ctypes
import math
import os
import queue
import threading
from types import TracebackType
from typing import Self

from kiq_django import clock
from kiq_django.exceptions import JobTimeout


class limit:  # noqa: N801 - read as a statement: `with limit(60, "..."):`
    """Raise `JobTimeout(message)` in the block once it took so many seconds.

    The error cannot leave the block late: firing and leaving exclude each other, and what was fired but has not struck
    yet is called back. Blocks may be nested; the end of the outer one is the end of the inner one.
    """

    __slots__ = ("_message", "_seconds", "depth", "due", "thread")

    def __init__(self, seconds: float, message: str) -> None:
        self._seconds = seconds
        self._message = message
        self.thread = 0
        self.due = math.inf
        self.depth = 0

    def __enter__(self) -> Self:
        self.thread = threading.get_ident()
        self.due = clock.monotonic() + self._seconds
        _watchdog.watch(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if _watchdog.release(self) and isinstance(error, JobTimeout) and not error.args:
            error.args = (self._message,)


class _Watchdog:
    """One thread for the limits of all others.

    What a limited thread does here may itself be struck, between any two instructions. Hence a bare lock and a queue
    written in C: inside `threading.Condition`, which is Python, a strike could leave the lock taken for ever. And
    hence a limit is forgotten when it fires, together with those inside it: none of them may come to its `release`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stacks: dict[int, list[limit]] = {}
        self._fired: dict[int, limit] = {}
        self._wakes_at = math.inf
        self._hurry: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def watch(self, each: limit) -> None:
        with self._lock:
            stack = self._stacks.setdefault(each.thread, [])
            each.depth = len(stack)
            stack.append(each)
            starts = self._thread is None
            if starts:
                self._thread = threading.Thread(target=self._run, name="kiq-deadlines", daemon=True)
        if starts and self._thread is not None:
            self._thread.start()
        elif each.due < self._wakes_at:
            self._hurry.put(None)

    def release(self, each: limit) -> bool:
        """End a limit, and say whether it was the last to fire in its thread."""
        with self._lock:
            stack = self._stacks.get(each.thread, [])
            del stack[each.depth :]
            if not stack:
                self._stacks.pop(each.thread, None)
            if self._fired.get(each.thread) is not each:
                return False
            del self._fired[each.thread]
            _call_back(each.thread)
            return True

    def _run(self) -> None:
        while True:
            with self._lock:
                now = clock.monotonic()
                self._fire(now)
                waiting = (each.due for stack in self._stacks.values() for each in stack)
                self._wakes_at = min(waiting, default=math.inf)
            with contextlib.suppress(queue.Empty):
                self._hurry.get(timeout=None if self._wakes_at == math.inf else max(0, self._wakes_at - now))

    def _fire(self, now: float) -> None:
        """Strike the outermost limit of each thread that is due."""
        for thread, stack in self._stacks.items():
            due = next((each for each in stack if each.due <= now), None)
            if due is not None:
                del stack[due.depth :]
                self._fired[thread] = due
                _raise_in(thread, JobTimeout)


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Have the thread raise this next, in place of what it was to raise and has not yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


class _CalledBack(BaseException):
    """Raised and caught at once."""


def _call_back(thread: int) -> None:
    """Take back, in the thread itself, what it has not raised yet.

    CPython offers to raise nothing instead. Up to 3.12 that leaves its interpreter looking for an exception for ever,
    which costs all threads time, and lets those hang that are traced or profiled. So another one takes the place.
    """
    with contextlib.suppress(_CalledBack):
        _raise_in(thread, _CalledBack)
        for _ in range(1_000):  # it strikes at the next jump back
            pass


_watchdog = _Watchdog()


def _after_fork() -> None:
    global _watchdog
    _watchdog = _Watchdog()  # the thread of the former stayed behind in the parent


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
