"""Workers run operations: what somebody wants done with many jobs, such as "retry all that died of this error".

Each worker looks every two seconds whether there is one, by a single command. One worker at a time is at an
operation, in slices of a few chunks, and rests between them, longer while it runs jobs: those come first.
"""

import logging
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kiq_django import clock
from kiq_django.plugins import Feature
from kiq_django.service import Service

if TYPE_CHECKING:  # features are loaded in every process, and the API would bring Redis along
    from kiq_django.api.operation import Operation
    from kiq_django.api.operations import Operations
    from kiq_django.store import Store

logger = logging.getLogger("kiq_django.worker")
LOOK_EVERY = 2.0
"""Seconds."""
SLICE = 0.05
"""Seconds of work without a rest."""
REST, REST_UNDER_LOAD = 0.5, 3.0
"""How long to rest after a slice, in lengths of that slice."""
LOAD_LASTS = 1.0
"""Seconds after the last job in which this worker counts as busy."""


class Activity:
    """When this process last ended a job."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def note(self, outcomes: Sequence[Any]) -> None:
        """Some jobs have ended. On every batch's way: one look at the clock."""
        del outcomes
        self._last = clock.monotonic()

    @property
    def is_busy(self) -> bool:
        """A job has ended just now, so that others probably run."""
        return clock.monotonic() - self._last < LOAD_LASTS


class Runner(Service):
    """Works on the operations of one Redis."""

    def __init__(self, store: "Store", activity: Activity | None = None) -> None:
        super().__init__("operations", LOOK_EVERY)
        self._store = store
        self._known: Operations | None = None
        self._activity = activity or _activity
        self._next = LOOK_EVERY

    def first_wait(self) -> float:
        """Seconds; processes started together shall not look together."""
        return LOOK_EVERY * random.random()  # noqa: S311

    def interval(self) -> float:
        """Seconds: a rest when there is more to do, else until the next look."""
        return self._next

    def tick(self) -> None:
        """A slice of each operation that waits, or that nobody else is at.

        Raises:
            StoreError: an operation stays as its last chunk left it.
        """
        self._next = LOOK_EVERY
        began, is_more = clock.monotonic(), False
        for operation in self._store.operations.open():
            if self._stopping:
                return
            is_more |= self._advance(operation)
        if is_more:
            rest = REST_UNDER_LOAD if self._activity.is_busy else REST
            self._next = min(LOOK_EVERY, rest * (clock.monotonic() - began))

    def _advance(self, operation: str) -> bool:
        """Whether there is more to do, for us."""
        from kiq_django.api.budget import Budget  # not before there is an operation: few workers ever meet one

        operations = self._operations()
        if not operations.advance(operation, Budget(SLICE)):
            return False
        now = operations.find(operation)
        if now is not None and now.has_ended:
            _tell(now)
        return now is not None and not now.has_ended

    def _operations(self) -> "Operations":
        """One and the same, for it is under one name that this worker is at an operation."""
        if self._known is None:
            from kiq_django.api.operations import Operations  # with the first operation, as above

            self._known = Operations(self._store)
        return self._known


def _tell(ended: "Operation") -> None:
    logger.info(
        "Operation %s (%s in %s) has ended: %s. %d done, %d gone, %d could not be read, in %.1f s",
        ended.id,
        ended.verb,
        ended.queue or ended.place,
        ended.state,
        ended.done,
        ended.gone,
        ended.skipped,
        ended.seconds,
    )


_activity = Activity()
feature = Feature(name="operations", settled=_activity.note, services=(Runner,))
