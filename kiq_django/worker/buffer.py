"""Reserved jobs on their way from the fetcher's thread to the threads that run them."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from kiq_django.worker.reservation import Reservation

Work = Reservation | Callable[[], None]
"""A job, or something small to do in a thread of the capsule."""


class Seat:
    """Where one idle thread sleeps."""

    __slots__ = ("_gate",)

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()

    def sleep(self, seconds: float = -1) -> bool:
        """Until somebody wakes this seat, at once if that has happened; False when `seconds` were over first."""
        return self._gate.acquire(timeout=seconds)

    def wake(self) -> None:
        """Exactly once for each time that this seat was taken off the idle list."""
        self._gate.release()


class Buffer:
    """A queue that wakes one thread at a time: whoever takes a job wakes the next, while there are jobs and sleepers.

    Quick jobs are so run by the few threads that are awake, which find their next job without being woken; with the
    first job that waits for something the next thread is awake already. `deque` operations are atomic, so no lock is
    held on the way of a job.
    """

    def __init__(self) -> None:
        self._work: deque[Work] = deque()
        self._idle: deque[Seat] = deque()
        self._waking = False
        """One was woken, and is not here yet: it wakes the next."""
        self._low = -1
        self._feeder: deque[Seat] = deque()
        """Who sleeps until no more than `_low` pieces are left."""
        self._closed = False

    def __len__(self) -> int:
        return len(self._work)

    def put(self, work: Iterable[Work]) -> None:
        """Hand over. As many threads wake, one by the other, as there is work for."""
        self._work.extend(work)
        if self._work:
            self._wake_one()

    def take(self, seat: Seat) -> Work | None:
        """The next piece of work; sleeps until there is some. None when the buffer is closed and empty."""
        work = self._work
        while True:
            if work:
                try:
                    item = work.popleft()
                except IndexError:
                    continue  # somebody was faster
                if work and self._idle:
                    self._wake_one()
                if len(work) <= self._low:
                    self._wake_feeder()
                return item
            if self._closed:
                return None
            if self._feeder:
                self._wake_feeder()
            self._idle.append(seat)
            # Work that came before we stood on the idle list woke nobody: look again before sleeping.
            if (work or self._closed) and _leave(self._idle, seat):
                continue
            seat.sleep()
            self._waking = False

    def sleep_until_low(self, seat: Seat, level: int, seconds: float) -> None:
        """For who feeds: until no more than `level` pieces are left, or a thread finds none; at most `seconds`."""
        self._feeder.append(seat)
        self._low = level
        if not seat.sleep(seconds) and not _leave(self._feeder, seat):
            seat.sleep()
        self._low = -1

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

    def _wake_feeder(self) -> None:
        self._low = -1
        with suppress(IndexError):
            self._feeder.pop().wake()

    def _wake_one(self) -> None:
        """What comes in before a woken thread has said that it is here, that one finds: no other needs to wake."""
        if self._waking:
            return
        try:
            seat = self._idle.pop()
        except IndexError:
            return
        self._waking = True
        seat.wake()


def _leave(sleepers: deque[Seat], seat: Seat) -> bool:
    """False when somebody has taken the seat off already: a wake is on its way."""
    try:
        sleepers.remove(seat)
    except ValueError:
        return False
    return True
