"""A worker process apart from its fetcher: threads, heartbeat, and how it comes to its end."""

from collections.abc import Callable, Iterator

from tests.chaos.model.party import Party, Step, Store, aged, moved, spent, waits_cut, waits_ended
from tests.chaos.model.redis import LIVE
from tests.chaos.model.state import ACK, BACK, BEGUN, CALM, RETRY, RUNNING, TAKEN, State, Worker


class Processes(Party):
    """All workers."""

    def __init__(
        self, store: Store, bugs: frozenset[str], threads: int, killers: str, room: Callable[[Worker], int]
    ) -> None:
        super().__init__(store, bugs)
        self._threads = threads
        self._killers = killers
        self._room = room

    def steps(self, state: State) -> Iterator[Step]:
        """What each may do, or what may happen to it."""
        for number, worker in enumerate(state.workers):
            yield from self._work(state, number, worker)
            yield from self._heartbeat(state, number, worker)
            yield from self._crash(state, number)
            yield from self._stop(state, number, worker)

    # -- threads ----------------------------------------------------------------------------------

    def _work(self, state: State, number: int, worker: Worker) -> Iterator[Step]:
        for held in worker.at(TAKEN):
            if len(worker.at(RUNNING)) < self._threads:
                begun = moved(state, number, held, RUNNING).counted("runs", held.raw, 1)
                yield Step(f"w{number} begins {held.raw}", True, begun)
            if worker.stopping:
                yield Step(f"w{number} gives {held.raw} back", True, moved(state, number, held, BACK))
            elif state.budget.back:
                back = moved(spent(state, "back"), number, held, BACK)
                yield Step(f"w{number} gives {held.raw} back", False, back)
        for held in worker.at(RUNNING):
            if held.raw[0] in self._killers:
                neighbours = state._replace(excused=state.excused + len(worker.at(*BEGUN)) - 1)
                killed = self._gone(neighbours, number).counted("runs", held.raw, -1)
                yield Step(f"{held.raw} kills w{number}", True, killed)
                continue
            yield Step(f"w{number} ends {held.raw}", True, moved(state, number, held, ACK).marked("done", held.raw))
            if state.budget.fail:
                failed = moved(spent(state, "fail"), number, held, RETRY).counted("runs", held.raw, -1)
                yield Step(f"{held.raw} fails in w{number}", False, failed)

    # -- heartbeat --------------------------------------------------------------------------------

    def _heartbeat(self, state: State, number: int, worker: Worker) -> Iterator[Step]:
        if not worker.lost and state.redis.lease(worker.name) != LIVE:
            yield from self.request(
                state,
                f"w{number} renews {worker.name}",
                ("renew", worker.name),
                lambda after, held: after.with_worker(number, lost=worker.lost or not held),
                lambda after: after,
            )

    # -- the end ----------------------------------------------------------------------------------

    def _crash(self, state: State, number: int) -> Iterator[Step]:
        if state.budget.crash:
            in_flight = len(state.workers[number].at(*BEGUN))
            crashed = spent(state, "crash")._replace(excused=state.excused + in_flight)
            yield Step(f"w{number} crashes", False, self._gone(crashed, number))

    def _stop(self, state: State, number: int, worker: Worker) -> Iterator[Step]:
        if not worker.stopping:
            if state.budget.stop:
                stopping = waits_ended(spent(state, "stop"), worker.name).with_worker(number, stopping=True)
                yield Step(f"w{number} is to stop", False, stopping)
        elif worker.shaken == CALM and not (worker.flight or worker.lost):
            if running := worker.at(RUNNING):
                back = state._replace(excused=state.excused + len(running))
                for held in running:
                    back = moved(back, number, held, BACK)
                yield Step(f"time is up: w{number} gives back what runs", True, back)
            elif not (worker.memory or worker.arrived):
                yield from self._retire(state, number, worker)

    def _retire(self, state: State, number: int, worker: Worker) -> Iterator[Step]:
        def gone(after: State, _: object = None) -> State:
            return self._gone(after, number)

        yield from self.request(state, f"w{number} signs off", ("retire", worker.name), gone, gone)

    def _gone(self, state: State, number: int) -> State:
        """A process has ended, and another begins. What its connections had asked for may still be done."""
        worker = state.workers[number]
        if worker.flight:  # both halves of a turn are sent in one piece
            state, _ = self.run(state, ("reserve", worker.name, self._room(worker)))
        workers = (*state.workers[:number], Worker(), *state.workers[number + 1 :])
        return self.registered(waits_cut(state, worker.name)._replace(workers=workers), number)

    def registered(self, state: State, number: int) -> State:
        """A process begins. That its registration may fail is left out: then it has not begun."""
        name = f"w{number}"
        state, _ = self.run(aged(state, number), ("register", name))
        return state.with_worker(number, name=name)
