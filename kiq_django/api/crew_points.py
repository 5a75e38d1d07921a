"""What keeps one queue waiting although it is served: all threads are busy, or others come first."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kiq_django.api.crews import Crew
from kiq_django.api.points import MOST_LINKS, Link, Point, bad, good, manage, process_links
from kiq_django.api.processes import Work
from kiq_django.api.situation import Line, Situation
from kiq_django.api.usual import Usual
from kiq_django.api.wording import figure, listed, percent
from kiq_django.durations import human

LOW_SHARE = 0.1
"""Of all fetches: with less a queue waits long while others have jobs."""


def threads(queue: str, crews: Sequence[Crew], usual: Usual) -> Iterator[Point]:
    """Has anybody time for it?"""
    running = [work for crew in crews for work in crew.running]
    words = {"threads": figure(total := sum(crew.threads for crew in crews)), "free": figure(total - len(running))}
    if not all(crew.is_busy for crew in crews):
        yield good("threads_free", _("threads that are free: %(free)s of %(threads)s") % words, ("running", queue))
    elif crews:
        text = ngettext("the only thread is busy: %(what)s", "all %(threads)s threads are busy: %(what)s", total)
        remedy = _(
            "Add threads (now %(threads)s; -c, or KIQ['WORKER']['concurrency']) or processes, or give what takes long "
            "a queue and a worker of its own"
        )
        yield bad(
            "warn",
            "threads_busy",
            text % {**words, "what": occupation(running, usual)},
            ("running", queue),
            *process_links(crew.member.process.identity for crew in crews),
            remedy=remedy % words,
            command=manage("runworker", "-q", queue),
        )


def occupation(running: Sequence[Work], usual: Usual) -> str:
    """How many of which job, and for how long: the most frequent first."""
    times: dict[str, list[float]] = {}
    for work in running:
        times.setdefault(work.record.display_name or _("unreadable"), []).append(work.elapsed)
    names = sorted(times, key=lambda name: -len(times[name]))
    return listed([_occupation(name, times[name], usual) for name in names], separator="; ")


def _occupation(name: str, times: Sequence[float], usual: Usual) -> str:
    words = {"count": len(times), "job": name, "average": human(fmean(times)), "longest": human(max(times))}
    if len(times) == 1:
        text = _("%(job)s for %(longest)s") % words
    else:
        text = _("%(count)s × %(job)s, %(average)s on average, %(longest)s at most") % words  # noqa: RUF001
    return _("%(text)s (p95: %(p95)s)") % {"text": text, "p95": human(usual[name])} if name in usual else text


def turn(queue: str, crews: Sequence[Crew], situation: Situation) -> Iterator[Point]:
    """Is it its turn? That matters only while all threads are busy: a free one looks into every queue."""
    if not crews or not all(crew.is_busy for crew in crews):
        return
    waiting = situation.waiting
    command = manage("runworker", "-q", queue)
    first = list(dict.fromkeys(name for crew in crews for name in crew.before(queue, waiting)))
    if all(crew.before(queue, waiting) for crew in crews):
        text = _("in strict order others come first: %(queues)s") % {"queues": _lengths(first, situation)}
        remedy = _("Give the queues weights, or start a worker for this one alone")
        yield bad("warn", "starved", text, *_queue_links(first), remedy=remedy, command=command)
        return
    share = _share(queue, crews, waiting)
    if share < LOW_SHARE:
        rivals = sorted({name for crew in crews for name in crew.queues if name in waiting and name != queue})
        words = {"share": percent(share), "queues": _lengths(rivals, situation)}
        text = _("its weight gets it %(share)s of the fetches while others have jobs: %(queues)s") % words
        remedy = _("Raise its weight, or start a worker for it alone")
        yield bad("warn", "low_share", text, *_queue_links(rivals), remedy=remedy, command=command)


def _share(queue: str, crews: Sequence[Crew], waiting: set[str]) -> float:
    """Of the fetches of all threads together; none of a thread for which others come first."""
    threads = sum(crew.threads for crew in crews) or 1
    shares = (0.0 if crew.before(queue, waiting) else crew.share(queue, waiting) * crew.threads for crew in crews)
    return sum(shares) / threads


def _lengths(queues: Sequence[str], situation: Situation) -> str:
    """`critical (120 jobs), default (1 job)`, the longest first."""
    lines = sorted((situation.lines[name] for name in queues), key=lambda line: -line.size)
    return listed([_length(line) for line in lines])


def _length(line: Line) -> str:
    text = ngettext("%(queue)s (%(count)s job)", "%(queue)s (%(count)s jobs)", line.size)
    return text % {"queue": line.name, "count": figure(line.size)}


def _queue_links(queues: Sequence[str]) -> list[Link]:
    return [("queue", queue) for queue in queues[:MOST_LINKS]]
