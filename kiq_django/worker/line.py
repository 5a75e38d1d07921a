"""Async jobs that wait for a place on the event loop: no more than will find one within milliseconds."""

from collections import deque
from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple, Protocol

from kiq_django import clock
from kiq_django.payload import Payload
from kiq_django.worker import verdict
from kiq_django.worker.pace import Pace
from kiq_django.worker.patience import Patience
from kiq_django.worker.reservation import Reservation

NOTED_EVERY = 0.001
"""Seconds."""


class Host(Protocol):
    """Who hands jobs over to the loop and hears of their ends: a fetcher. Any thread may call these."""

    def hand_off(self, reservation: Reservation) -> None:
        """A job is the loop's from now on."""

    def note_start(self) -> None:
        """A line about a job's start waits to be written."""

    def finish(self, reservation: Reservation) -> None:
        """It has ended."""

    def leave_alone(self, queue: str) -> None:
        """A job of this queue found no place."""


class Guest(NamedTuple):
    """An async job, and whom to tell of it."""

    reservation: Reservation
    payload: Payload
    host: Host

    def give_back(self) -> None:
        """To its queue, as it was."""
        verdict.put_back(self.reservation)
        self.host.leave_alone(self.reservation.queue)
        self.host.finish(self.reservation)


class Line:
    """First come, first served. Any thread joins and takes out, each with one atomic step; the loop notes ends."""

    def __init__(self) -> None:
        self._guests: deque[Guest] = deque()
        self._pace = Pace()
        self._ended = 0
        self._ended_at = self._noted_at = 0.0
        self._patience = Patience(self._pace)

    def __len__(self) -> int:
        return len(self._guests)

    @property
    def room(self) -> int:
        """How many more may wait."""
        return max(0, self._pace.ahead - len(self._guests))

    def join(self, guest: Guest) -> None:
        """Wait behind all others."""
        self._guests.append(guest)

    def next(self) -> Guest | None:
        """Who has waited longest; None when nobody waits."""
        try:
            return self._guests.popleft()
        except IndexError:
            return None

    def note_end(self) -> None:
        """A job on the loop has ended. Called by the loop's thread alone."""
        self._ended += 1
        self._ended_at = now = clock.monotonic()
        if now - self._noted_at > NOTED_EVERY:
            self._pace.note(self._ended, now)
            self._ended, self._noted_at = 0, now

    def withdraw(self, reservations: Collection[Reservation]) -> list[Reservation]:
        """Take these out, those of them who are still here, in the order in which they came."""
        found: list[Reservation] = []
        for guest in list(self._guests):
            if guest.reservation in reservations:
                with suppress(ValueError):  # the loop was faster
                    self._guests.remove(guest)
                    found.append(guest.reservation)
        return found

    def stuck(self) -> list[Guest]:
        """Take all out when they wait in vain."""
        if not self._patience.is_over(len(self._guests), self._ended_at):
            return []
        return [guest for guest in iter(self.next, None) if guest is not None]
