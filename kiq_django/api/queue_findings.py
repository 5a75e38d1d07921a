"""Which queues need attention: not served, late, stopped, or with a job on top that nobody can run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kiq_django.api.crew_points import occupation
from kiq_django.api.crews import Crew, Member
from kiq_django.api.points import Point, bad, manage
from kiq_django.api.queue_points import next_job, pause_text, trouble_with_next
from kiq_django.api.situation import Line, Situation
from kiq_django.api.wording import figure, listed
from kiq_django.durations import human

Kind = Literal["paused", "unserved", "late", "unreadable_job", "unknown_job"]
HELD_UP = 10.0
"""Seconds that every thread has been at one job: then it is not just a busy moment between two beats."""


@dataclass(frozen=True, slots=True)
class Found:
    """Of each kind the first few; a sentence for each of a thousand queues would take longer than all the rest."""

    points: list[Point]
    left_out: int


def find(situation: Situation, most: int) -> Found:
    """All that is wrong; `most` of a kind, and how many more there are.

    The queue that has waited longest comes first, and what somebody has stopped on purpose comes last.
    """
    waiting = sorted((line for line in situation.lines.values() if line.size), key=lambda line: -line.latency)
    kinds: dict[Kind, list[Line]] = {}
    for line in waiting:
        for kind in _kinds(line, situation.serving(line.name), some_run=bool(situation.members)):
            kinds.setdefault(kind, []).append(line)
    points = [] if situation.members else [_no_workers(waiting)]
    left_out = sum(max(0, len(lines) - most) for lines in kinds.values())
    paused = kinds.pop("paused", [])
    for kind, lines in kinds.items():
        points += [point for line in lines[:most] for point in _tell(kind, line, situation.serving(line.name))]
    points += _threads_busy([line for line in waiting if not line.paused], situation)
    points += [_paused(line) for line in paused[:most]]
    return Found(points, left_out)


def _kinds(line: Line, members: Sequence[Member], *, some_run: bool) -> Iterator[Kind]:
    """What is wrong with one queue; that no worker runs at all is told once for all of them."""
    if line.paused:
        yield "paused"
    elif some_run and not any(member.is_serving for member in members):
        yield "unserved"
    elif some_run and line.is_late:
        yield "late"
    if members and (trouble := trouble_with_next(line, members)):
        yield trouble


def _tell(kind: Kind, line: Line, members: Sequence[Member]) -> Iterator[Point]:
    if kind == "unserved":
        yield _unserved(line, bool(members))
    elif kind == "late":
        yield _late(line)
    else:
        for point in next_job(line, members):
            yield replace(point, text=_("queue “%(queue)s”: %(text)s") % {"queue": line.name, "text": point.text})


def _no_workers(waiting: Sequence[Line]) -> Point:
    jobs, remedy, command = sum(line.size for line in waiting), _("Start one"), manage("runworker")
    if not jobs:
        return bad("warn", "no_workers", _("no worker runs"), ("processes", ""), remedy=remedy, command=command)
    text = _("no worker runs; jobs that wait: %(count)s") % {"count": figure(jobs)}
    return bad("error", "no_workers", text, ("processes", ""), remedy=remedy, command=command)


def _paused(line: Line) -> Point:
    words = {"queue": line.name, "count": figure(line.size), "pause": pause_text(line)}
    text = _("queue “%(queue)s” has jobs that wait (%(count)s), but is %(pause)s") % words
    command = manage("kiq", "resume", line.name)
    return bad("warn", "paused", text, ("queue", line.name), remedy=_("Resume it"), command=command)


def _unserved(line: Line, was_served: bool) -> Point:
    words = {"queue": line.name, "count": figure(line.size)}
    text = _("no worker serves queue “%(queue)s”; jobs that wait: %(count)s") % words
    if was_served:
        text = _("no worker takes jobs from queue “%(queue)s” any more; jobs that wait: %(count)s") % words
    command = manage("runworker", "-q", line.name)
    return bad("error", "unserved", text, ("queue", line.name), remedy=_("Start a worker for it"), command=command)


def _late(line: Line) -> Point:
    words = {"queue": line.name, "latency": human(line.latency), "target": human(line.target, parts=1)}
    text = _("queue “%(queue)s” waits %(latency)s (target %(target)s)") % words
    return bad("warn", "late", text, ("queue", line.name), remedy=_("See why it is not moving"))


def _threads_busy(waiting: Sequence[Line], situation: Situation) -> Iterator[Point]:
    """Queues that nobody has time for, and the jobs that take it; one finding for all."""
    held_up = [line for line in waiting if _is_held_up(line, situation.crews(line.name))]
    busy = list({id(crew): crew for line in held_up for crew in situation.crews(line.name)}.values())
    if busy:
        threads = sum(crew.threads for crew in busy)
        text = ngettext(
            "the only thread that serves %(queues)s is busy: %(what)s",
            "all %(threads)s threads that serve %(queues)s are busy: %(what)s",
            threads,
        )
        words = {
            "threads": figure(threads),
            "queues": listed([f"“{line.name}”" for line in held_up]),
            "what": occupation([work for crew in busy for work in crew.running], {}),
        }
        remedy = _("Add threads or processes, or give what takes long a queue and a worker of its own")
        yield bad("warn", "threads_busy", text % words, ("running", held_up[0].name), remedy=remedy)


def _is_held_up(line: Line, crews: Sequence[Crew]) -> bool:
    if not crews or not all(crew.is_busy for crew in crews):
        return False
    running = [work for crew in crews for work in crew.running]
    return bool(running) and (line.is_late or all(work.elapsed > HELD_UP for work in running))
