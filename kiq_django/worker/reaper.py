"""Takes back the jobs of processes that are gone."""

import hashlib
import logging
from collections.abc import Sequence

from kiq_django import clock
from kiq_django.exceptions import KiqError, MalformedPayload
from kiq_django.payload import Payload
from kiq_django.service import Service
from kiq_django.store import Store
from kiq_django.store.working import RECOVERIES_THAT_KILL, RECOVERY_WINDOW

logger = logging.getLogger("kiq_django.worker")
PAGE = 100


class PoisonError(KiqError):
    """A job was running, or about to, each time when its process died."""


class Reaper(Service):
    """Looks at the leases of all owners on all queues, whether this process serves them or not.

    Whose lease has ended loses its jobs: they go to the front of their queues in their old order.
    A job to which that happens for the third time in three days goes to the dead set: it probably
    kills its process.
    """

    def __init__(self, store: Store, interval: float) -> None:
        super().__init__("reaper", interval)
        self._store = store

    def tick(self) -> None:
        """Take back whatever has to be, on every queue that anybody ever served."""
        queues = self._store.working.served()
        for queue, owner in self._store.working.expired(queues) if queues else []:
            self.reap(queue, owner)
        self._store.processes.prune()

    def reap(self, queue: str, owner: str, *, force: bool = False) -> int:
        """Take back the jobs of one owner on one queue. `force` when its process is known to be gone.

        Returns:
            How many there were; 0 also when its lease is in force.
        """
        working = self._store.working
        total = 0
        while True:
            raws = working.left_behind(queue, owner, PAGE)
            fates = working.reclaim(queue, owner, [_case(raw) for raw in raws], force=force)
            if fates is None or not raws:
                return total
            total += len(raws)
            _report(owner, queue, fates)


def _case(raw: bytes) -> tuple[bytes, str, bytes]:
    """Payload, jid, and what would go to the dead set; nothing for a job that says `dead: false`."""
    try:
        payload = Payload.decode(raw)
    except MalformedPayload:
        return raw, hashlib.sha256(raw).hexdigest()[:24], raw
    if payload.document.get("dead") is False:
        return raw, payload.jid, b""
    hours = RECOVERY_WINDOW // 3600
    now = clock.now()
    poisoned = payload.evolve(
        error_class=f"{PoisonError.__module__}.{PoisonError.__qualname__}",
        error_message=f"Its worker died {RECOVERIES_THAT_KILL} times within {hours} h while it held this job",
        failed_at=payload.failed_at or now,
        retry_count=payload.retry_count or 0,
    )
    return raw, payload.jid, poisoned.encode()


def _report(owner: str, queue: str, fates: Sequence[str]) -> None:
    back, buried = fates.count("1"), fates.count("2") + fates.count("3")
    if back:
        logger.warning("%s is gone: %d of its jobs are back on %s", owner, back, queue)
    if buried:
        logger.error("%s is gone: %d of its jobs on %s killed a worker too often and are dead", owner, buried, queue)
