"""One moment of the small world: what is stored, what each worker remembers, and what is still under way."""

from typing import Any, NamedTuple

from tests.chaos.model.redis import Call, Redis

TAKEN, RUNNING, ACK, RETRY, BACK, UNWRITTEN = "taken", "running", "ack", "retry", "back", "unwritten"
ENDS = (ACK, RETRY, BACK)
"""What waits for its settle."""
BEGUN = (RUNNING, ACK, RETRY)
CALM, TO_ADOPT, TO_SETTLE = range(3)
"""What a worker owes after an error, before it goes on: first to settle again, then to adopt."""


class Held(NamedTuple):
    """One job in the memory of a worker."""

    stage: str
    owner: str
    raw: str
    doubt: bool = False
    """Its end was sent, and no answer came."""


class Flight(NamedTuple):
    """A turn of which the first half is done: its ends are settled, its reservation is still to come."""

    sent: tuple[Held, ...]
    answers: str


class Look(NamedTuple):
    """What a reaper or a poller has read, and acts upon next."""

    kind: str
    """`ended`: an owner's lease. `parted`: the same, and its suspects are set apart. `due`: jobs of the retry set.
    `popped`: the same, with the bug `pop then push`. `out`: that suspects wait."""
    owner: str
    """With `out` the payload of the suspect that is out."""
    raws: tuple[str, ...]
    """With `out` the owners with whom it may be."""


class Worker(NamedTuple):
    """One process with one fetcher."""

    name: str = ""
    """Under which it reserves."""
    lost: bool = False
    shaken: int = CALM
    stopping: bool = False
    memory: tuple[Held, ...] = ()
    arrived: tuple[str, ...] = ()
    """Brought by a blocked fetch, and not yet confirmed."""
    flight: Flight | None = None

    def at(self, *stages: str) -> tuple[Held, ...]:
        """Jobs at one of these stages."""
        return tuple([held for held in self.memory if held[0] in stages])


class Wait(NamedTuple):
    """A blocked fetch that the server will serve."""

    owner: str
    connected: bool
    """Somebody will hear the answer."""


class Budget(NamedTuple):
    """How much may go wrong from here on."""

    crash: int = 0
    loss: int = 0
    """Requests or replies that are lost."""
    late: int = 0
    """Requests given up by their sender that come through later."""
    stall: int = 0
    """Leases that end although their owner lives."""
    fail: int = 0
    back: int = 0
    """Times that a job which nobody has begun goes back to its queue."""
    stop: int = 0
    """Graceful stops."""


class State(NamedTuple):
    """All of it."""

    redis: Redis
    workers: tuple[Worker, ...]
    budget: Budget
    looks: tuple[Look | None, ...] = (None,)
    """One for each process that reaps and polls."""
    outside: tuple[str, ...] = ()
    """Jobs that their producers have not pushed yet."""
    waits: tuple[Wait, ...] = ()
    late: tuple[Call, ...] = ()
    runs: tuple[int, ...] = ()
    """How often each job began, failed attempts apart."""
    done: tuple[bool, ...] = ()
    """A run has ended well."""
    accepted: tuple[bool, ...] = ()
    """Its producer was told that it is stored."""
    excused: int = 0
    """Jobs that were in flight in a worker when it crashed, was reaped or had to stop."""
    broken: str = ""
    """What a step did that no step may do."""

    def with_worker(self, number: int, **changes: Any) -> "State":
        """The same with one worker changed."""
        if "memory" in changes:
            changes["memory"] = tuple(sorted(changes["memory"]))
        worker = self.workers[number]._replace(**changes)
        return self._replace(workers=(*self.workers[:number], worker, *self.workers[number + 1 :]))

    def with_look(self, number: int, look: Look | None) -> "State":
        """The same with something else in view."""
        return self._replace(looks=(*self.looks[:number], look, *self.looks[number + 1 :]))

    def counted(self, field: str, raw: str, change: int) -> "State":
        """One of the counts per job changed."""
        index = ord(raw[0]) - ord("a")
        counts: tuple[int, ...] = getattr(self, field)
        return self._replace(**{field: (*counts[:index], counts[index] + change, *counts[index + 1 :])})

    def marked(self, field: str, raw: str) -> "State":
        """One of the marks per job set."""
        index = ord(raw[0]) - ord("a")
        marks: tuple[bool, ...] = getattr(self, field)
        return self._replace(**{field: (*marks[:index], True, *marks[index + 1 :])})

    @property
    def extra(self) -> int:
        """Runs beyond the first."""
        return sum(max(0, runs - 1) for runs in self.runs)
