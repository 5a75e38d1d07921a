"""What a fetcher holds in Redis, under which name, and what it knows of it in memory."""

import logging
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence

from kiq_django.exceptions import StoreError
from kiq_django.store.working import Working
from kiq_django.worker.reservation import Reservation

logger = logging.getLogger("kiq_django.worker")
Place = tuple[str, bytes]
"""Queue and payload: what identifies a job on a working list."""


class Ownership:
    """A lease on queues, and the jobs held under it.

    The heartbeat's thread calls `renew`; all else is the fetcher's.
    """

    def __init__(self, working: Working, prefix: str, queues: Sequence[str], lease: float) -> None:
        self.name = ""
        """Under which jobs are reserved now; empty before the first registration."""
        self.lost = False
        """A reaper has taken this owner for dead. Nothing more may be taken under its name."""
        self._held: dict[Reservation, None] = {}
        """In the order in which they came."""
        self._working = working
        self._prefix = prefix
        self._queues = queues
        self._lease = lease

    def register(self) -> None:
        """Begin anew, holding nothing, under a name that nobody ever had."""
        name = f"{self._prefix}:{secrets.token_hex(3)}"
        self._working.register(name, self._queues, self._lease)
        self._held = {}
        self.name = name
        self.lost = False

    def renew(self) -> bool:
        """Prolong the lease. False when it was too late."""
        name = self.name
        if not name or self._working.renew(name, self._queues, self._lease) or name != self.name:
            return True
        self.lost = True
        return False

    def retire(self) -> None:
        """Sign off. What could not be put back is left for the reaper of another process."""
        try:
            left = self._working.retire(self.name, self._queues) if self.name else 0
        except StoreError as error:
            logger.warning("Could not sign off: %s What was reserved here comes back when the lease ends.", error)
        else:
            if left:
                logger.warning("%d jobs are left for the reaper of another process", left)

    @property
    def living(self) -> str:
        """The name, empty once it was lost."""
        return "" if self.lost else self.name

    def hold(self, reservations: Iterable[Reservation]) -> None:
        """Jobs have come into memory."""
        self._held.update(dict.fromkeys(reservations))

    def release(self, reservations: Iterable[Reservation]) -> None:
        """Jobs are off the working list, whoever owned it."""
        for reservation in reservations:
            self._held.pop(reservation, None)

    def held_but(self, others: Iterable[Reservation]) -> list[Reservation]:
        """What is held in memory apart from `others`, in the order in which it came."""
        known = set(others)
        return [reservation for reservation in self._held if reservation not in known]

    def ghosts(self, known: Iterable[Place]) -> list[Place]:
        """What is on our working lists and neither held in memory nor `known`: a fetch whose answer was lost."""
        listed = Counter(self._working.held(self.name, self._queues))
        held = Counter((each.queue, each.raw) for each in self._held)
        return list((listed - held - Counter(known)).elements())
