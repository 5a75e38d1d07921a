"""What Redis knows of the desk's jobs: the figures on the pages, and where each job is."""

from collections.abc import Iterator

from kiq_django import store
from kiq_django.api import DeadSet, Queue, RetrySet, ScheduledSet, Stats
from kiq_django.exceptions import KiqError, MalformedPayload
from kiq_django.payload import Payload

DEAD = "dead"
WORKER = "worker"
SETS = {"schedule": ScheduledSet, "retry": RetrySet, DEAD: DeadSet}
MOST_HELD = 1_000


def numbers() -> dict:
    """Return the figures for the top of a page, or the trouble there is in getting them."""
    try:
        stats = Stats()
    except KiqError as error:
        return {"trouble": f"Redis does not answer: {error}"}
    return {
        "figures": [
            ("Waiting", stats.enqueued),
            ("Running", stats.workers_size),
            ("Scheduled", stats.scheduled_size),
            ("To try again", stats.retry_size),
            ("Dead", stats.dead_size),
            ("Workers", stats.processes_size),
        ],
    }


def places() -> dict[str, str]:
    """Return where each job is that Redis has, by its id.

    What workers hold is read before and after the rest: no job slips through on its way from or to a worker.
    """
    found = dict.fromkeys(_held_ids(), WORKER)
    found |= {job.jid: f"queue {queue.name}" for queue in Queue.all() for job in queue}
    for place, jobs in SETS.items():
        found |= {job.jid: place for job in jobs()}
    return found | dict.fromkeys(_held_ids(), WORKER)


def held() -> int:
    """Return how many jobs workers hold, killed ones included: taken from a queue, and their end not stored."""
    return len(list(_held_ids()))


def _held_ids() -> Iterator[str]:
    """Read the working lists, for which the package has no public view: pages show what runs by each beat."""
    working = store.get().working
    for queue in working.served():
        for owner in working.owners(queue):
            for raw in working.left_behind(queue, owner, MOST_HELD):
                try:
                    yield Payload.decode(raw).jid
                except MalformedPayload:
                    continue
