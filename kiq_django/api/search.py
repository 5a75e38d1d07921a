"""Where is this job?"""

from kiq_django import store as stores
from kiq_django.api.budget import Budget
from kiq_django.api.processes import WorkSet
from kiq_django.api.queues import Queue
from kiq_django.api.records import JobRecord
from kiq_django.api.sets import DeadSet, RetrySet, ScheduledSet
from kiq_django.store import Store


def find_job(jid: str, budget: Budget | None = None, store: Store | None = None) -> JobRecord | None:
    """Look for a job everywhere: among the running, the retries, the scheduled, the dead, the waiting.

    Args:
        jid: its id.
        budget: for all places together; `Budget()` unless given. Its `exhausted` tells, after a search without
            success, whether the search was complete. A job that moves during the search may be missed.
    """
    store = store or stores.get()
    budget = Budget() if budget is None else budget
    if work := WorkSet(store).find(jid):
        return work.record
    places = [*(cls(store) for cls in (RetrySet, ScheduledSet, DeadSet)), *Queue.all(store)]
    for place in places:
        if budget.exhausted:
            break
        if job := place.find(jid, budget):
            return job
    return None
