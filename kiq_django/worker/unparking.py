"""Parked jobs go back to their queue: a search through the retry set, imported by a worker that has to."""

from kiq_django import clock, wire
from kiq_django.api.budget import Budget
from kiq_django.api.filters import Filter
from kiq_django.api.search import UP, set_region, walk
from kiq_django.api.waiting import SortedJob
from kiq_django.payload import PARKED
from kiq_django.store import Store
from kiq_django.store.sets import Promotion
from kiq_django.worker.unroutable import UNKNOWN, unparked

CHUNK = 100


def release(store: Store, queue: str, name: str) -> int:
    """Send all parked jobs of a name back to their queue. Returns how many."""
    where = Filter(name=name, queue=queue, error_class=UNKNOWN)
    count = 0
    for found in walk(set_region(store, "retry", where), where, UP, Budget.without_end(), only=_is_parked):
        promotions = [_promotion(job) for job in found.jobs]
        for start in range(0, len(promotions), CHUNK):
            count += sum(store.sets.promote("retry", promotions[start : start + CHUNK]))
    return count


def _is_parked(job: SortedJob) -> bool:
    return job.payload is not None and PARKED in job.payload.document


def _promotion(job: SortedJob) -> Promotion:
    payload = unparked(job.readable()).evolve(enqueued_at=clock.now())
    return Promotion(job.raw, payload.queue, wire.outgoing(payload).encode())
