"""The fetcher's loop: one round trip after the other, and what it does when one fails."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.model.party import Party, Step, Store, aged, spent, waits_cut, waits_ended
from tests.chaos.model.redis import Call
from tests.chaos.model.state import (
    ACK,
    BACK,
    CALM,
    ENDS,
    RETRY,
    RUNNING,
    TAKEN,
    TO_ADOPT,
    TO_SETTLE,
    UNWRITTEN,
    Flight,
    Held,
    State,
    Wait,
    Worker,
)


class Fetchers(Party):
    """Those of all workers."""

    def __init__(self, store: Store, bugs: frozenset[str], threads: int, waiters: bool, in_halves: bool) -> None:
        super().__init__(store, bugs)
        self._threads = threads
        self._waiters = waiters
        self._in_halves = in_halves

    def room(self, worker: Worker) -> int:
        """How many jobs a worker may take."""
        if worker.stopping or worker.shaken:
            return 0
        return max(0, self._threads - len(worker.at(TAKEN, RUNNING)) - len(worker.arrived))

    def steps(self, state: State) -> Iterator[Step]:
        """The next round trip of each, and the blocked fetches of those who are idle."""
        for number, worker in enumerate(state.workers):
            if worker.flight:
                yield from self._reserve(state, number, worker.flight)
            elif worker.lost:
                yield from self._take_new_name(state, number, worker)
            elif worker.shaken == TO_ADOPT:
                yield from self._adopt(state, number)
            else:
                yield from self._turn(state, number, worker)
                if worker.shaken == CALM:
                    yield from self._audit(state, number)
                    yield from self._wait(state, number, worker)

    # -- a turn -----------------------------------------------------------------------------------

    def _turn(self, state: State, number: int, worker: Worker) -> Iterator[Step]:
        """Its first half: what has ended is settled."""
        if unwritten := worker.at(UNWRITTEN):
            yield from self._write_retry(state, number, unwritten[0])
        elif sent := tuple(sorted(worker.at(*ENDS), key=lambda held: held.owner)):
            yield from self._settle(state, number, sent)
        elif worker.shaken or worker.arrived or self.room(worker):
            yield from self._reserve(state, number, Flight((), ""))

    def _settle(self, state: State, number: int, sent: tuple[Held, ...]) -> Iterator[Step]:
        worker = state.workers[number]
        calls = [self._ends(owner, sent) for owner in dict.fromkeys(held.owner for held in sent)]
        after, answers = state, ""
        for call in calls:
            after, answer = self.run(after, call)
            answers += answer
        what = f"w{number} settles {', '.join(f'{held.stage} {held.raw} of {held.owner}' for held in sent)}"
        flight = Flight(sent, answers)
        if self._in_halves:
            yield Step(f"{what} = {answers}", True, after.with_worker(number, flight=flight))
        else:
            for what_then, ordinary, then in self._reserve(after, number, flight):
                yield Step(f"{what} = {answers}; {what_then}", ordinary, then)
        if state.budget.loss:
            yield Step(f"{what}: request lost", False, self._shaken(spent(state, "loss"), number, flight))
        if state.budget.late:
            reserve = ("reserve", worker.name, self.room(worker))
            late = tuple(sorted((*state.late, *calls, reserve)))
            given_up = self._shaken(spent(state, "late")._replace(late=late), number)
            yield Step(f"{what}: given up, under way", False, given_up)

    def _ends(self, owner: str, sent: tuple[Held, ...]) -> Call:
        ends = tuple((held.stage, held.raw) for held in sent if held.owner == owner)
        if "ack before retry" in self._bugs:
            ends = tuple((ACK if stage == RETRY else stage, raw) for stage, raw in ends)
        return ("settle", owner, ends)

    def _reserve(self, state: State, number: int, flight: Flight) -> Iterator[Step]:
        """The second half: room is filled. Its answer is the answer to the whole turn."""
        worker = state.workers[number]
        room = self.room(worker)

        def heard(after: State, taken: tuple[str, ...] | None) -> State:
            return self._answered(after, number, flight, taken)

        what = f"w{number} reserves {room}"
        call = ("reserve", worker.name, room)
        yield from self.request(state, what, call, heard, lambda after: self._shaken(after, number, flight))

    def _answered(self, state: State, number: int, flight: Flight, taken: tuple[str, ...] | None) -> State:
        worker = state.workers[number]
        lost = worker.lost or taken is None
        living = "" if lost else worker.name
        for held, mark in zip(flight.sent, flight.answers, strict=True):
            stored_before = held.doubt and (held.owner == living or "doubt is taken for stored" in self._bugs)
            if held.stage == ACK and (mark == "1" or stored_before) and held.raw[0] in state.redis.places:
                state = state._replace(broken="an end is told, and the job is still there")
        kept = [held for held in worker.memory if held not in flight.sent]
        if "ack before retry" in self._bugs:
            kept += [held._replace(stage=UNWRITTEN) for held in flight.sent if held.stage == RETRY]
        shaken = TO_ADOPT if worker.shaken and taken is not None else CALM
        stage = BACK if lost or worker.stopping else TAKEN
        kept += [Held(stage, worker.name, raw) for raw in (*worker.arrived, *(taken or ()))]
        return state.with_worker(number, flight=None, lost=lost, shaken=shaken, arrived=(), memory=tuple(kept))

    def _write_retry(self, state: State, number: int, held: Held) -> Iterator[Step]:
        kept = tuple(each for each in state.workers[number].memory if each != held)
        yield from self.request(
            state,
            f"w{number} writes the retry of {held.raw}",
            ("write_retry", held.raw),
            lambda after, answer: after.with_worker(number, memory=kept),
            lambda after: self._shaken(after, number),
        )

    # -- after an error ---------------------------------------------------------------------------

    def _shaken(self, state: State, number: int, flight: Flight | None = None) -> State:
        """Nothing is known of what was under way."""
        worker = state.workers[number]
        memory = tuple(held._replace(doubt=held.doubt or held.stage in ENDS) for held in worker.memory)
        if "ends are not sent again" in self._bugs and flight:
            memory = tuple(held for held in worker.memory if held not in flight.sent)
        state = waits_cut(state, worker.name)
        return state.with_worker(number, shaken=TO_SETTLE, flight=None, arrived=(), memory=memory)

    def _adopt(self, state: State, number: int) -> Iterator[Step]:
        """The end of the trouble: what came in by a fetch whose answer was lost is run."""
        call = ("lrange", state.workers[number].name)
        yield from self.request(
            state,
            f"w{number} looks at its list",
            call,
            lambda after, listed: self._adopted(after, number, listed),
            lambda after: self._shaken(after, number),
        )

    def _audit(self, state: State, number: int) -> Iterator[Step]:
        """The same every few seconds. That it may fail is left out: it is as if a turn had failed."""
        name = state.workers[number].name
        state, listed = self.run(waits_ended(state, name), ("lrange", name))
        yield Step(f"w{number} looks at its list", True, self._adopted(state, number, listed))

    def _adopted(self, state: State, number: int, listed: tuple[str, ...]) -> State:
        """What is on our list and not in memory came there by a fetch whose answer was lost."""
        worker = state.workers[number]
        known = Counter(worker.arrived)
        if "adopts what runs" not in self._bugs:
            known += Counter(held.raw for held in worker.memory if held.owner == worker.name)
        ghosts = [] if "no adoption" in self._bugs else sorted((Counter(listed) - known).elements())
        if "what is adopted begins unasked" not in self._bugs:
            return state.with_worker(number, arrived=(*worker.arrived, *ghosts), shaken=CALM)
        stage = BACK if worker.stopping or worker.lost else TAKEN
        memory = (*worker.memory, *(Held(stage, worker.name, raw) for raw in ghosts))
        return state.with_worker(number, memory=memory, shaken=CALM)

    def _take_new_name(self, state: State, number: int, worker: Worker) -> Iterator[Step]:
        """A reaper took us for dead: what was not begun is given back under the old name."""
        back = [*worker.memory, *(Held(TAKEN, worker.name, raw) for raw in worker.arrived)]
        memory = tuple(held._replace(stage=BACK) if held.stage == TAKEN else held for held in back)
        before = waits_ended(state, worker.name).with_worker(number, memory=memory, arrived=())
        after, _ = self.run(aged(before, number), ("register", worker.name))
        yield Step(f"w{number} takes a new name", True, after.with_worker(number, lost=False))

    # -- blocked fetches --------------------------------------------------------------------------

    def _wait(self, state: State, number: int, worker: Worker) -> Iterator[Step]:
        mine = Wait(worker.name, True)
        if mine not in state.waits and self._waiters and self.room(worker):
            yield Step(f"w{number} waits", True, state._replace(waits=tuple(sorted((*state.waits, mine)))))
        if mine in state.waits and state.budget.loss:
            lost = self._shaken(spent(state, "loss"), number)
            yield Step(f"w{number}: the connection of its wait is lost", False, lost)
