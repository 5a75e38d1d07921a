"""How long a job has been running, against how long it usually takes and how long it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from kiq_django import durations, models, routing
from kiq_django.admin import badges, evidence, formats
from kiq_django.admin.links import url_of_subject

if TYPE_CHECKING:
    from kiq_django.api import Work

CERTAIN = 10.0
"""Seconds. Processes tell what they run with each beat: what is shorter may have ended since the last one."""
BAR = (
    '<svg class="kiq-bar kiq-{}" role="img" aria-label="{}" viewBox="0 0 100 8" preserveAspectRatio="none">'
    '<rect class="kiq-fill" width="{}" height="8"/></svg>'
)


def told(work: Work, site: str) -> SafeString:
    """The time, a bar that fills up to p95, and a word with a link to the job's metrics."""
    usual, limit = evidence.usual().get(work.record.display_name), _limit(work)
    tone = _tone(work.elapsed, usual, limit)
    bar = _bar(work.elapsed, usual, tone) if usual else ""
    url = url_of_subject(models.JobMetrics, work.record.display_name, site)
    words = _words(usual, limit, tone)
    word = badges.badge({"warn": "warn", "bad": "error"}[tone], words) if tone != "main" else words
    link = format_html('<a class="kiq-note" href="{}">{}</a>', url, word) if url else word
    return format_html("<div>{}{}{}</div>", durations.human(work.elapsed), bar or format_html("{}", " "), link)


def _limit(work: Work) -> float | None:
    payload = work.record.payload
    definition = routing.find(payload) if payload else None
    return definition.options.timeout if definition else None


def _tone(elapsed: float, usual: float | None, limit: float | None) -> str:
    if elapsed < CERTAIN:
        return "main"
    if limit is not None and elapsed > limit:
        return "bad"
    return "warn" if usual is not None and elapsed > usual else "main"


def _bar(elapsed: float, usual: float, tone: str) -> SafeString:
    share = elapsed / usual
    label = _("%(share)s of p95") % {"share": formats.percent(share)}
    return format_html(BAR, tone, label, f"{min(100.0, 100 * share):.1f}")


def _words(usual: float | None, limit: float | None, tone: str) -> str:
    if tone == "bad":
        return _("over its limit (%(limit)s)") % {"limit": durations.human(limit or 0.0)}
    if usual is None:
        return _("metrics")
    words = _("over p95 (%(time)s)") if tone == "warn" else _("p95 %(time)s")
    return words % {"time": durations.human(usual)}
