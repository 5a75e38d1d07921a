"""The ends of jobs on their way into Redis. Keeps each until Redis has said what became of it."""

import logging
from collections import deque
from collections.abc import Callable, Sequence

from kiq_django import plugins, signals
from kiq_django.execution import Outcome
from kiq_django.store.working import Batch
from kiq_django.worker.journal import Journal
from kiq_django.worker.label import label
from kiq_django.worker.reservation import Reservation

logger = logging.getLogger("kiq_django.worker")
STOLEN = ord("0")


class Settler:
    """Used by the fetcher's thread alone; the three totals may be read by any."""

    def __init__(self, journal: Journal | None, defer: Callable[[Sequence[Callable[[], None]]], None]) -> None:
        self.processed = 0
        self.failed = 0
        self.stolen = 0
        """Jobs whose end was not stored: they had been taken back while they ran."""
        self.waiting: list[Reservation] = []
        """Finished, and not yet known to be stored."""
        self._unsure: set[Reservation] = set()
        self._defer = defer
        self._listeners: list[Callable[[Sequence[Outcome]], None]] = [journal.settled] if journal else []
        self._listeners += [feature.settled for feature in plugins.features() if feature.settled]
        self._sent: list[list[Reservation]] = []

    def collect(self, finished: deque[Reservation]) -> int:
        """Take over what the threads have finished. Returns how many."""
        count = len(finished)
        self.waiting += [finished.popleft() for _ in range(count)]
        return count

    def batches(self) -> list[Batch]:
        """Everything that waits, per working list. `confirm` takes the answers in this order."""
        groups: dict[tuple[str, str], list[Reservation]] = {}
        for reservation in self.waiting:
            place = (reservation.owner, reservation.queue)
            try:
                groups[place].append(reservation)
            except KeyError:
                groups[place] = [reservation]
        self._sent, batches = [], []
        for (owner, queue), group in groups.items():
            acked = [each for each in group if each.move is None]
            moved = [each for each in group if each.move is not None] if len(acked) < len(group) else []
            self._sent.append(acked + moved)
            moves = [each.move for each in moved if each.move is not None]
            batches.append(Batch(owner, queue, [each.raw for each in acked], moves))
        return batches

    def doubt(self) -> None:
        """The answer was lost: what was sent may be stored or not, and is sent again."""
        self._unsure.update(self.waiting)

    def confirm(self, answers: Sequence[bytes], *, living: str) -> list[Reservation]:
        """Redis has answered.

        Args:
            answers: one per batch, a character per job.
            living: the owner that nobody takes for dead. Of its jobs one that is missing, and whose first answer
                was lost, had been stored by then; of any other owner's it was stolen.

        Returns:
            What is off the working lists now, stolen jobs included.
        """
        stored: list[Reservation] = []
        for group, answer in zip(self._sent, answers, strict=True):
            if STOLEN in answer:
                stored += [r for r, mark in zip(group, answer, strict=True) if self._is_stored(r, mark, living)]
            else:
                stored += group
        gone, self.waiting = self.waiting, []
        self._sent = []
        self._unsure.clear()
        self._tell(stored)
        return gone

    def _is_stored(self, reservation: Reservation, mark: int, living: str) -> bool:
        if mark != STOLEN or (reservation in self._unsure and reservation.owner == living):
            return True
        self.stolen += 1
        logger.warning("A job was taken back while it ran here; its end is not stored: %s", label(reservation.raw))
        return False

    def _tell(self, stored: Sequence[Reservation]) -> None:
        """Count what is stored now, and let those know who asked for it."""
        outcomes = [r.outcome for r in stored if r.outcome is not None and not r.outcome.interrupted]
        if afters := [r.after for r in stored if r.after is not None]:
            self._defer(afters)
        if outcomes:
            self.processed += len(outcomes)
            self.failed += sum([outcome.error is not None for outcome in outcomes])
            self._publish(outcomes)

    def _publish(self, outcomes: list[Outcome]) -> None:
        for listener in self._listeners:
            try:
                listener(outcomes)
            except Exception:
                logger.exception("%r raised", listener)
        if signals.jobs_settled.receivers:
            signals.send(signals.jobs_settled, None, records=outcomes)
