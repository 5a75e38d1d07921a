"""Jobs that no code of this process declares: in a rolling deploy those of the next release, or of the last.

Nothing has failed, so nothing counts as a failure: the job is *parked* in the retry set, with the reason where people
look for it, and its retries untouched. A worker that knows the name and serves the queue sends it back at once, when it
starts and every two seconds. Until then it is looked at again when it is due, more and more rarely.
"""

import logging
from collections import Counter, deque
from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from weakref import WeakSet

from kiq_django import activejob, clock, failure, registry, routing, signals, wire
from kiq_django.exceptions import UnknownJob
from kiq_django.payload import ABSENT, PARKED, Payload
from kiq_django.service import Service
from kiq_django.store import Store
from kiq_django.store.working import Move
from kiq_django.worker.reservation import Reservation

logger = logging.getLogger("kiq_django.worker")
EVERY = 2.0
SOONEST, LATEST = 30.0, 3600.0
"""Seconds until a parked job is looked at again, the first time and later."""
PATIENCE = 30 * 86_400
"""Seconds after which nobody is expected any more: the dead set."""
UNKNOWN: Final = f"{UnknownJob.__module__}.{UnknownJob.__qualname__}"

_parked: deque[tuple[str, str]] = deque()
"""Queue and name of what this process has parked and not told yet. Any thread appends, one service takes."""
_services: "WeakSet[Unroutable]" = WeakSet()
"""Who tells: one a worker."""


def park(reservation: Reservation, payload: Payload) -> None:
    """Note on a reservation that its job is to be parked."""
    now, error = clock.now(), routing.unknown(payload)
    note = _note(payload, now)
    count = payload.retry_count or 0
    parked = failure.recorded(payload.original(), error, count=count, queue=reservation.whole, now=now)
    parked = parked.evolve(
        **{PARKED: {**note, "times": note["times"] + 1}},
        error_message=f"{error}. It is parked: that takes no retry, and a worker that declares it runs it at once",
    )
    new = wire.outgoing(parked).encode()
    if now - note["since"] > PATIENCE:
        reservation.move = Move("bury", reservation.raw, 0, new)
        reservation.after = partial(signals.send, signals.job_dead, None, payload=parked, error=error)
        return
    delay = min(LATEST, SOONEST * 2.0 ** min(note["times"], 10.0))
    reservation.move = Move("retry", reservation.raw, delay, new)
    reservation.after = partial(_remember, reservation.whole, called(payload))


def _note(payload: Payload, now: float) -> dict[str, Any]:
    """Since when, how many times, and what `retry_count` was. Payloads of others may hold anything there."""
    said = payload.document.get(PARKED)
    if isinstance(said, dict) and type(said.get("since")) is float and type(said.get("times")) is int:
        return {"since": said["since"], "times": max(0, said["times"]), "retry_count": said.get("retry_count")}
    return {"since": now, "times": 0, "retry_count": payload.retry_count}


def _remember(queue: str, name: str) -> None:
    """It is parked now: that is told at once, for this process may be about to end."""
    _parked.append((queue, name))
    for service in tuple(_services):
        service.wake()


def called(payload: Payload) -> str:
    """The name by which a worker knows a job, or does not."""
    return activejob.job_class(payload.name, payload.args) or payload.name


def unparked(payload: Payload) -> Payload:
    """The job as it was before it was parked; any other is returned as it is."""
    note = payload.document.get(PARKED)
    if note is None:
        return payload
    before = note.get("retry_count") if isinstance(note, dict) else None
    fields: dict[str, Any] = {PARKED: ABSENT}
    if isinstance(before, int):
        fields["retry_count"] = before
    else:
        gone = ("retry_count", "failed_at", "retried_at", "error_class", "error_message", failure.FRAME)
        fields |= {name: ABSENT for name in gone if name in payload.document}
    return payload.evolve(**fields)


class Unroutable(Service):
    """Tells of what was parked here, and releases what this process knows."""

    def __init__(self, store: Store, queues: Sequence[str]) -> None:
        super().__init__("unroutable", EVERY)
        self._store = store
        self._queues = queues
        _services.add(self)

    def tick(self) -> None:
        """One round trip when nothing is parked."""
        self._tell()
        for queue, name in self._store.unroutable.names(self._queues):
            if registry.find(name) is not None and self._store.unroutable.claim(queue, name):
                from kiq_django.worker.unparking import release  # brings the API along, for what few workers ever do

                try:
                    count = release(self._store, queue, name)
                except BaseException:
                    _parked.append((queue, name))  # told anew, for whoever can do the rest
                    raise
                logger.info("%d parked jobs %r are back on %s: they are known here", count, name, queue)

    def last_tick(self) -> None:
        """What was parked last."""
        self._tell()

    def _tell(self) -> None:
        found = Counter(_parked.popleft() for _ in range(len(_parked)))
        if not found:
            return
        try:
            self._store.unroutable.note(found)
        except BaseException:
            _parked.extend(found.elements())
            raise
        for (queue, name), count in found.items():
            logger.warning("Parked %d jobs %.200r of %s: no code here declares them", count, name, queue)
