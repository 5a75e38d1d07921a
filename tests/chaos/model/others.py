"""Everybody else: producers, reapers and pollers, the server itself, and what is late on the wire."""

from collections.abc import Iterator, Sequence

from tests.chaos.model.party import Party, Step, short, spent
from tests.chaos.model.redis import ENDED, LIVE, REAPED, RECOVERIES_THAT_ISOLATE, Call
from tests.chaos.model.state import BACK, TAKEN, Held, Look, State


class Others(Party):
    """Whoever has no loop of his own."""

    def steps(self, state: State) -> Iterator[Step]:
        """What may happen beside the workers."""
        yield from self._push(state)
        for number, look in enumerate(state.looks):
            if look:
                yield from self._act(state, number, look)
            else:
                yield from self._look(state, number)
        yield from self._stall(state)
        yield from self._serve(state)
        yield from self._late(state)

    def _push(self, state: State) -> Iterator[Step]:
        if state.outside:
            raw, *rest = state.outside
            yield from self.request(
                state._replace(outside=tuple(rest)),
                f"push {raw}",
                ("push", raw),
                lambda after, _: after.marked("accepted", raw),
                lambda after: after,
            )

    # -- reaper and poller ------------------------------------------------------------------------

    def _look(self, state: State, number: int) -> Iterator[Step]:
        _, owners = self._store.run(state.redis, ("expired",))
        for owner in owners:
            _, raws = self._store.run(state.redis, ("lrange", owner))
            seen = state.with_look(number, Look("ended", owner, raws))
            yield Step(f"s{number} finds {owner} ended, with {short(raws)}", True, seen)
        if state.redis.suspects:
            known = tuple(owner for owner, _ in state.redis.owners)
            yield Step(f"s{number} sees suspects", True, state.with_look(number, Look("out", state.redis.out, known)))
        _, due = self._store.run(state.redis, ("due",))
        if due and "pop then push" in self._bugs:
            after, raw = self.run(state, ("pop_due",))
            yield Step(f"s{number} pops {raw}", True, after.with_look(number, Look("popped", "", (raw,))))
        elif due:
            yield Step(f"s{number} finds {short(due)} due", True, state.with_look(number, Look("due", "", due)))

    def _act(self, state: State, number: int, look: Look) -> Iterator[Step]:
        """What was seen may be out of date by now. Whether an answer comes is all one: nothing depends on it."""
        blind = state.with_look(number, None)
        call: Call = ("promote", look.raws)
        following = blind
        if look.kind == "popped":
            call = ("push", look.raws[0])
            yield Step(f"s{number} dies", True, blind)
        elif look.kind == "out":
            call = ("let_out", look.owner, look.raws)
        elif look.kind == "ended" and self._second(state, look):
            call = ("isolate", look.owner, look.raws)
            following = state.with_look(number, look._replace(kind="parted"))
        elif look.kind in ("ended", "parted"):
            call = ("reclaim", look.owner, look.raws)
        what = f"s{number}: {short(call)}"
        after, answer = self.run(following, call)
        yield Step(f"{what} = {short(answer)}", True, after)
        if state.budget.late:
            late = tuple(sorted((*state.late, call)))
            yield Step(f"{what}: given up, under way", False, spent(blind, "late")._replace(late=late))

    def _second(self, state: State, look: Look) -> bool:
        """Something is to be set apart. Else that step is left out: it would mark the lease, as the next one does."""
        times = dict(state.redis.recovered)
        return any(times.get(raw[0]) == RECOVERIES_THAT_ISOLATE - 1 for raw in look.raws)

    # -- what nobody does -------------------------------------------------------------------------

    def _stall(self, state: State) -> Iterator[Step]:
        """A process sleeps, or its line does, for longer than its lease."""
        for worker in state.workers if state.budget.stall else ():
            if not worker.lost and state.redis.lease(worker.name) == LIVE:
                ended = state.redis.with_lease(worker.name, ENDED)
                stalled = spent(state, "stall")._replace(redis=ended)
                yield Step(f"{worker.name} stalls until its lease has ended", False, stalled)

    def _serve(self, state: State) -> Iterator[Step]:
        """The server serves a blocked fetch whoever it is, and whether somebody hears it or not."""
        for wait in sorted(set(state.waits)):
            rest = list(state.waits)
            rest.remove(wait)
            ended = state._replace(waits=tuple(rest))
            yield Step(f"a wait of {wait.owner} ends", True, ended)
            after, raw = self.run(ended, ("serve", wait.owner))
            if raw:
                heard = [n for n, worker in enumerate(after.workers) if wait.connected and worker.name == wait.owner]
                yield Step(f"a wait of {wait.owner} brings {raw}", True, self._arrived(after, heard, raw))
                if heard and after.redis.lease(wait.owner) != REAPED:
                    yield Step(f"a wait of {wait.owner} brings {raw} and leave", True, self._begun(after, heard, raw))

    def _arrived(self, state: State, heard: Sequence[int], raw: str) -> State:
        """Nobody knows whether it may begin: the next turn asks."""
        if "what arrives begins unasked" in self._bugs:
            return self._begun(state, heard, raw)
        for number in heard:
            worker = state.workers[number]
            state = state.with_worker(number, arrived=(*worker.arrived, raw))
        return state

    def _begun(self, state: State, heard: Sequence[int], raw: str) -> State:
        """The server has said behind it that its owner is in force."""
        for number in heard:
            worker = state.workers[number]
            stage = BACK if worker.lost or worker.stopping else TAKEN
            state = state.with_worker(number, memory=(*worker.memory, Held(stage, worker.name, raw)))
        return state

    def _late(self, state: State) -> Iterator[Step]:
        """A request that its sender has given up comes through, or never does."""
        for call in sorted(set(state.late)):
            rest = list(state.late)
            rest.remove(call)
            after = state._replace(late=tuple(rest))
            yield Step(f"{short(call)} never comes through", True, after)
            after, answer = self.run(after, call)
            if call[0] == "settle":
                # A job that was given back and taken anew looks as before: its second run is cut off from its list.
                back = sum(verb == BACK and mark == "1" for (verb, _), mark in zip(call[2], answer, strict=True))
                after = after._replace(excused=after.excused + back)
            yield Step(f"{short(call)} comes through late", True, after)
