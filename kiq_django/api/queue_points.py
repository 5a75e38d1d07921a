"""What keeps one queue from moving: nobody serves it, somebody stopped it, nobody can run what comes next."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kiq_django import clock, conf, registry, routing
from kiq_django.api.crews import Member
from kiq_django.api.points import Link, Point, bad, good, manage, process_links
from kiq_django.api.situation import Line, Situation
from kiq_django.api.wording import cut, figure, listed
from kiq_django.durations import human, relative


def serving(queue: str, situation: Situation) -> Point:
    """Is there anybody who takes jobs from it?"""
    members = situation.serving(queue)
    able = [member for member in members if member.is_serving]
    if able:
        return _served(able)
    if not members:
        return _unserved(queue, situation)
    silent = [member for member in members if not member.process.is_quiet]
    return _silent(silent) if silent else _only_quiet(queue, members)


def _served(members: Sequence[Member]) -> Point:
    words = {
        "count": len(members),
        "names": listed([member.name for member in members]),
        "threads": figure(sum(member.process.concurrency for member in members)),
    }
    text = ngettext(
        "%(count)s process serves it: %(names)s, threads: %(threads)s",
        "%(count)s processes serve it: %(names)s, threads: %(threads)s",
        len(members),
    )
    return good("served", text % words, *process_links(each.process.identity for each in members))


def _unserved(queue: str, situation: Situation) -> Point:
    command = manage("runworker", "-q", queue)
    members = situation.members
    if not members:
        return bad("error", "no_workers", _("no worker runs"), remedy=_("Start one"), command=command)
    served = list(dict.fromkeys(name for member in members for name in member.process.queues))
    words = {"names": listed([member.name for member in members]), "queues": listed(served, 10)}
    text = ngettext(
        "no worker serves it: the process that runs (%(names)s) serves %(queues)s",
        "no worker serves it: the processes that run (%(names)s) serve %(queues)s",
        len(members),
    )
    remedy, links = (
        _("Start a worker for it, or add it to KIQ['QUEUES']"),
        process_links(each.process.identity for each in members),
    )
    if near := get_close_matches(queue, served, n=1):
        remedy = _("Did you mean “%(queue)s”? If not, start a worker for it") % {"queue": near[0]}
        links = [("queue", near[0]), *links]
    return bad("error", "unserved", text % words, *links, remedy=remedy, command=command)


def _silent(members: Sequence[Member]) -> Point:
    words = {
        "names": listed([member.name for member in members]),
        "duration": human(min(member.silence for member in members)),
    }
    text = ngettext(
        "the process that serves it is unresponsive: %(names)s, last heard of %(duration)s ago",
        "the processes that serve it are unresponsive: %(names)s, last heard of %(duration)s ago",
        len(members),
    )
    remedy = _("Look at its host; the jobs that it held come back to their queues by themselves")
    return bad(
        "error", "unresponsive", text % words, *process_links(each.process.identity for each in members), remedy=remedy
    )


def _only_quiet(queue: str, members: Sequence[Member]) -> Point:
    words = {"names": listed([member.name for member in members])}
    text = ngettext(
        "the only process that serves it is quiet or stopping: %(names)s",
        "the processes that serve it are all quiet or stopping: %(names)s",
        len(members),
    )
    remedy = _("Start another worker: a quiet process takes no job until it is restarted")
    command = manage("runworker", "-q", queue)
    return bad(
        "error",
        "only_quiet",
        text % words,
        *process_links(each.process.identity for each in members),
        remedy=remedy,
        command=command,
    )


def pause(line: Line) -> Point:
    """Did somebody stop it?"""
    if not line.paused:
        return good("not_paused", _("not paused"))
    command = manage("kiq", "resume", line.name)
    return bad("warn", "paused", pause_text(line), remedy=_("Resume it"), command=command)


def pause_text(line: Line) -> str:
    """`paused by ann 3 min ago: provider is down`."""
    at, reason = line.note.get("at"), line.note.get("reason")
    words = {"by": cut(str(line.note.get("by") or _("another program")))}
    text = _("paused by %(by)s") % words
    if isinstance(at, int | float):
        text = _("paused by %(by)s %(when)s") % {**words, "when": relative(at - clock.now())}
    return _("%(pause)s: %(reason)s") % {"pause": text, "reason": cut(str(reason))} if reason else text


def suspects(line: Line) -> Iterator[Point]:
    """Are jobs held back because workers died with them?"""
    if not line.suspects:
        return
    text = ngettext(
        "%(count)s job is held back, because two workers died that had it: such jobs run one at a time",
        "%(count)s jobs are held back, because two workers died that had them: such jobs run one at a time",
        line.suspects,
    )
    remedy = _(
        "Each comes to the front of the queue when the one before it has ended; if its worker dies again, it goes to "
        "the dead set. Look what killed the workers: memory, or a library that crashes"
    )
    yield bad("warn", "suspects", text % {"count": figure(line.suspects)}, ("set", "dead"), remedy=remedy)


def event_loop(line: Line, members: Sequence[Member]) -> Iterator[Point]:
    """Is there a place for an `async def` job? By the limit of our own settings: processes do not tell theirs."""
    definition = routing.find(line.next.payload) if line.next and line.next.payload else None
    limit = conf.get().worker.async_concurrency
    if definition and definition.is_async and members and all(len(each.on_the_loop) >= limit for each in members):
        text = _("its next job is async, and the event loops are full: %(count)s async jobs run")
        remedy = _("Raise KIQ['WORKER']['async_concurrency'], or start more processes")
        count = figure(sum(len(each.on_the_loop) for each in members))
        yield bad(
            "warn",
            "loop_full",
            text % {"count": count},
            *process_links(each.process.identity for each in members),
            remedy=remedy,
        )


def trouble_with_next(line: Line, members: Sequence[Member]) -> Literal["unreadable_job", "unknown_job"] | None:
    """Whether the job that comes next cannot be run, as far as this process can tell.

    What it does not declare another may: a job is unknown only where workers of ours alone serve the queue.
    """
    if line.next is None:
        return None
    if line.next.payload is None:
        return "unreadable_job"
    if routing.find(line.next.payload) or not registry.all_jobs() or not all(each.is_ours for each in members):
        return None
    return "unknown_job"


def next_job(line: Line, members: Sequence[Member]) -> Iterator[Point]:
    """Can the job that comes next be run at all?"""
    trouble = trouble_with_next(line, members)
    if line.next is None or trouble is None:
        return
    links: tuple[Link, ...] = (("queue", line.name),)
    if trouble == "unreadable_job":
        text = _("the next job cannot be read (%(error)s); the worker that takes it puts it into the dead set")
        words = {"error": cut(line.next.error)}
        yield bad("warn", trouble, text % words, *links, remedy=_("Find who pushed it"))
        return
    text = _(
        "the next job, %(job)s, is not declared in the code of this process; a worker that does not have it "
        "either sets it aside for a retry"
    )
    remedy = _("Deploy the code that declares it to every worker, or correct the name")
    if near := get_close_matches(line.next.display_name, registry.all_jobs(), n=1):
        remedy = _("Did you mean “%(job)s”? If not, deploy the code that declares it") % {"job": near[0]}
    links = (*links, ("job", line.next.jid))
    words = {"job": line.next.display_name}
    yield bad("warn", trouble, text % words, *links, remedy=remedy, command=manage("kiq", "jobs"))
