"""What an idle fetcher sleeps on: its bell, and one blocked fetch per queue."""

import selectors
from collections.abc import Sequence

from kiq_django.store.waiters import Waiters
from kiq_django.worker.bell import Bell


class Watch:
    """Wakes the loop for the first of: a finished job, a job that came in. Used by the loop's thread alone."""

    def __init__(self, bell: Bell, waiters: Waiters) -> None:
        self._bell = bell
        self._waiters = waiters
        self._selector = selectors.DefaultSelector()
        self._arrived: list[tuple[str, bytes]] = []
        bell.join(self._selector)

    @property
    def is_waiting(self) -> bool:
        """A job may come in by itself."""
        return bool(self._waiters)

    @property
    def has_arrivals(self) -> bool:
        """Jobs have come in that nobody has taken from here yet."""
        return bool(self._arrived)

    @property
    def arrivals(self) -> Sequence[tuple[str, bytes]]:
        """Queue and payload of what has come in, the oldest first."""
        return self._arrived

    def take_arrivals(self) -> list[tuple[str, bytes]]:
        """Queue and payload of what has come in, the oldest first; it is the caller's from now on."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def wait_on(self, owner: str, queues: Sequence[str]) -> None:
        """Let the next job of each of these queues come in by itself."""
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
                payload = self._waiters.receive(key.data, self._selector)
                if payload is not None:
                    self._arrived.append((key.data, payload))
        return bool(events)

    def end_waiting(self) -> None:
        """Nothing comes in by itself any more; what had come shows in `arrivals`."""
        self._arrived += self._waiters.cancel(self._selector)

    def drop(self) -> None:
        """Forget all that was under way, after an error: it lies on the working list, or will within seconds."""
        self._arrived.clear()
        self._waiters.close(self._selector)

    def close(self) -> None:
        """Give connections and descriptors back."""
        self.drop()
        self._selector.close()
        self._bell.close()
