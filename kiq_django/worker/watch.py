"""What an idle fetcher sleeps on: its bell, and one blocked fetch per queue."""

import logging
import selectors
from collections.abc import Sequence

from kiq_django import clock
from kiq_django.exceptions import StoreRefused
from kiq_django.store.waiters import Waiters
from kiq_django.worker.bell import Bell

logger = logging.getLogger("kiq_django.worker")
REFUSAL = 5.0
"""Seconds until a server that refused a blocking fetch is asked again. A full Redis does, and runs our scripts."""

SAY_EVERY = 30.0


class Watch:
    """Wakes the loop for the first of: a finished job, a job that came in. Used by the loop's thread alone."""

    def __init__(self, bell: Bell, waiters: Waiters) -> None:
        self._bell = bell
        self._waiters = waiters
        self._selector = selectors.DefaultSelector()
        self._arrived: list[tuple[str, bytes]] = []
        self._admitted: list[tuple[str, bytes]] = []
        """Those of which the server has said that they may begin."""
        self._refused_at = -REFUSAL
        self._said_at = -SAY_EVERY
        bell.join(self._selector)

    @property
    def is_refused(self) -> bool:
        """The server does not let us wait just now: look instead."""
        return clock.monotonic() - self._refused_at < REFUSAL

    @property
    def is_waiting(self) -> bool:
        """A job may come in by itself."""
        return bool(self._waiters)

    @property
    def has_arrivals(self) -> bool:
        """Jobs have come in that nobody has taken from here yet."""
        return bool(self._arrived or self._admitted)

    @property
    def arrivals(self) -> Sequence[tuple[str, bytes]]:
        """Queue and payload of what has come in, the oldest first."""
        return self._admitted + self._arrived

    def take_arrivals(self) -> list[tuple[str, bytes]]:
        """Queue and payload of what has come in, the oldest first; it is the caller's from now on."""
        return self.take_admitted() + self._take_others()

    def take_admitted(self) -> list[tuple[str, bytes]]:
        """Only those that may begin without another question."""
        admitted, self._admitted = self._admitted, []
        return admitted

    def _take_others(self) -> list[tuple[str, bytes]]:
        arrived, self._arrived = self._arrived, []
        return arrived

    def adopt(self, found: Sequence[tuple[str, bytes]]) -> None:
        """Jobs that lie on our list, and of which nobody told us, count as if they had come in just now."""
        self._arrived += found

    def wait_on(self, owner: str, queues: Sequence[str]) -> None:
        """Let the next job of each of these queues come in by itself."""
        if not self.is_refused:
            self._waiters.arm(owner, queues, self._selector)

    def sleep(self, seconds: float) -> bool:
        """Until something happens, at most `seconds`. True when something did."""
        happened = self.look(seconds if self._bell.may_sleep() else 0)
        self._bell.awake()
        return happened

    def look(self, seconds: float = 0) -> bool:
        """As `sleep`, and deaf to the bell."""
        events = self._selector.select(seconds)
        for key, _ in events:
            if key.data is not None:
                self._receive(key.data)
        return bool(events)

    def _receive(self, queue: str) -> None:
        try:
            arrival = self._waiters.receive(queue, self._selector)
        except StoreRefused as error:
            self._refused_at = clock.monotonic()
            self._say(error)
        else:
            if arrival is not None:
                (self._admitted if arrival.admitted else self._arrived).append((queue, arrival.payload))

    def _say(self, error: StoreRefused) -> None:
        if self._refused_at - self._said_at > SAY_EVERY:
            self._said_at = self._refused_at
            logger.warning(
                "Waiting for jobs is refused: %s The queues are looked at many times a second instead.", error
            )

    def end_waiting(self) -> None:
        """Nothing comes in by itself any more; what had come shows in `arrivals`."""
        self._arrived += self._waiters.cancel(self._selector)

    def drop(self) -> None:
        """Forget all that was under way, after an error: it lies on the working list, or will within seconds."""
        self.take_arrivals()
        self._waiters.close(self._selector)

    def close(self) -> None:
        """Give connections and descriptors back."""
        self.drop()
        self._selector.close()
        self._bell.close()
