"""What must hold in every state, and when all work is over."""

from tests.chaos.model.redis import ENDED, LIVE, REAPED, Redis
from tests.chaos.model.state import ENDS, State, Worker


def is_broken(state: State) -> str:
    """What must not be, if it is."""
    popped = [look.raws[0][0] for look in state.looks if look and look.kind == "popped"]
    places = state.redis.places + popped
    for number, job in enumerate("abcdef"[: len(state.done)]):
        if state.accepted[number] and not state.done[number] and job not in places:
            return "a job is lost"
        if places.count(job) > 1:
            return "a job lies in two places"
    if state.extra > state.excused:
        return "more extra runs than jobs were in flight"
    return state.broken


def is_drained(state: State) -> bool:
    """Everything is done, or dead, and nothing is left anywhere."""
    left = len(state.redis.places) - len(state.redis.dead)
    busy = any(worker.memory or worker.arrived or worker.flight for worker in state.workers) or any(state.looks)
    return not (left or busy or state.outside or state.waits or state.late)


def swept(state: State) -> State:
    """The same a while later, as far as nobody can tell the difference.

    Ends of jobs that were taken back are forgotten: nothing comes of them. The lease of an owner that nobody is any
    more has ended. A reaped one of whom nobody will ever hear is forgotten, as after a day.
    """
    redis = state.redis
    if not any("." in owner for owner, _ in redis.owners):
        return state  # nobody but the living: see `aged`
    waiting = {wait.owner for wait in state.waits}
    living = {worker.name for worker in state.workers}
    state = state._replace(workers=tuple(_without_stolen(worker, redis, waiting) for worker in state.workers))
    named = living | waiting | {call[1] for call in state.late}
    named |= {name for look in state.looks if look for name in (look.owner, *look.raws)}
    named |= {held.owner for worker in state.workers for held in worker.memory}
    for owner, lease in redis.owners:
        if lease == LIVE and owner not in living:
            redis = redis.with_lease(owner, ENDED)
        elif lease == REAPED and owner not in named and not redis.held(owner):
            redis = redis.with_lease(owner, None)
    return state._replace(redis=redis)


def _without_stolen(worker: Worker, redis: Redis, waiting: set[str]) -> Worker:
    if all(held.owner == worker.name for held in worker.memory):
        return worker
    kept = [
        held
        for held in worker.memory
        if held.owner == worker.name
        or held.stage not in ENDS
        or held.owner in waiting
        or held.raw in redis.held(held.owner)
    ]
    return worker._replace(memory=tuple(kept))
