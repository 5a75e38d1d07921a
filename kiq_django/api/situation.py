"""How things stand: server, queues, sets and processes at one moment, for whoever asks why."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kiq_django import conf
from kiq_django import store as stores
from kiq_django.api.crews import Crew, Member
from kiq_django.api.processes import Process
from kiq_django.api.records import JobRecord
from kiq_django.api.redis_box import RedisBox
from kiq_django.store import Store, glance
from kiq_django.store.keys import SetName

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Line:
    """One queue."""

    name: str
    size: int
    """Jobs that wait."""
    next: JobRecord | None
    """The job that comes next, where it was looked for."""
    paused: bool
    note: Mapping[str, Any]
    """`by`, `reason` and `at` (epoch seconds) of the pause; empty when another program paused it."""
    suspects: int = 0
    """Jobs that wait to run one at a time, where they were looked for; not part of `size`."""
    place: str = ""
    """The address of its server."""

    @property
    def latency(self) -> float:
        """Seconds that the next job has waited; 0 for an empty queue."""
        return self.next.latency if self.next else 0.0

    @property
    def target(self) -> float:
        """Seconds that a job may wait before the queue is late."""
        settings = conf.get()
        own = settings.queues[self.name].latency if self.name in settings.queues else None
        return own or settings.dashboard.latency

    @property
    def is_late(self) -> bool:
        return self.latency > self.target


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything at once."""

    boxes: tuple[RedisBox, ...]
    """Each server; of a cluster, each node. The first is of `KIQ["REDIS"]`."""
    lines: Mapping[str, Line]
    """All queues that a job was ever pushed to, or that are paused, by name."""
    sizes: Mapping[SetName, int]
    """Jobs in each set."""
    first: Mapping[SetName, float | None]
    """When the next job of each set is due, or died; epoch seconds."""
    members: tuple[Member, ...]
    """Processes that live."""
    members_by_queue: Mapping[str, Sequence[Member]]
    """The same by each queue on their list, however they are."""
    crews_by_queue: Mapping[str, Sequence[Crew]]
    """Threads that take jobs, by queue: those of processes that take any."""
    now: float
    """Epoch seconds by the server's clock."""

    @property
    def box(self) -> RedisBox:
        """The first server, whose clock is the one that figures go by."""
        return self.boxes[0]

    @property
    def waiting(self) -> set[str]:
        """Queues in which jobs wait, and that are open."""
        return {line.name for line in self.lines.values() if line.size and not line.paused}

    def boxes_of(self, queue: str) -> Sequence[RedisBox]:
        """The server of a queue, or the nodes of it; all for a queue that nobody knows."""
        line = self.lines.get(queue)
        return [box for box in self.boxes if line is None or box.place == line.place]

    def serving(self, queue: str) -> Sequence[Member]:
        """Processes that have a queue on their list, however they are."""
        return self.members_by_queue.get(queue, ())

    def crews(self, queue: str) -> Sequence[Crew]:
        """Threads that take jobs from a queue."""
        return self.crews_by_queue.get(queue, ())


def look(store: Store | None = None, *, into: Collection[str] | None = None) -> Situation:
    """Take everything in: in five round trips to one server, or six where it forbids INFO.

    Args:
        into: queues whose next job is of interest; all unless given.

    Raises:
        StoreError: Redis is away, or refuses even to be read.
    """
    store = store or stores.get()
    boxes = RedisBox.read_all(store)
    names = store.glance.names()
    found = store.processes.read(names.processes)
    identities = [each.identity for each in found]
    lines = store.glance.lines(names.queues, identities, names.queues if into is None else frozenset(into))
    members = tuple(_member(Process(store, each), lines) for each in found)
    crews = [crew for member in members if member.is_serving for crew in member.crews]
    return Situation(
        boxes=boxes,
        lines={name: _line(name, names, lines, str(store.place(name))) for name in names.queues},
        sizes=names.sizes,
        first=names.first,
        members=members,
        members_by_queue=_by_queue((member, member.process.queues) for member in members),
        crews_by_queue=_by_queue((crew, crew.queues) for crew in crews),
        now=lines.now,
    )


def _by_queue(servants: Iterable[tuple[T, Iterable[str]]]) -> Mapping[str, Sequence[T]]:
    found: dict[str, list[T]] = {}
    for servant, queues in servants:
        for queue in queues:
            found.setdefault(queue, []).append(servant)
    return found


def _line(name: str, names: glance.Names, lines: glance.Lines, place: str) -> Line:
    raw = lines.next.get(name)
    record = None if raw is None else JobRecord(raw, "queue", queue=name)
    paused, note = name in names.paused, names.paused.get(name, {})
    return Line(name, lines.sizes[name], record, paused, note, lines.suspects.get(name, 0), place)


def _member(process: Process, lines: glance.Lines) -> Member:
    """A key without an end was written by somebody else: then the clocks have to be trusted."""
    silence = lines.silence[process.identity]
    if silence is None or not process.beat:
        return Member(process, max(0.0, lines.now - process.beat) if silence is None else silence, 0.0)
    offset = process.beat - (lines.now - silence)
    if offset < 0:  # between its look at the clock and the beat lie a round trip that it measures, and one more
        offset = min(0.0, offset + 2 * process.rtt / 1e6)
    return Member(process, silence, offset)
