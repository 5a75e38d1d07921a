"""Reserved jobs on their way from the fetcher's thread to the threads that run them."""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from kiq_django.worker.reservation import Reservation

Work = Reservation | Callable[[], None]
"""A job, or something small to do in a thread of the capsule."""


class Seat:
    """Where one idle thread sleeps."""

    __slots__ = ("_gate",)

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()

    def sleep(self) -> None:
        """Until somebody wakes this seat; at once if that has happened already."""
        self._gate.acquire()

    def wake(self) -> None:
        """Exactly once for each time that this seat was taken off the idle list."""
        self._gate.release()


class Buffer:
    """A queue that wakes a thread only when one sleeps: a busy thread finds its next job without being woken.

    `deque` operations are atomic, so no lock is held on the way of a job.
    """

    def __init__(self) -> None:
        self._work: deque[Work] = deque()
        self._idle: deque[Seat] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._work)

    def put(self, work: Iterable[Work]) -> None:
        """Hand over, and wake as many sleeping threads as there is work for."""
        for item in work:
            self._work.append(item)
            try:
                seat = self._idle.pop()
            except IndexError:
                continue
            seat.wake()

    def take(self, seat: Seat) -> Work | None:
        """The next piece of work; sleeps until there is some. None when the buffer is closed and empty."""
        while True:
            try:
                return self._work.popleft()
            except IndexError:
                if self._closed:
                    return None
            self._idle.append(seat)
            # Work that came before we stood on the idle list woke nobody: look again before sleeping.
            if (self._work or self._closed) and self._leave_idle_list(seat):
                continue
            seat.sleep()

    def drain(self) -> list[Reservation]:
        """Take out every job that no thread has begun."""
        jobs: list[Reservation] = []
        others: list[Work] = []
        while True:
            try:
                item = self._work.popleft()
            except IndexError:
                break
            if isinstance(item, Reservation):
                jobs.append(item)
            else:
                others.append(item)
        self.put(others)
        return jobs

    def close(self) -> None:
        """Let every thread end once nothing is left to take."""
        self._closed = True
        while True:
            try:
                self._idle.pop().wake()
            except IndexError:
                return

    def _leave_idle_list(self, seat: Seat) -> bool:
        """False when somebody has taken the seat off already: a wake is on its way."""
        try:
            self._idle.remove(seat)
        except ValueError:
            return False
        return True
