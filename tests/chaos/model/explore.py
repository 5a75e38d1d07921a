"""Goes through every state that a world can come to, breadth first: what is found comes with its shortest way."""

import gc
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.model.party import Step
from tests.chaos.model.promise import is_broken, is_drained, swept
from tests.chaos.model.state import State
from tests.chaos.model.world import World

GHOSTS = "it can never drain"


@dataclass(slots=True)
class Result:
    """What an exploration found."""

    states: int = 0
    extra: int = 0
    """The most extra runs in any state."""
    faults: dict[str, list[str]] = field(default_factory=dict)
    """What was broken, and the shortest way there."""
    complete: bool = True
    """False when there was more to see than the limits allowed."""

    def __str__(self) -> str:
        text = f"{self.states} states, at most {self.extra} extra runs"
        for fault, way in self.faults.items():
            text += f"\n{fault}:\n" + "\n".join(f"  {step}" for step in way)
        return text


def explore(world: World, start: State, *, depth: int = 10_000, most: int = 3_000_000, first: bool = False) -> Result:
    """Visit everything that can be reached from `start`.

    Args:
        depth: steps from the start at most; a world that is cut off is not asked whether it drains.
        most: states at most.
        first: stop at the first state that is broken.
    """
    gc.disable()  # it would look again and again at millions of tuples, none of which is garbage
    try:
        return _explore(world, start, depth, most, first)
    finally:
        gc.enable()


def _explore(world: World, start: State, depth: int, most: int, first: bool) -> Result:
    result = Result()
    came: dict[State, tuple[State, str] | None] = {start: None}
    back: dict[State, list[State]] = {}
    layer: Iterable[State] = [start]
    for _ in range(depth):
        following: list[State] = []
        for state in layer:
            result.extra = max(result.extra, state.extra)
            if fault := is_broken(state):
                result.faults.setdefault(fault, _way(came, state))
                if first:
                    result.states = len(came)
                    return result
                continue  # what follows from it says nothing new
            for step in _steps(world, state):
                if step.ordinary:
                    back.setdefault(step.state, []).append(state)
                if step.state not in came:
                    came[step.state] = (state, step.what)
                    following.append(step.state)
        layer = following
        if not layer or len(came) > most:
            break
    result.states = len(came)
    result.complete = not layer
    if result.complete and not result.faults:
        _find_ghosts(result, came, back)
    return result


def _steps(world: World, state: State) -> Iterable[Step]:
    for what, ordinary, then in world.steps(state):
        after = swept(then)
        if after != state:
            yield Step(what, ordinary, after)


def _find_ghosts(result: Result, came: dict[State, tuple[State, str] | None], back: dict[State, list[State]]) -> None:
    """A state from which no way of ordinary steps leads to the end of all work."""
    good = {state for state in came if is_drained(state)}
    waiting = deque(good)
    while waiting:
        for before in back.get(waiting.popleft(), ()):
            if before not in good:
                good.add(before)
                waiting.append(before)
    stuck = next((state for state in came if state not in good), None)
    if stuck is not None:
        result.faults[GHOSTS] = [*_way(came, stuck), f"{len(came) - len(good)} such states, the first: {stuck}"]


def _way(came: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    steps: list[str] = []
    while (before := came[state]) is not None:
        state, what = before
        steps.append(what)
    return steps[::-1]
