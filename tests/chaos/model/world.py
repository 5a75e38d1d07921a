"""What may happen next: every step of every party, and everything that can go wrong with it."""

from collections.abc import Iterator

from tests.chaos.model.fetcher import Fetchers
from tests.chaos.model.others import Others
from tests.chaos.model.party import Step, Store, moved
from tests.chaos.model.process import Processes
from tests.chaos.model.redis import Redis
from tests.chaos.model.state import RUNNING, TAKEN, Budget, State, Worker


class World:
    """The rules by which states follow each other."""

    def __init__(
        self,
        store: Store,
        *,
        threads: int = 1,
        waiters: bool = False,
        killers: str = "",
        eager: bool = True,
        in_halves: bool = False,
        bugs: frozenset[str] = frozenset(),
    ) -> None:
        """Make the rules.

        Args:
            store: what runs scripts.
            threads: jobs that a worker runs at once.
            waiters: idle workers wait in a blocked fetch too.
            killers: ids of jobs that kill the worker that runs them; with no other fault no other job may be buried.
            eager: a thread begins a job as soon as it is there; else it may take its time.
            in_halves: others may come between the two scripts of a turn.
            bugs: what is done wrong on purpose.
        """
        self._threads = threads
        self._killers = killers
        self._eager = eager
        fetchers = Fetchers(store, bugs, threads, waiters, in_halves)
        self._processes = Processes(store, bugs, threads, killers, fetchers.room)
        self._parties = (fetchers, self._processes, Others(store, bugs))

    def start(
        self, *, queued: int, scheduled: int = 0, outside: int = 0, workers: int = 2, services: int = 1, **budget: int
    ) -> State:
        """So many jobs on the queue, on the schedule and not pushed yet, and workers that have just begun."""
        total = queued + scheduled + outside
        raws = tuple(f"{job}0" for job in "abcdef"[:total])
        inside = queued + scheduled
        state = State(
            Redis(queue=raws[:queued][::-1], retry=raws[queued:inside]),
            (Worker(),) * workers,
            Budget(**budget),
            looks=(None,) * services,
            outside=raws[inside:],
            runs=(0,) * total,
            done=(False,) * total,
            accepted=(True,) * inside + (False,) * outside,
        )
        for number in range(workers):
            state = self._processes.registered(state, number)
        return state

    def steps(self, state: State) -> Iterator[Step]:
        """Everything that may happen next."""
        for party in self._parties:
            for what, ordinary, after in party.steps(state):
                after = self._begun(after) if self._eager else after
                yield Step(what, ordinary, self._judged(after) if self._killers else after)

    def _judged(self, state: State) -> State:
        is_innocent = any(raw[0] not in self._killers for raw in state.redis.dead)
        return state._replace(broken="an innocent is buried") if is_innocent else state

    def _begun(self, state: State) -> State:
        """Threads are quick to begin what is there for them."""
        for number, worker in enumerate(state.workers):
            waiting = worker.at(TAKEN) if worker.memory else ()
            free = self._threads - len(worker.at(RUNNING)) if waiting else 0
            for held in waiting[: max(0, free)]:
                state = moved(state, number, held, RUNNING).counted("runs", held.raw, 1)
        return state
