"""Which jobs need attention: failing as never before, running for far too long, piling up in a set."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kiq_django import conf
from kiq_django.api.job_points import OVERDUE
from kiq_django.api.points import MOST_LINKS, Link, Point, bad
from kiq_django.api.processes import Work
from kiq_django.api.situation import Situation
from kiq_django.api.usual import Counted, Evidence, Usual
from kiq_django.api.wording import figure, percent
from kiq_django.durations import human

FAILS_MORE = 5
"""Times as often as before."""
FEWEST_FAILURES, LOWEST_RATE = 5, 0.05
"""Below it is chance."""
TAKES_LONGER = 3
"""Times as long as 95 of 100 runs."""
LONG = 60.0
"""Seconds; below nobody needs to look."""
LOOKS = 3
"""Looks in a row by which the retry set has to grow."""
NEARLY_FULL = 0.9
"""Share of the jobs that the dead set keeps."""


def find(situation: Situation, evidence: Evidence) -> Iterator[Point]:
    """All that is wrong."""
    yield from _overdue(situation)
    yield from _failing(evidence)
    yield from _too_long(situation, evidence.usual)
    yield from _growing([*evidence.retries, situation.sizes["retry"]])
    yield from _nearly_full(situation.sizes["dead"])


def _overdue(situation: Situation) -> Iterator[Point]:
    """Jobs that nobody moves to their queues although their time has come."""
    due = [first for name, first in situation.first.items() if name != "dead" and first is not None]
    late = situation.now - min(due, default=situation.now)
    if late > max(OVERDUE, 4 * conf.get().worker.poll_interval):
        text = _("a job is overdue by %(duration)s: no worker moves what is due to its queue")
        remedy = _("Start a worker; if one runs, see what it logs")
        yield bad(
            "error", "overdue", text % {"duration": human(late)}, ("set", "schedule"), ("set", "retry"), remedy=remedy
        )


def _failing(evidence: Evidence) -> Iterator[Point]:
    rates = {name: _rate(figures) for name, figures in evidence.recent.items()}
    for name in sorted(rates, key=lambda name: -rates[name]):
        usual = _rate(evidence.before[name]) if name in evidence.before else 0.0
        enough = evidence.recent[name].failures >= FEWEST_FAILURES and rates[name] >= LOWEST_RATE
        if enough and rates[name] >= FAILS_MORE * usual:
            words = {"job": name, "rate": percent(rates[name]), "usual": percent(usual)}
            text = _("%(job)s fails in %(rate)s of its runs (usually %(usual)s)") % words
            yield bad("warn", "failing", text, ("class", name), remedy=_("Look at its errors"))


def _rate(figures: Counted) -> float:
    return figures.failures / figures.runs if figures.runs else 0.0


def _too_long(situation: Situation, usual: Usual) -> Iterator[Point]:
    """One finding a job, the most frequent first."""
    found: dict[str, list[Work]] = {}
    for work in (work for member in situation.members for work in member.process.work):
        limit = usual.get(work.record.display_name)
        if limit is not None and work.elapsed > max(LONG, TAKES_LONGER * limit):
            found.setdefault(work.record.display_name, []).append(work)
    for name, works in sorted(found.items(), key=lambda pair: -len(pair[1])):
        words = {
            "count": figure(len(works)),
            "job": name,
            "longest": human(max(work.elapsed for work in works)),
            "usual": human(usual[name]),
        }
        text = ngettext(
            "%(job)s has run for %(longest)s (p95: %(usual)s)",
            "%(count)s jobs %(job)s run for far too long, one for %(longest)s (p95: %(usual)s)",
            len(works),
        )
        links: list[Link] = [("job", work.record.jid) for work in works[:MOST_LINKS]]
        remedy = _("Have the process log what its threads do: send it TTIN")
        yield bad("warn", "too_long", text % words, *links, ("process", works[0].process.identity), remedy=remedy)


def _growing(sizes: Sequence[int]) -> Iterator[Point]:
    last = sizes[-LOOKS - 1 :]
    if len(last) > LOOKS and all(before < after for before, after in pairwise(last)):
        words = {"before": figure(last[0]), "now": figure(last[-1])}
        text = _("more and more jobs wait for a retry: %(now)s, a moment ago %(before)s") % words
        yield bad(
            "warn", "retries_growing", text, ("set", "retry"), remedy=_("Look at the errors that most of them have")
        )


def _nearly_full(dead: int) -> Iterator[Point]:
    limit = conf.get().limits.dead_jobs
    if dead >= NEARLY_FULL * limit:
        words = {"count": figure(dead), "limit": figure(limit)}
        text = _("the dead set is nearly full: %(count)s of %(limit)s jobs; the oldest are thrown away") % words
        remedy = _("Retry or delete what is in it, or raise KIQ['LIMITS']['dead_jobs']")
        yield bad("warn", "dead_full", text, ("set", "dead"), remedy=remedy)
