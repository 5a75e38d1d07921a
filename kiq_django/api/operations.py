"""Operations: something that is done with all jobs that match, and goes on when the web request is over."""

import math
import os
import secrets
import socket
from dataclasses import replace
from datetime import datetime

from kiq_django import store as stores
from kiq_django.api.budget import Budget
from kiq_django.api.filters import EVERYTHING, Filter
from kiq_django.api.labour import Labour
from kiq_django.api.operation import NAMES, VERBS, Operation, Verb
from kiq_django.api.preview import Preview, survey
from kiq_django.api.queues import Queue
from kiq_django.api.sets import JobSet
from kiq_django.api.waiting import check_name
from kiq_django.exceptions import ConfigurationError, Unsupported
from kiq_django.jobs.moments import epoch
from kiq_django.store import Store

ID_BYTES = 6
Target = JobSet | Queue
"""Where the jobs are."""


class Operations:
    """All operations of one Redis: those that wait for a runner, those that run, and the last 200 that ended.

    Workers run them (`kiq_django.features.operations`); without a worker, whoever calls `step` does.
    """

    def __init__(self, store: Store | None = None) -> None:
        self._store = store or stores.get()
        self._runner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(ID_BYTES)}"

    # -- before -----------------------------------------------------------------------------------

    def preview(self, place: Target, where: Filter = EVERYTHING, budget: Budget | None = None) -> Preview:
        """What matches now, as far as the budget goes (`Budget()` unless given)."""
        asked = _operation("delete", place, where)
        return survey(self._store, self._measured(asked), Budget() if budget is None else budget)

    def start(
        self,
        verb: Verb,
        place: Target,
        where: Filter = EVERYTHING,
        *,
        spread: float = 0.0,
        when: datetime | float | None = None,
        to: str = "",
        by: str = "",
        reason: str = "",
        total: int | None = None,
        token: str = "",
    ) -> Operation:
        """Do something with all jobs of a place that match and are there now. A worker begins within seconds.

        Args:
            verb: `retry`, `kill`, `delete`, `reschedule` or `move`.
            place: a queue, or one of the sets.
            where: which of the jobs there; every job unless given.
            spread: of a retry: each at a time within so many seconds.
            when: of a reschedule: to which time, aware or epoch seconds.
            to: of a move: to which queue.
            by: who wants it, for people.
            reason: why.
            total: how many match, if somebody has counted (`Preview.count`).
            token: becomes the id. Started with the same one again, nothing happens: a form may be sent twice.

        Raises:
            Unsupported: that cannot be done there.
            ConfigurationError: something is missing, or given that belongs to another verb.
        """
        asked = _operation(verb, place, where)
        asked = replace(
            asked,
            id=token or asked.id,
            spread=float(spread),
            when=None if when is None else epoch(when),
            to=to and check_name(to),
            by=by,
            reason=reason,
            total=total,
        )
        _refuse_nonsense(asked)
        started = self._measured(asked)
        if not self._store.operations.start(started.id, started.to_fields(), started.started_at):
            return self.find(started.id) or started
        return started

    # -- then -------------------------------------------------------------------------------------

    def find(self, operation: str) -> Operation | None:
        """The operation of this id, as it is now. None when it is not known, or not any more."""
        found = self._read([operation])
        return found[0] if found else None

    def all(self, limit: int = 50) -> list[Operation]:
        """The last ones, the newest first, in two round trips."""
        return self._read(self._store.operations.ids(limit))

    def open(self) -> list[str]:
        """Ids of those that have not ended. One command: to be asked often."""
        return self._store.operations.open()

    def cancel(self, operation: str, by: str = "") -> bool:
        """End it: from the moment this returns it touches no job more. False when it has ended, or is not known."""
        return self._store.operations.cancel(operation, by)

    def step(self, operation: str, budget: Budget | None = None) -> Operation | None:
        """Work on it, as far as the budget goes (`Budget()` unless given), if nobody else is at it. Then let it go.

        Returns:
            How it is now. None when it is not known.

        Raises:
            StoreError: it stays as it was after its last chunk; in some seconds somebody can go on.
        """
        self.advance(operation, budget)
        return self.find(operation)

    def advance(self, operation: str, budget: Budget | None = None) -> bool:
        """The same. False when there was nothing to do: somebody else is at it, or it has ended, or is not known."""
        claimed = self._store.operations.claim(operation, self._runner)
        if claimed is None:
            return False
        Labour(self._store, operation, self._runner, claimed).work(Budget() if budget is None else budget)
        return True

    def _measured(self, asked: Operation) -> Operation:
        """With the time by the server's clock, rounded up to what every form of a time can say, and with the size."""
        operations = self._store.operations
        if asked.place == "queue":
            walk = operations.list_walk(asked.queue, math.inf)
            now, size = operations.measure(walk)
        else:
            now, size = operations.measure(operations.set_walk(asked.place, asked.where.low, asked.where.high))  # type: ignore[arg-type]
        return replace(asked, started_at=math.ceil(now * 1000) / 1000, size=size)

    def _read(self, ids: list[str]) -> list[Operation]:
        found = zip(ids, self._store.operations.read(ids, NAMES), strict=True)
        return [Operation.from_fields(operation, fields) for operation, fields in found if fields]


def _operation(verb: Verb, place: Target, where: Filter) -> Operation:
    operation = secrets.token_hex(ID_BYTES)
    if isinstance(place, Queue):
        return Operation(id=operation, verb=verb, place="queue", queue=place.name, where=where)
    return Operation(id=operation, verb=verb, place=place.name, where=where)


def _refuse_nonsense(asked: Operation) -> None:
    if asked.verb not in VERBS[asked.place]:
        possible = ", ".join(VERBS[asked.place])
        where = f"the queue {asked.queue}" if asked.place == "queue" else f"the {asked.place} set"
        raise Unsupported(f"Nobody can {asked.verb} jobs of {where}: there you can {possible}")
    if asked.place == "queue" and (asked.where.due_from is not None or asked.where.due_to is not None):
        raise ConfigurationError("Jobs of a queue are due at once: choose them without a time")
    if (asked.verb == "reschedule") != (asked.when is not None):
        raise ConfigurationError("A reschedule needs a time (when=...), and nothing else does")
    if (asked.verb == "move") != bool(asked.to):
        raise ConfigurationError("A move needs a queue (to=...), and nothing else does")
    if asked.spread < 0 or (asked.spread and asked.verb != "retry"):
        raise ConfigurationError("Only a retry can be spread, over a number of seconds (spread=...)")
    if asked.verb == "move" and asked.to == asked.queue:
        raise ConfigurationError(f"The jobs of {asked.to} are there already: name another queue")
