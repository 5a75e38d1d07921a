"""What a run came to: what was pushed and what ran, compared as multisets, and what is left in Redis."""

import re
from collections import Counter
from dataclasses import dataclass, field

from kiq_django.exceptions import MalformedPayload
from kiq_django.payload import ABSENT, Payload
from kiq_django.store import Store
from kiq_django.store.sets import Promotion
from tests.chaos.arena import Arena
from tests.chaos.producer import Pushed

POISON = "PoisonError"
MOST_PUSHED_BACK = 2
"""Times that one job is pushed back at a deadline, in any run that is not longer than a night."""
TAKEN_BACK = re.compile(r"(\S+) is gone: (\d+) of its jobs")
PUSHED_BACK = re.compile(r"Time is up: (\d+) running jobs")
LEASE_LOST = "This process was taken for dead"
LASTING = re.compile(r"queues|stat:(processed|failed)(:\d{4}-\d\d-\d\d)?|kiq:served|kiq:owners:(default|critical)|dead")
"""Keys that stay."""
VOLATILE = re.compile(
    r"process_cleanup|\S+:\d+:[0-9a-f]{12}(:work|:workers|-signals)?|j\|\S+|h\|\S+|tests\.\S+-\d\d-\d+:\d+|kiq:\S+"
)
"""Keys that go by themselves."""


@dataclass(slots=True)
class Verdict:
    """Numbers of jobs."""

    done: int = 0
    lost: list[int] = field(default_factory=list)
    """Acknowledged, and never seen to end."""
    recovered: int = 0
    """Nobody knew whether they had been pushed, and they ran."""
    unexpected: list[int] = field(default_factory=list)
    """Refused, or never pushed, and they ran."""
    unexcused: dict[int, int] = field(default_factory=dict)
    """Ran oftener than they were taken back; and how often too many."""
    extra: int = 0
    """Runs beyond those that were needed."""
    taken_back: int = 0
    """Jobs taken from workers that were gone, or taken for it."""
    pushed_back: int = 0
    """Jobs that were still running when the time of their worker was up."""
    gone: int = 0
    """Owners from whom something was taken."""
    leases_lost: int = 0
    """Workers that lived and were taken for dead."""
    buried: int = 0
    """Jobs that were in flight three times when a worker died, and were thought to be the cause."""
    troubles: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """The promise was kept."""
        within = self.extra <= self.taken_back + self.pushed_back
        return within and not (self.lost or self.unexpected or self.unexcused or self.troubles)


def reached(arena: Arena, pushed: dict[int, Pushed], recoveries: Counter[int]) -> Verdict:
    """Compare. `recoveries`: how often each job was taken back, as Redis has counted."""
    begins, ends = _effects(arena)
    dead = [raw for raw, _ in arena.store.sets.page("dead", 0, 100_000)]
    buried = {_number(raw) for raw in dead}
    verdict = Verdict()
    log = arena.log
    taken = TAKEN_BACK.findall(log)
    verdict.taken_back, verdict.gone = sum(int(number) for _, number in taken), len({owner for owner, _ in taken})
    verdict.pushed_back = sum(map(int, PUSHED_BACK.findall(log)))
    verdict.leases_lost = log.count(LEASE_LOST)
    for number, job in pushed.items():
        over = bool(ends[number]) if job.kind not in ("die", "unreadable") else number in buried
        seen = over or bool(begins[number])
        verdict.done += over
        if job.outcome == "ok" and not over:
            verdict.lost.append(number)
        elif job.outcome == "unknown" and seen:
            verdict.recovered += 1
        elif job.outcome == "fail" and seen:
            verdict.unexpected.append(number)
        extra = max(0, begins[number] - job.begins)
        verdict.extra += extra
        if extra > recoveries[number] + min(verdict.pushed_back, MOST_PUSHED_BACK):
            verdict.unexcused[number] = extra
    verdict.unexpected += sorted((set(begins) | buried) - set(pushed))
    return verdict


def let_live(store: Store) -> Counter[int]:
    """Give those another chance that are dead only because their workers died. Returns them, and their recoveries."""
    moves = []
    for raw, _ in store.sets.page("dead", 0, 100_000):
        try:
            job = Payload.decode(raw)
        except MalformedPayload:
            continue
        if job.document.get("error_class", "").endswith(POISON):
            again = job.evolve(error_class=ABSENT, error_message=ABSENT, failed_at=ABSENT, retry_count=ABSENT)
            moves.append(Promotion(raw, job.queue, again.encode()))
    if moves:
        store.sets.promote("dead", moves)
    return Counter({number: 3 for move in moves if (number := _number(move.raw)) is not None})


def counted(store: Store) -> Counter[int]:
    """How often each job was taken back, as Redis has counted; those that were buried are counted no more."""
    prefix = store.keys.recovered("", "")
    names = [name.decode() for name in store.link.call("KEYS", f"{prefix}*")]
    return Counter({int(name.removeprefix(prefix), 16): int(store.link.call("GET", name)) for name in names})


def strange_keys(store: Store) -> list[str]:
    """Keys that should not be there, or not for ever."""
    found = []
    for name in sorted(each.decode(errors="replace") for each in store.link.call("KEYS", "*")):
        lives_on = store.link.call("TTL", name) == -1
        is_known = LASTING.fullmatch(name) or (VOLATILE.fullmatch(name) and not lives_on) or name == "processes"
        if not is_known:
            found.append(f"{name} (for ever)" if lives_on else name)
    return found


def _number(raw: bytes) -> int | None:
    """By which the producer knows a job."""
    try:
        return int(Payload.decode(raw).args[0])
    except MalformedPayload:
        return int(raw[1:])


def _effects(arena: Arena) -> tuple[Counter[int], Counter[int]]:
    """How often each job began, and ended well."""
    counts: dict[str, Counter[int]] = {"begin": Counter(), "end": Counter()}
    text = arena.effects.read_text() if arena.effects.exists() else ""
    for line in text.splitlines():
        what, _, number = line.partition(" ")
        counts[what][int(number)] += 1
    return counts["begin"], counts["end"]
