"""Whoever takes steps in the small world, and how a request may go."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from tests.chaos.model.redis import LIVE, REAPED, Call, Redis
from tests.chaos.model.state import BEGUN, TAKEN, State


class Step(NamedTuple):
    """One thing that may happen."""

    what: str
    ordinary: bool
    """It takes no fault: the world may always go this way."""
    state: State


class Store(Protocol):
    """Runs scripts: the model's own, or the real ones."""

    def run(self, redis: Redis, call: Call) -> tuple[Redis, Any]:
        """One call on a state of Redis: the state after it, and the answer."""


class Party:
    """Somebody who takes steps, and may ask Redis."""

    def __init__(self, store: Store, bugs: frozenset[str]) -> None:
        self._store = store
        self._bugs = bugs

    def request(
        self,
        state: State,
        what: str,
        call: Call,
        heard: Callable[[State, Any], State],
        silence: Callable[[State], State],
    ) -> Iterator[Step]:
        """One round trip: answered; done and never answered; never done; done later, when nobody listens."""
        after, answer = self.run(state, call)
        yield Step(f"{what} = {short(answer)}", True, heard(after, answer))
        if state.budget.loss and "retried writes" in self._bugs:
            again, answer = self.run(after, call)
            yield Step(f"{what}: answer lost, sent again", False, heard(spent(again, "loss"), answer))
        elif state.budget.loss:
            yield Step(f"{what}: answer lost", False, silence(spent(after, "loss")))
            yield Step(f"{what}: request lost", False, silence(spent(state, "loss")))
        if state.budget.late:
            late = tuple(sorted((*state.late, call)))
            yield Step(f"{what}: given up, under way", False, silence(spent(state, "late")._replace(late=late)))

    def run(self, state: State, call: Call) -> tuple[State, Any]:
        """Run a script, and note what it excuses, and if it did what it must not."""
        redis, answer = self._store.run(state.redis, call)
        if call[0] in ("isolate", "reclaim") and redis.lease(call[1]) == REAPED:
            if state.redis.lease(call[1]) == LIVE:
                state = state._replace(broken="a lease in force was not respected")
            if state.redis.lease(call[1]) != REAPED:  # who was reaped before can have nothing in flight
                known = [held.raw for w in state.workers for held in w.at(TAKEN, *BEGUN) if held.owner == call[1]]
                in_flight = {*known, *state.redis.held(call[1])} if known or _lives(state, call[1]) else ()
                state = state._replace(excused=state.excused + len(in_flight))
        return state._replace(redis=redis), answer


def _lives(state: State, owner: str) -> bool:
    return any(worker.name == owner for worker in state.workers)


def spent(state: State, kind: str) -> State:
    """One fault less to come."""
    return state._replace(budget=state.budget._replace(**{kind: getattr(state.budget, kind) - 1}))


def moved(state: State, number: int, held: Any, stage: str) -> State:
    """A job in the memory of a worker gets to another stage."""
    memory = list(state.workers[number].memory)
    memory.remove(held)
    return state.with_worker(number, memory=(*memory, held._replace(stage=stage)))


def aged(state: State, number: int) -> State:
    """A worker is about to register: what speaks of its name until now speaks of an old one.

    So the name in force is always the same, and two worlds that differ by their past alone are one.
    """
    name = f"w{number}"
    used = {owner for owner, _ in (*state.redis.owners, *state.redis.working, *state.waits)}
    used |= {held.owner for worker in state.workers for held in worker.memory}
    used |= {call[1] for call in state.late} | {
        name for look in state.looks if look for name in (look.owner, *look.raws)
    }
    old = next(f"{name}.{n}" for n in range(9) if f"{name}.{n}" not in used)

    def renamed(value: Any) -> Any:
        if isinstance(value, tuple):
            parts = [renamed(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        return old if value == name else value

    redis = state.redis
    redis = redis._replace(working=tuple(sorted(renamed(redis.working))), owners=tuple(sorted(renamed(redis.owners))))
    workers = tuple(w._replace(memory=tuple(sorted(renamed(w.memory)))) for w in state.workers)
    late, waits = tuple(sorted(renamed(state.late))), tuple(sorted(renamed(state.waits)))
    return state._replace(redis=redis, workers=workers, late=late, waits=waits, looks=renamed(state.looks))


def waits_ended(state: State, owner: str) -> State:
    """The waits of a living owner are called off."""
    return state._replace(waits=tuple(wait for wait in state.waits if wait != (owner, True)))


def waits_cut(state: State, owner: str) -> State:
    """The connections of an owner's waits are gone; the server may serve them all the same."""
    cut = [wait._replace(connected=False) if wait.owner == owner else wait for wait in state.waits]
    return state._replace(waits=tuple(sorted(cut)))


def short(value: Any) -> str:
    """A value in a trace."""
    return f"[{' '.join(map(short, value))}]" if isinstance(value, tuple) else str(value)
