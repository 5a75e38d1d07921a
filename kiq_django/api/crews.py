"""Who serves which queue: live processes by how they are, and the threads of each capsule with what they run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kiq_django import conf
from kiq_django.api.processes import Process, Work

OURS: Final = "kiq_django "
"""What a version begins with, of workers of ours."""
FOREIGN_BEAT: Final = 10
"""Seconds between two beats of Sidekiq."""
MISSED_BEATS: Final = 2
ON_THE_LOOP: Final = "async-"
"""How the name of a thread begins that is none: an `async def` job on the event loop."""


@dataclass(frozen=True, slots=True)
class Member:
    """One live process, and how it is."""

    process: Process
    silence: float
    """Seconds since its last beat, by the server's clock."""
    clock_offset: float
    """Seconds that its clock is ahead of the server's."""

    @property
    def name(self) -> str:
        """`host:pid`."""
        return self.process.identity.rpartition(":")[0] or self.process.identity

    @property
    def is_ours(self) -> bool:
        """It is a worker of ours, not Sidekiq's."""
        return self.process.version.startswith(OURS)

    @property
    def is_unresponsive(self) -> bool:
        """It has missed beats, and is not forgotten yet. Of ours, the settings say how often it should beat."""
        beat = conf.get().worker.heartbeat if self.is_ours else FOREIGN_BEAT
        return self.silence > MISSED_BEATS * beat

    @property
    def is_serving(self) -> bool:
        """It takes jobs, as far as one can tell."""
        return not (self.process.is_quiet or self.is_unresponsive)

    @property
    def on_the_loop(self) -> list[Work]:
        """`async def` jobs, which take no thread."""
        return [work for work in self.process.work if work.thread.startswith(ON_THE_LOOP)]

    @property
    def crews(self) -> list["Crew"]:
        """Its capsules. Each running job counts for a capsule that serves its queue and has a thread for it."""
        crews = _crews(self)
        for work in self.process.work:
            if not work.thread.startswith(ON_THE_LOOP):
                able = [crew for crew in crews if work.queue in crew.queues] or crews
                free = [crew for crew in able if not crew.is_busy]
                (free or able)[0].running.append(work)
        return crews


@dataclass(frozen=True, slots=True)
class Crew:
    """The threads that serve one set of queues of one process."""

    member: Member
    threads: int
    queues: Mapping[str, int]
    """Weight by name, in the order in which a strict capsule looks; 0 where the process does not tell."""
    is_strict: bool
    is_told: bool
    """The process tells order and weights."""
    running: list[Work]
    """What its threads run."""

    @property
    def is_busy(self) -> bool:
        """Every thread has a job."""
        return len(self.running) >= self.threads

    def before(self, queue: str, waiting: Collection[str]) -> list[str]:
        """Of the queues in which jobs wait: those that come first, in strict order."""
        if not self.is_strict:
            return []
        order = list(self.queues)
        return [name for name in order[: order.index(queue)] if name in waiting]

    def share(self, queue: str, waiting: Collection[str]) -> float:
        """How many of its fetches look into a queue first, by its weight among those in which jobs wait."""
        if self.is_strict or not self.is_told:
            return 1.0
        rivals = {name: max(1, weight) for name, weight in self.queues.items() if name in waiting or name == queue}
        return rivals[queue] / sum(rivals.values())


def _crews(member: Member) -> list[Crew]:
    """By capsule where the process tells of capsules (we do, and Sidekiq from 8.0.9 on); else it is one."""
    process = member.process
    capsules = [capsule for capsule in process.capsules.values() if isinstance(capsule, dict)]
    found = [_capsule(member, capsule) for capsule in capsules]
    if found:
        return found
    weights = process.weights
    queues = {queue: weights.get(queue, 0) for queue in process.queues}
    strict = bool(weights) and not any(weights.values())
    return [Crew(member, process.concurrency, queues, strict, bool(weights), [])]


def _capsule(member: Member, capsule: Mapping[str, Any]) -> Crew:
    weights = capsule.get("weights")
    queues = {str(queue): _whole(weight) for queue, weight in weights.items()} if isinstance(weights, dict) else {}
    return Crew(member, _whole(capsule.get("concurrency")), queues, capsule.get("mode") == "strict", True, [])


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
