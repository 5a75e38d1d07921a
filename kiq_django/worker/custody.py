"""The jobs that a capsule has taken: on their way to its threads, with them, or on their way back."""

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence

from kiq_django import clock
from kiq_django.worker import verdict
from kiq_django.worker.buffer import Buffer, Seat
from kiq_django.worker.line import Line
from kiq_django.worker.ownership import Ownership, Place
from kiq_django.worker.pace import MOST, Pace
from kiq_django.worker.patience import STALE, Patience
from kiq_django.worker.reservation import Reservation
from kiq_django.worker.settler import Settler

logger = logging.getLogger("kiq_django.worker")

NAP = 0.001
"""Seconds. While jobs are quick, their ends are gathered this long instead of waking the loop for each."""
QUICK = 2
"""Ends in a nap. Where fewer are to be expected the loop sleeps on its waiters: what comes in wakes it at once."""


class Custody:
    """Knows every job from its reservation until its end is stored.

    Any thread adds to `finished` and `handed_off`, each with one atomic step; all else is the fetcher's.
    """

    def __init__(
        self,
        concurrency: int,
        buffer: Buffer,
        settler: Settler,
        ownership: Ownership,
        whole: Callable[[str], str] | None = None,
        line: Line | None = None,
    ) -> None:
        """`whole` tells the queue of a list, where these may differ; `line` leads to the event loop."""
        self.finished: deque[Reservation] = deque()
        """What threads are done with."""
        self.handed_off: set[Reservation] = set()
        """What is the event loop's, and so on no thread."""
        self.finished_at = 0.0
        """When a job last ended (monotonic seconds)."""
        self.active = 0
        """Jobs that were taken and have not ended."""
        self._concurrency = concurrency
        self._buffer = buffer
        self._settler = settler
        self._ownership = ownership
        self._whole = whole
        self._line = Line() if line is None else line
        self._pace = Pace()
        self._on_loop = 0
        self._handed = 0
        """How many jobs went on to the event loop since the last look."""
        self._patience = Patience(self._pace)
        self._seat = Seat()

    @property
    def is_empty(self) -> bool:
        """Nothing runs, and every end is stored."""
        return not (self.active or self.finished or self._settler.waiting)

    @property
    def is_quick(self) -> bool:
        """Jobs run, and some will end within a nap."""
        return bool(self.active) and self._pace.rate * NAP >= QUICK

    @property
    def has_unbegun(self) -> bool:
        """Jobs lie here that no thread has begun."""
        return bool(len(self._buffer) or len(self._line))

    @property
    def room(self) -> int:
        """What the threads can take, and what they will finish within milliseconds; negative when too much is held.

        While they hand all on to the event loop, twice as many may come each time.
        """
        on_threads = self.active - len(self.handed_off)
        ahead = self._pace.ahead
        if self._handed and not len(self._buffer):
            ahead = max(ahead, min(MOST, 2 * self._handed))
        return self._concurrency + ahead - on_threads

    def nap(self, *, more: bool) -> None:
        """While jobs are quick, let their ends gather; where there are `more`, only until the threads run low."""
        level = self._pace.ahead // 2
        if not more:
            time.sleep(NAP)
        elif len(self._buffer) > level or not self.finished:
            self._buffer.sleep_until_low(self._seat, level, NAP)

    def accept(self, jobs: Sequence[Place], *, closed: Collection[str], taking: bool) -> None:
        """Hand jobs to the threads; back go those that came in although we take none, or none from their queue."""
        owner = self._ownership.name
        come = [Reservation(owner, queue, raw) for queue, raw in jobs]
        if self._whole is not None:
            for each in come:
                each.part_of = self._whole(each.queue)
        self._ownership.hold(come)
        if closed or not taking:
            self.put_back([each for each in come if not taking or each.queue in closed])
            come = [each for each in come if taking and each.queue not in closed]
        self.active += len(come)
        self._buffer.put(come)

    def collect(self, now: float) -> bool:
        """Take over what the threads have finished. False when that is nothing; `now` in monotonic seconds."""
        finished = self._settler.collect(self.finished)
        self._pace.note(finished, now)
        self._handed = max(0, len(self.handed_off) - self._on_loop)
        self._on_loop += self._handed
        if not finished:
            if now - self.finished_at > STALE:
                self._pace.forget()
            return False
        self.finished_at = clock.monotonic()
        self.active = max(0, self.active - finished)
        if self.handed_off:
            self.handed_off.difference_update(self._settler.waiting)
            self._on_loop = len(self.handed_off)
        return True

    def confirm(self, answers: Sequence[bytes]) -> None:
        """Redis has answered to the ends that were sent, one answer per batch."""
        self._ownership.release(self._settler.confirm(answers, living=self._ownership.living))

    # -- giving back ------------------------------------------------------------------------------

    def put_back(self, reservations: Iterable[Reservation]) -> None:
        """To the front of their queues, the newest first, so that they stand there in their old order."""
        for reservation in reversed(list(reservations)):
            verdict.put_back(reservation)
            self._settler.waiting.append(reservation)

    def give_back_unbegun(self) -> None:
        """What no thread has begun goes back."""
        unbegun = self._buffer.drain()
        self.active -= len(unbegun)
        self.put_back(unbegun)
        for reservation in reversed(self._line.withdraw(self.handed_off)):
            verdict.put_back(reservation)
            self.finished.append(reservation)

    def give_back_stuck(self) -> None:
        """Nothing ends, or more is held than the threads will soon get to: somebody else shall have it."""
        for guest in reversed(self._line.stuck()):
            guest.give_back()
        if self._patience.is_over(len(self._buffer), self.finished_at):
            self.give_back_unbegun()

    def give_back_running(self) -> None:
        """Time is up: what still runs goes back as if it had not been begun."""
        running = self._ownership.held_but(self._settler.waiting)
        logger.warning("Time is up: %d running jobs go back to their queues", len(running))
        self.active = 0
        self.put_back(Reservation(each.owner, each.queue, each.raw) for each in running)
