"""Is all well? One sentence, and everything that needs somebody's attention, the worst first."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from kiq_django import conf
from kiq_django.api import feature_points, process_points, queue_findings, redis_points, work_findings
from kiq_django.api.points import Level, Point, by_gravity, gravest
from kiq_django.api.redis_box import RedisBox
from kiq_django.api.situation import Situation, look
from kiq_django.api.usual import Evidence
from kiq_django.api.wording import figure
from kiq_django.durations import human
from kiq_django.exceptions import StoreError
from kiq_django.store import Store

__all__ = ["Evidence", "Health", "attention", "judge"]

MOST_OF_A_KIND = 5
"""Findings with one code that are told one by one."""
TITLES = {
    "redis_server": gettext_noop("%(text)s"),
    "redis_role": gettext_noop("Redis: %(text)s"),
    "redis_persistence": gettext_noop("Redis persistence: %(text)s"),
    "redis_eviction": gettext_noop("Redis eviction: %(text)s"),
    "redis_memory": gettext_noop("Redis memory: %(text)s"),
}
"""What is said before a point about the server, where it does not stand below a heading."""
ELSEWHERE = frozenset({"clock", "redis_round_trip"})
"""Of all hosts together; and of one round trip one cannot tell whether Redis is far away, or this host was busy."""
SAID_BY = {
    "redis_readonly": "redis_role",
    "redis_replicas": "redis_role",
    "redis_misconf": "redis_persistence",
    "redis_full": "redis_memory",
}
"""What need not be said any more when the server takes no writes."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the whole is."""

    level: Level
    sentence: str
    """In the language in force: the worst, or that there is nothing."""
    findings: tuple[Point, ...]
    """What is wrong, the worst first; of each kind at most five."""
    left_out: int = 0
    """Findings that are not told one by one."""


def attention(store: Store | None = None, evidence: Evidence | None = None) -> Health:
    """Look at everything, in five round trips, or six where the server forbids INFO, however much there is.

    Args:
        evidence: what was measured before, for the findings that need it.
    """
    try:
        situation = look(store)
    except StoreError as error:
        point = redis_points.absence(error)
        return Health("error", _("%(reason)s.") % {"reason": capfirst(point.text)}, (point,))
    return judge(situation, evidence)


def judge(situation: Situation, evidence: Evidence | None = None) -> Health:
    """`attention` by what somebody has looked at already, with all queues looked into. It asks Redis nothing."""
    queues = queue_findings.find(situation, MOST_OF_A_KIND)
    points = by_gravity(_all(situation, queues.points, evidence or Evidence()))
    told = _first_of_each_kind(points)
    left_out = len(points) - len(told) + queues.left_out
    sentence = _problems(told[0], len(told) + left_out) if told else _all_is_well(situation)
    return Health(gravest(points), sentence, tuple(told), left_out)


def _all(situation: Situation, queues: Sequence[Point], evidence: Evidence) -> Iterator[Point]:
    yield from _server(situation)
    yield from queues
    yield from process_points.unresponsive(situation.members)
    yield from work_findings.find(situation, evidence)
    yield from feature_points.find()
    yield from process_points.mixed(situation)
    yield from process_points.clocks(situation)


def _server(situation: Situation) -> Iterator[Point]:
    """Of each server, by its name where there are several."""
    for box in situation.boxes:
        for point in _of_one(box):
            yield point if len(situation.boxes) == 1 else replace(point, text=f"{box.label}: {point.text}")


def _of_one(box: RedisBox) -> Iterator[Point]:
    """What the server does not tell is no finding: on some it would stand here for ever."""
    refusal = redis_points.refusal(box)
    if refusal:
        yield refusal
    said = ELSEWHERE | {SAID_BY.get(refusal.code if refusal else "", "")}
    for point in redis_points.judge(box):
        if point.state == "bad" and point.code not in said:
            yield replace(point, text=_(TITLES[point.code]) % {"text": point.text})


def _first_of_each_kind(points: Sequence[Point]) -> list[Point]:
    seen: Counter[str] = Counter()
    told = []
    for point in points:
        seen[point.code] += 1
        if seen[point.code] <= MOST_OF_A_KIND:
            told.append(point)
    return told


def _problems(worst: Point, number: int) -> str:
    text = ngettext("%(count)s problem: %(reason)s.", "%(count)s problems, the worst: %(reason)s.", number)
    return text % {"count": figure(number), "reason": worst.text}


def _all_is_well(situation: Situation) -> str:
    processes = len(situation.members)
    threads = sum(member.process.concurrency for member in situation.members)
    longest = max([conf.get().dashboard.latency, *(line.latency for line in situation.lines.values())])
    return _("All is well: %(processes)s with %(threads)s, nothing waits longer than %(target)s.") % {
        "processes": ngettext("%(count)s process", "%(count)s processes", processes) % {"count": figure(processes)},
        "threads": ngettext("%(count)s thread", "%(count)s threads", threads) % {"count": figure(threads)},
        "target": human(longest, parts=1),
    }
