"""The worlds that are explored, and the bugs that must show in one of them."""

from typing import Any, NamedTuple

from tests.chaos.model.explore import GHOSTS, Result, explore
from tests.chaos.model.party import Store
from tests.chaos.model.redis import Scripts
from tests.chaos.model.world import World

LOST = "a job is lost"
TWICE = "a job lies in two places"
EXTRA = "more extra runs than jobs were in flight"
DISRESPECT = "a lease in force was not respected"
BURIED = "an innocent is buried"
LIE = "an end is told, and the job is still there"


class Setting(NamedTuple):
    """A world: its rules, and how it begins. What may go wrong stands in `start`."""

    start: dict[str, int]
    rules: dict[str, Any] = {}

    def explore(self, bugs: frozenset[str] = frozenset(), store: Store | None = None, **limits: Any) -> Result:
        """Go through all of it."""
        world = World(store or Scripts(bugs), bugs=bugs, **self.rules)
        return explore(world, world.start(**self.start), **limits)


def setting(*, rules: dict[str, Any] | None = None, **start: int) -> Setting:
    """Two workers, unless told otherwise."""
    return Setting({"queued": 2, "workers": 2, **start}, rules or {})


LAZY = {"eager": False}
WAITING = {"waiters": True}
SMALL = {
    "a crash and a loss": setting(crash=1, loss=1),
    "a crash and a failure": setting(crash=1, fail=1),
    "a failure and a loss": setting(fail=1, loss=1),
    "a crash and a stall": setting(queued=1, crash=1, stall=1),
    "a stall and a loss": setting(stall=1, loss=1),
    "a stall and a failure": setting(stall=1, fail=1),
    "a stall between two scripts": setting(stall=1, rules={"in_halves": True}),
    "two threads and a stall": setting(stall=1, rules={"threads": 2}),
    "waits and a crash": setting(queued=1, crash=1, rules=WAITING),
    "waits and a loss": setting(loss=1, rules=WAITING),
    "waits and a stall": setting(queued=1, stall=1, rules=WAITING),
    "a job given back and a loss": setting(back=1, loss=1, rules=LAZY),
    "a job given back and a stall": setting(queued=1, back=1, stall=1, rules=LAZY),
    "a stop and a loss": setting(stop=1, loss=1),
    "a stop and a stall": setting(queued=1, stop=1, stall=1),
    "a push and a loss": setting(queued=1, outside=1, loss=1, crash=1),
    "two pollers": setting(queued=1, scheduled=1, services=2, crash=1),
    "two reapers": setting(services=2, crash=1),
    "a late request and a crash": setting(queued=1, late=1, crash=1),
    "a late request and a loss": setting(late=1, loss=1),
    "a late request and a job given back": setting(queued=1, late=1, back=1, rules=LAZY),
    "a late request and a stop": setting(queued=1, late=1, stop=1),
    "a job that kills": setting(rules={"killers": "a"}),
    "a job that kills beside another": setting(rules={"killers": "a", "threads": 2}),
}
"""Seconds each."""
LARGE = {
    "a crash, a failure, a loss": setting(crash=1, fail=1, loss=1),
    "two jobs, a crash, a stall": setting(crash=1, stall=1),
    "a crash, a loss, a stall, a failure": setting(crash=1, loss=1, stall=1, fail=1),
    "two crashes and a loss": setting(crash=2, loss=1),
    "a stop and a stall": setting(stop=1, stall=1),
    "a stop, a loss, a failure": setting(stop=1, loss=1, fail=1),
    "two losses and a failure": setting(loss=2, fail=1),
    "two losses and a stall": setting(loss=2, stall=1),
    "three jobs, a crash, a loss, a failure": setting(queued=3, crash=1, loss=1, fail=1),
    "three workers, a crash, a stall": setting(workers=3, crash=1, stall=1),
    "three workers, three jobs, two crashes": setting(queued=3, workers=3, crash=2),
    "waits, two jobs, a stall": setting(stall=1, rules=WAITING),
    "waits, a crash, a loss": setting(crash=1, loss=1, rules=WAITING),
    "waits, one job, a crash, a stall": setting(queued=1, crash=1, stall=1, rules=WAITING),
    "two threads, a crash, a loss": setting(crash=1, loss=1, rules={"threads": 2}),
    "a late request, a stall": setting(late=1, stall=1),
    "a late request, a crash": setting(late=1, crash=1),
    "waits, one job, a stall, a loss": setting(queued=1, stall=1, loss=1, rules=WAITING),
    "two late requests": setting(late=2, crash=1),
    "a push, a stall, a loss": setting(queued=1, outside=1, stall=1, loss=1),
    "two services, a stall, a failure": setting(services=2, stall=1, fail=1),
}
"""Minutes."""
BUGS: dict[str, tuple[Setting, set[str]]] = {
    "pop fetch": (setting(crash=1), {LOST}),
    "no adoption": (setting(loss=1), {GHOSTS}),
    "ack before retry": (setting(fail=1, crash=1), {LOST}),
    "no fence": (setting(stall=1, fail=1), {TWICE}),
    "pop then push": (setting(queued=0, scheduled=2), {LOST}),
    "retried writes": (setting(queued=0, outside=1, loss=1), {TWICE}),
    "no second look at the lease": (setting(stall=1), {DISRESPECT}),
    "the reaped may reserve": (setting(stall=1), {EXTRA}),
    "reaped owners are forgotten": (setting(queued=1, crash=1, rules=WAITING), {GHOSTS}),
    "promotes what is gone": (setting(queued=0, scheduled=1, services=2), {TWICE}),
    "back before off": (setting(crash=1, services=2), {TWICE}),
    "recoveries are not counted": (setting(rules={"killers": "a"}), {GHOSTS}),
    "suspects run together": (setting(rules={"killers": "a", "threads": 2}), {BURIED}),
    "ends are not sent again": (setting(loss=1), {EXTRA}),
    "doubt is taken for stored": (setting(loss=1, stall=1), {LIE}),
    "adopts what runs": (setting(), {EXTRA}),
    "what is adopted begins unasked": (setting(queued=1, stall=1, loss=1, rules=WAITING), {EXTRA}),
    "what arrives begins unasked": (setting(stall=1, rules=WAITING), {EXTRA}),
    "the retired are forgotten": (setting(queued=1, stop=1, loss=1, rules=WAITING), {GHOSTS}),
}
"""The smallest world in which each shows, and as what."""
