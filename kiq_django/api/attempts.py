"""What happened to one job, of those that have failed: its attempts, and its end."""

from dataclasses import dataclass

from kiq_django import store as stores
from kiq_django.api.waiting import SortedJob
from kiq_django.store import Store
from kiq_django.store.keys import SET_NAMES
from kiq_django.store.records import Attempt, Place, Record

ENDS: frozenset[Place] = frozenset({"done", "discarded", "dropped"})

__all__ = ["Attempt", "JobHistory", "history", "locate"]


@dataclass(frozen=True, slots=True)
class JobHistory:
    """A job that has failed, as its record tells."""

    jid: str
    name: str
    """For people."""
    queue: str
    """Where it goes next, or ran last."""
    place: Place
    """Where a worker has put it: `retry`, `dead` or `schedule`; `done`, `discarded` (it wanted no retry) or `dropped`
    (it had no retries left, and wants no dead set) when it is over. Since then it may have been moved: see `locate`."""
    score: float
    """Epoch seconds: when it is due (`retry`, `schedule`), died (`dead`) or ended."""
    written_at: float
    """Epoch seconds of the last word about it."""
    failures: int
    """Runs that failed; the middle ones of very many are not kept."""
    attempts: tuple[Attempt, ...]
    """The failed runs that are kept, in their order."""
    finished_at: float | None
    """Epoch seconds when its last run ended, for a job that is over (`done`, `discarded`, `dropped`)."""
    seconds: float | None
    """How long that run took."""
    worker: str
    """Identity of the process where that was; empty while it is not over."""

    @property
    def is_over(self) -> bool:
        """No worker will touch it again by itself."""
        return self.place in ENDS

    @property
    def left_out(self) -> int:
        """Failed runs that are not among `attempts`."""
        return max(0, self.failures - len(self.attempts))


def history(jid: str, store: Store | None = None) -> JobHistory | None:
    """What is known of a job, in one round trip.

    Returns:
        None for a job that never failed, and for one whose last run is longer ago than `KIQ["LIMITS"]` keeps it.
    """
    record = (store or stores.get()).records.read(jid)
    return _history(record) if record else None


def locate(found: JobHistory, store: Store | None = None) -> SortedJob | None:
    """The job where its history says that it is, in one round trip.

    Returns:
        None when it is over, or no longer there: a retry that was due is in its queue, or runs.
    """
    if found.place not in SET_NAMES:
        return None
    store = store or stores.get()
    jobs = (SortedJob(store, found.place, raw, found.score) for raw in store.records.at_score(found.place, found.score))
    return next((job for job in jobs if job.jid == found.jid), None)


def _history(record: Record) -> JobHistory:
    last = record.end if record.place == "done" else record.attempts[-1] if record.attempts else None
    if record.place not in ENDS:
        last = None
    return JobHistory(
        jid=record.jid,
        name=record.name,
        queue=record.queue,
        place=record.place,
        score=record.score,
        written_at=record.written_at,
        failures=record.failures,
        attempts=record.attempts,
        finished_at=last.ended_at if last else None,
        seconds=last.seconds if last else None,
        worker=last.worker if last else "",
    )
