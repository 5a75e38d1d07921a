"""Why one job does not run, or does not end, by where it is. The first point says where; the others what is wrong."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kiq_django import conf, retry, routing
from kiq_django.api.crews import Member
from kiq_django.api.points import Link, Point, bad, good, manage
from kiq_django.api.records import JobRecord
from kiq_django.api.situation import Situation
from kiq_django.api.usual import Usual
from kiq_django.api.wording import cut, figure, moment
from kiq_django.durations import human
from kiq_django.payload import Payload
from kiq_django.redaction import redact_text
from kiq_django.store.glance import FARTHEST, Position

OVERDUE = 30.0
"""Seconds; by then somebody should have moved a job whose time has come."""


def queued(record: JobRecord, position: Position) -> Point:
    """How many come first."""
    links: tuple[Link, ...] = (("queue", record.queue),)
    words = {"queue": record.queue, "count": figure(position.ahead or 0)}
    if position.ahead is None and position.size <= FARTHEST:
        text = _("the job is no longer in queue “%(queue)s”: a worker took it, or somebody deleted it")
        return good("gone", text % words, *links)
    if position.ahead is None:
        text = _("the job waits in queue “%(queue)s”, behind more than %(count)s others")
        return good("in_queue", text % {**words, "count": figure(FARTHEST)}, *links)
    if position.ahead == 0:
        return good("in_queue", _("the job is the next one of queue “%(queue)s”") % words, *links)
    text = ngettext(
        "the job waits in queue “%(queue)s”, behind %(count)s other",
        "the job waits in queue “%(queue)s”, behind %(count)s others",
        position.ahead,
    )
    return good("in_queue", text % words, *links)


def suspect(record: JobRecord) -> Point:
    """It waits until no other such job runs."""
    text = _("the job is held back in queue “%(queue)s”: two workers died that had it, and such jobs run one at a time")
    remedy = _(
        "It comes to the front of the queue when the one before it has ended; if its worker dies again, it goes to "
        "the dead set. Look what killed the workers: memory, or a library that crashes"
    )
    return bad("warn", "suspect", text % {"queue": record.queue}, ("queue", record.queue), remedy=remedy)


def scheduled(record: JobRecord, situation: Situation, usual: Usual) -> list[Point]:
    """It waits for its time, or for somebody to see that it has come."""
    text = _("the job is scheduled for %(moment)s") % {"moment": moment(record.at or 0)}
    return [good("scheduled", text, ("set", "schedule")), *_promotion(record, situation)]


def retrying(record: JobRecord, situation: Situation, usual: Usual) -> list[Point]:
    """It failed, and waits for another try."""
    most = _most_retries(record.payload) if record.payload else None
    words = {"number": max(1, (record.retry_count or 0) + 1), "most": most, "moment": moment(record.at or 0)}
    text = _("the job waits for retry %(number)s, %(moment)s")
    if most is not None:
        text = _("the job waits for retry %(number)s of %(most)s, %(moment)s")
    return [good("retrying", text % words, ("set", "retry")), *_promotion(record, situation), *_last_error(record)]


def dead(record: JobRecord) -> list[Point]:
    """It failed for good, or was killed."""
    words = {"moment": moment(record.at or 0)}
    text, remedy = _("the job is dead since %(moment)s") % words, _("Run it again once the cause is gone")
    command = manage("kiq", "retry", record.jid) if record.jid else ""
    state = bad("error", "dead", text, ("set", "dead"), remedy=remedy, command=command)
    if record.payload is None:
        text = _("it cannot be read: %(error)s") % {"error": cut(record.error)}
        return [state, bad("error", "unreadable_job", text, ("set", "dead"))]
    return [state, *_last_error(record)]


def running(record: JobRecord, situation: Situation, usual: Usual) -> list[Point]:
    """It runs, and maybe for too long, or on a process that is no more."""
    found = [(member, work) for member in situation.members for work in member.process.work]
    member, work = next(((m, w) for m, w in found if w.record.jid == record.jid), (None, None))
    if member is None or work is None:
        return [good("ended", _("the job ran when it was last heard of; it has ended since, or its process is gone"))]
    links: tuple[Link, ...] = (("process", member.process.identity), ("running", work.queue))
    words = {"duration": human(work.elapsed), "process": member.name}
    state = good("running", _("the job has run for %(duration)s on %(process)s") % words, *links)
    return [state, *_silent(member), *_too_long(record, work.elapsed, usual)]


def _silent(member: Member) -> list[Point]:
    if not member.is_unresponsive:
        return []
    text = _("its process is unresponsive: last heard of %(duration)s ago") % {"duration": human(member.silence)}
    remedy = _("Look at its host; the job comes back to its queue once the lease has ended")
    return [bad("error", "unresponsive", text, ("process", member.process.identity), remedy=remedy)]


def _too_long(record: JobRecord, elapsed: float, usual: Usual) -> list[Point]:
    limit = usual.get(record.display_name)
    if limit is None or elapsed <= limit:
        return []
    text = _("that is longer than usual: 95 of 100 end within %(duration)s") % {"duration": human(limit)}
    remedy = _("Have its process log what its threads do: send TTIN, or ask on the page of the process")
    return [bad("warn", "too_long", text, ("class", record.display_name), remedy=remedy)]


def _promotion(record: JobRecord, situation: Situation) -> list[Point]:
    """Workers move what is due. None does while it is quiet."""
    late = situation.now - (record.at or 0)
    words = {"duration": human(late)}
    if not any(member.is_serving for member in situation.members):
        text = _("no worker runs that would move it to its queue when its time comes")
        if late > 0:
            text = _("it is overdue by %(duration)s: no worker runs that would move it to its queue") % words
        return [
            bad(
                "error",
                "nobody_promotes",
                text,
                remedy=_("Start a worker"),
                command=manage("runworker", "-q", record.queue),
            )
        ]
    if late > max(OVERDUE, 4 * conf.get().worker.poll_interval):
        text = _("it is overdue by %(duration)s although workers run") % words
        return [bad("warn", "overdue", text, ("processes", ""), remedy=_("See what the workers log"))]
    return []


def _last_error(record: JobRecord) -> list[Point]:
    if not record.error_class:
        return []
    message = redact_text(record.error_message)
    text = f"{record.error_class}: {message}" if message else record.error_class
    return [bad("warn", "last_error", cut(text), ("class", record.display_name))]


def _most_retries(payload: Payload) -> int | None:
    """As the worker counts (`retry.decide`); None where a time decides, or nobody knows."""
    definition = routing.find(payload)
    if payload.document.get("retry_for") is not None or (definition and definition.options.retry_for is not None):
        return None
    value: Any = payload.retry
    if payload.document.get("retry") is None and definition:
        value = definition.options.retry
    if value is True:
        value = conf.get().defaults.retry
    return retry.DEFAULT_MAX if isinstance(value, bool) else value


PLACES: Mapping[str, Callable[[JobRecord, Situation, Usual], list[Point]]] = {
    "schedule": scheduled,
    "retry": retrying,
    "running": running,
}
"""Where the situation has to be known."""
