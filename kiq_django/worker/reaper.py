"""Takes back the jobs of processes that are gone."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kiq_django import clock, routing, signals, wire
from kiq_django.exceptions import KiqError, MalformedPayload, PayloadError, StoreError, StoreRefused, StoreUnavailable
from kiq_django.payload import ABSENT, Payload
from kiq_django.service import Service
from kiq_django.store import Store
from kiq_django.store.working import RECOVERIES_THAT_KILL, RECOVERY_WINDOW

logger = logging.getLogger("kiq_django.worker")
PAGE = 100
LOOKS = 4
"""Looks at the leases within one lease, at least."""
ADRIFT = 10
"""Leases: a lease that ends later than that and is not renewed for so long is that of a dead owner."""
BURIED = "23"
POISON = f"Its worker died {RECOVERIES_THAT_KILL} times within {RECOVERY_WINDOW // 3600} h while it held this job"


class PoisonError(KiqError):
    """A job was running, or about to, each time when its process died."""


class Case(NamedTuple):
    """One job of a dead owner."""

    raw: bytes
    jid: str
    dead: bytes | None
    """What would go to the dead set; None for a job that says `dead: false`."""
    payload: Payload | None


class Reaper(Service):
    """Looks at the leases of all owners on all queues, whether this process serves them or not.

    Whose lease has ended loses its jobs: they go to the front of their queues in their old order.
    A job to which that happens for the second time in three days is a suspect, and may run again when no other
    suspect does; for the third time it goes to the dead set: it probably kills its process.

    While Redis is away nobody can renew. So after an outage, and at its start, the reaper lets the living
    renew first. A look counts as late after half a lease, so it looks at least twice as often as that.

    When the server's clock was set back, the leases of the dead end far in the future. The living renew; whose
    lease has not moved in the time of several leases is dead.
    """

    def __init__(self, store: Store, interval: float, lease: float) -> None:
        super().__init__("reaper", min(interval, lease / LOOKS))
        self._heartbeat = interval
        self._store = store
        self._lease = lease
        self._last_look = clock.monotonic()
        self._not_before = 0.0
        self._adrift: dict[tuple[tuple[str, str], bytes], float] = {}
        """Leases that end too late, and since when each has had this end (monotonic seconds)."""

    def first_wait(self) -> float:
        """Seconds; as long as a living process takes to renew."""
        return self._heartbeat

    def tick(self) -> None:
        """Take back whatever has to be, on every queue that anybody ever served."""
        queues = self._store.working.served()
        now = clock.monotonic()
        if now - self._last_look > self._lease / 2:
            self._not_before = now + self._lease
        self._last_look = now
        if now >= self._not_before and queues:
            ended, adrift = self._store.working.leases(queues, ADRIFT * self._lease)
            self.reap_all(ended)
            self.reap_all(self._long_adrift(adrift, now), force=True)
        self._store.processes.prune()
        self._store.suspects.let_out(queues)

    def _long_adrift(self, adrift: Mapping[tuple[str, str], bytes], now: float) -> list[tuple[str, str]]:
        self._adrift = {lease: self._adrift.get(lease, now) for lease in adrift.items()}
        return [place for (place, _), since in self._adrift.items() if now - since > ADRIFT * self._lease]

    def reap_all(self, found: Sequence[tuple[str, str]], *, force: bool = False) -> int:
        """`reap` for each queue and owner. A list that is of another type stops nobody but its own queue.

        Returns:
            How many jobs there were.
        """
        total = 0
        for queue, owner in found:
            try:
                total += self.reap(queue, owner, force=force)
            except (StoreUnavailable, StoreRefused):
                raise
            except StoreError as error:
                logger.warning("Cannot take back what %s held on %s: %s", _plain(owner), _plain(queue), error)
        return total

    def reap(self, queue: str, owner: str, *, force: bool = False) -> int:
        """Take back the jobs of one owner on one queue. `force` when its process is known to be gone.

        Returns:
            How many there were; 0 also when its lease is in force.
        """
        working = self._store.working
        total = 0
        while True:
            cases = [_case(raw) for raw in working.left_behind(queue, owner, PAGE)]
            self._isolate(queue, owner, cases, force=force)
            fates = working.reclaim(queue, owner, [case[:3] for case in cases], force=force)
            if fates is None:
                return total
            total += len(cases)
            _report(owner, queue, fates)
            for case, fate in zip(cases, fates, strict=True):
                if fate in BURIED:
                    _announce_death(case)
            # What was put back may wake a fetch of this very owner, and so be here again: that is for the next round.
            if len(cases) < PAGE:
                return total

    def _isolate(self, queue: str, owner: str, cases: Sequence[Case], *, force: bool) -> None:
        """The second time a job is set apart; to `reclaim` it is gone."""
        jobs = [(case.raw, case.jid) for case in cases]
        if jobs and (number := self._store.suspects.isolate(queue, owner, jobs, RECOVERY_WINDOW, force=force)):
            text = "%s is gone: %d of its jobs on %s were there too when a worker died before, and run one at a time"
            logger.warning(text, _plain(owner), number, _plain(queue))


def _case(raw: bytes) -> Case:
    try:
        payload = Payload.decode(raw)
        dead = None if payload.document.get("dead") is False else _poisoned(payload).encode()
    except (MalformedPayload, PayloadError):
        return Case(raw, hashlib.sha256(raw).hexdigest()[:24], raw, None)
    return Case(raw, payload.jid, dead, payload)


def _poisoned(payload: Payload) -> Payload:
    earlier = {name: ABSENT for name in ("error_frame", "error_backtrace") if name in payload.document}
    poisoned = payload.evolve(
        **earlier,
        error_class=f"{PoisonError.__module__}.{PoisonError.__qualname__}",
        error_message=POISON,
        failed_at=payload.failed_at or clock.now(),
        retry_count=payload.retry_count or 0,
    )
    return wire.outgoing(poisoned)


def _announce_death(case: Case) -> None:
    definition = routing.find(case.payload) if case.payload else None
    payload = _poisoned(case.payload) if case.payload else None
    sender = definition.sender if definition else None
    signals.send(signals.job_dead, sender, payload=payload, error=PoisonError(POISON))


def _plain(name: str) -> str:
    """A name for people, whatever bytes it came from."""
    return name.encode(errors="backslashreplace").decode()


def _report(owner: str, queue: str, fates: str) -> None:
    owner, queue = _plain(owner), _plain(queue)
    back, buried = fates.count("1"), fates.count("2") + fates.count("3")
    if back:
        logger.warning("%s is gone: %d of its jobs are back on %s", owner, back, queue)
    if buried:
        logger.error("%s is gone: %d of its jobs on %s killed a worker too often and are dead", owner, buried, queue)
