"""Why is it not moving? A queue, or a job: the gravest reason in a sentence, and all that was looked at."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kiq_django import conf
from kiq_django import store as stores
from kiq_django.api import crew_points, job_points, process_points, queue_points, redis_points
from kiq_django.api.points import Level, Point, bad, by_gravity, good, gravest, unknown
from kiq_django.api.records import JobRecord
from kiq_django.api.situation import Line, Situation, look
from kiq_django.api.usual import Moving, Usual
from kiq_django.api.wording import figure
from kiq_django.durations import human
from kiq_django.exceptions import StoreError
from kiq_django.store import Store

BESIDE = frozenset({"clock", "unknown_job", "unreadable_job", "redis_memory"})
"""Codes of what is wrong, and does not keep a queue from moving."""
SLOWED = BESIDE | {"suspects", "threads_busy", "low_share", "starved", "loop_full", "redis_full"}
"""Codes of what does not stop it either."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Why, as far as one can tell."""

    verdict: str
    """One sentence, in the language in force."""
    level: Level
    points: tuple[Point, ...]
    """All that was looked at, good and bad."""


def why_queue(
    name: str, store: Store | None = None, *, flow: Moving | None = None, usual: Usual | None = None
) -> Answer:
    """Why a queue is not moving, in five round trips, or six where the server forbids INFO.

    Args:
        name: of the queue; one that does not exist gets its answer too.
        flow: how it moves, as `flow.flows` tells.
        usual: how long jobs usually take, as `usual.usual_times` tells.
    """
    try:
        situation = look(store, into=[name])
    except StoreError as error:
        return _absence(error)
    return _queue(name, situation, flow, usual or {})


def explain_queue(name: str, situation: Situation, *, flow: Moving | None = None, usual: Usual | None = None) -> Answer:
    """`why_queue` by what somebody has looked at already, with this queue among what it looked into."""
    return _queue(name, situation, flow, usual or {})


def why_job(record: JobRecord | None, store: Store | None = None, *, usual: Usual | None = None) -> Answer:
    """Why a job does not run, or does not end.

    At most six round trips, or seven where the server forbids INFO; none for a job that is dead or has ended.

    Args:
        record: the job where it was last seen; None when it was not found.
        usual: how long jobs usually take.
    """
    if record is None:
        verdict = _("Nobody knows this job: it has ended, was deleted, or its transaction has not been committed yet.")
        return Answer(verdict, "ok", ())
    if record.place == "dead":
        return _job(job_points.dead(record))
    try:
        if record.is_suspect:
            return _held_back(record, look(store, into=()))
        if record.place == "queue":
            return _queued(record, store or stores.get(), usual or {})
        if explain := job_points.PLACES.get(record.place):
            return _job(explain(record, look(store, into=()), usual or {}))
    except StoreError as error:
        return _absence(error)
    return Answer(_("The job has ended."), "ok", ())


def _queued(record: JobRecord, store: Store, usual: Usual) -> Answer:
    position = store.glance.position(record.queue, record.raw)
    state = job_points.queued(record, position)
    if state.code == "gone":
        return _job([state])
    return _job([state, *_queue(record.queue, look(store, into=[record.queue]), None, usual).points])


def _held_back(record: JobRecord, situation: Situation) -> Answer:
    line = situation.lines.get(record.queue)
    pause = [queue_points.pause(line)] if line and line.paused else []
    return _job([job_points.suspect(record), *pause])


def _job(points: Sequence[Point]) -> Answer:
    """The first point says where the job is; the gravest of the others why."""
    state, *others = points
    words = {"state": capfirst(state.text)}
    reasons = [point.text for point in by_gravity(others)]
    verdict = _("%(state)s: %(reason)s.") % {**words, "reason": reasons[0]} if reasons else _("%(state)s.") % words
    return Answer(verdict, gravest(points), tuple(points))


def _absence(error: StoreError) -> Answer:
    return _job([redis_points.absence(error)])


# -- a queue --------------------------------------------------------------------------------------


def _queue(name: str, situation: Situation, flow: Moving | None, usual: Usual) -> Answer:
    line = situation.lines.get(name) or Line(name, 0, None, False, {})
    points = tuple(_queue_points(line, situation, flow, usual))
    return Answer(_verdict(line, points, moves=bool(flow and flow.out_per_minute)), gravest(points), points)


def _queue_points(line: Line, situation: Situation, flow: Moving | None, usual: Usual) -> Iterator[Point]:
    members = [member for member in situation.serving(line.name) if member.is_serving]
    crews = situation.crews(line.name)
    yield from _existence(line, situation)
    yield queue_points.serving(line.name, situation)
    yield queue_points.pause(line)
    yield from queue_points.suspects(line)
    refusals = filter(None, map(redis_points.refusal, situation.boxes_of(line.name)))
    yield next(refusals, None) or good("redis_writable", _("Redis takes writes"))
    yield from crew_points.turn(line.name, crews, situation)
    yield from crew_points.threads(line.name, crews, usual)
    yield from queue_points.event_loop(line, members)
    yield from queue_points.next_job(line, members)
    yield from process_points.clocks(situation)
    if flow and flow.out_per_minute is not None and line.size:
        yield _flow(flow.out_per_minute, flow.time_to_empty)


def _existence(line: Line, situation: Situation) -> Iterator[Point]:
    """A queue comes to be by a push; the settings and workers may name it before."""
    known = {*situation.lines, *conf.get().queues}
    if line.name not in known and not situation.serving(line.name):
        served = {queue for member in situation.members for queue in member.process.queues}
        near = get_close_matches(line.name, sorted(known | served), n=1)
        remedy = _("Did you mean “%(queue)s”?") % {"queue": near[0]} if near else ""
        text = _("nobody ever pushed a job to it, and nobody serves it")
        yield bad("warn", "no_queue", text, *(("queue", name) for name in near), remedy=remedy)
    elif line.size == 0 and not line.suspects:
        yield good("empty", _("no job waits"))


def _flow(rate: float, time_to_empty: float | None) -> Point:
    if not rate:
        return unknown("still", _("no job has left it lately"))
    words = {"rate": figure(rate, 0 if rate >= 1 else 1)}
    if time_to_empty is None:
        return good("moving", _("jobs that leave it a minute: %(rate)s") % words)
    if time_to_empty == math.inf:
        return good("moving", _("jobs that leave it a minute: %(rate)s; as many come in, or more") % words)
    words["duration"] = human(time_to_empty, parts=1)
    return good("moving", _("jobs that leave it a minute: %(rate)s; empty in about %(duration)s") % words)


def _verdict(line: Line, points: Sequence[Point], *, moves: bool) -> str:
    words = {"queue": line.name, "count": figure(line.size)}
    found = [point for point in by_gravity(points) if not (moves and point.code in BESIDE)]
    if any(point.code == "no_queue" for point in points):
        return _("There is no queue “%(queue)s”.") % words
    if line.size == 0 and not line.suspects:
        return _("Queue “%(queue)s” is empty.") % words
    if found:
        words["reason"] = found[0].text
        slowed = _("Queue “%(queue)s” waits: %(reason)s.") % words
        return slowed if found[0].code in SLOWED else _("Queue “%(queue)s” does not move: %(reason)s.") % words
    if moving := next((point for point in points if point.code == "moving"), None):
        return _("Queue “%(queue)s” moves: %(reason)s.") % {**words, "reason": moving.text}
    text = ngettext(
        "Nothing holds queue “%(queue)s” up: %(count)s job waits, and there are threads for it.",
        "Nothing holds queue “%(queue)s” up: %(count)s jobs wait, and there are threads for them.",
        line.size,
    )
    return text % words
