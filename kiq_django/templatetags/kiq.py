"""What our templates need beside Django's own tags. How to use them stands with the components in the style guide."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Final

import django
from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from kiq_django import clock, durations

register = template.Library()

NOTHING: Final = "\N{EN DASH}"
"""Shown for what is unknown, or is no number."""
INTERVALS: Final = (2, 5, 10, 30)
"""Seconds between two live updates that a person may choose."""
SHORTCUTS: Final = (
    (("/",), gettext_lazy("Search")),
    (("j", "k"), gettext_lazy("Next and previous row")),
    (("x",), gettext_lazy("Select the row")),
    (("Enter",), gettext_lazy("Open the row")),
    (("?",), gettext_lazy("Show this list")),
)
GO: Final = {
    "kiq": "o",
    "overview": "o",
    "queue": "q",
    "runningjob": "b",
    "retryjob": "r",
    "scheduledjob": "s",
    "deadjob": "d",
    "process": "p",
    "jobmetrics": "m",
    "operation": "a",
}
"""The key after `g` that leads to a page, by the last part of the page's address."""
STATES: Final = {
    "ok": ("ok", "ok", gettext_lazy("ok")),
    "warn": ("warn", "warn", gettext_lazy("warning")),
    "error": ("bad", "bad", gettext_lazy("error")),
    "enqueued": ("info", "queue", gettext_lazy("enqueued")),
    "scheduled": ("info", "clock", gettext_lazy("scheduled")),
    "running": ("info", "run", gettext_lazy("running")),
    "retry": ("warn", "retry", gettext_lazy("retry")),
    "dead": ("bad", "dead", gettext_lazy("dead")),
    "finished": ("ok", "ok", gettext_lazy("finished")),
    "failed": ("bad", "bad", gettext_lazy("failed")),
    "serving": ("ok", "ok", gettext_lazy("serving")),
    "slow": ("warn", "warn", gettext_lazy("slow")),
    "unserved": ("bad", "bad", gettext_lazy("unserved")),
    "paused": ("idle", "pause", gettext_lazy("paused")),
    "idle": ("idle", "dot", gettext_lazy("idle")),
    "busy": ("info", "run", gettext_lazy("busy")),
    "quiet": ("idle", "pause", gettext_lazy("quiet")),
    "stopping": ("warn", "clock", gettext_lazy("stopping")),
    "unresponsive": ("bad", "warn", gettext_lazy("unresponsive")),
    "lost": ("bad", "bad", gettext_lazy("lost")),
    "done": ("ok", "ok", gettext_lazy("done")),
    "cancelled": ("idle", "bad", gettext_lazy("cancelled")),
    "waiting": ("idle", "clock", gettext_lazy("waiting")),
}
"""Tone, icon and word of a state."""
LARGE: Final = ((1e12, gettext_noop("%(number)s T")), (1e9, gettext_noop("%(number)s G")),
                (1e6, gettext_noop("%(number)s M")), (1e3, gettext_noop("%(number)s k")))  # fmt: skip


# -- the frame -----------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def kiq_nonced(context: Context, assets: Any) -> SafeString:
    """Links to our style and script, with the page's nonce where the site's policy works with nonces."""
    nonce = context.get("csp_nonce") or getattr(context.get("request"), "csp_nonce", "")
    text = str(assets)
    if nonce:
        attribute = format_html(' nonce="{}"', nonce)
        text = text.replace("<link ", f"<link{attribute} ").replace("<script ", f"<script{attribute} ")
    return mark_safe(text)  # noqa: S308 - Django's own rendering of our own files


@register.simple_tag
def kiq_breadcrumbs(trail: Any, title: str) -> SafeString:
    """Where one is, in the markup of the Django in force: a list since 6.1, a line before."""
    steps = [(reverse("admin:index"), _("Home")), (reverse("admin:app_list", args=["kiq"]), _("Background jobs"))]
    steps += list(trail or [])
    if _lists_breadcrumbs():
        links = format_html_join("", '<li><a href="{}">{}</a></li>', steps)
        return format_html('<ol class="breadcrumbs">{}<li aria-current="page">{}</li></ol>', links, title)
    links = format_html_join("", '<a href="{}">{}</a> &rsaquo; ', steps)
    return format_html('<div class="breadcrumbs">{}{}</div>', links, title)


def _lists_breadcrumbs() -> bool:
    return django.VERSION >= (6, 1)


@register.inclusion_tag("admin/kiq/aids.html", takes_context=True)
def kiq_aids(context: Context) -> dict[str, Any]:
    """The words that the script speaks, and the help of its keys."""
    words = {
        "ago": _("%(duration)s ago"),
        "ahead": _("in %(duration)s"),
        "now": _("now"),
        "copied": _("Copied"),
        "units": "|".join(_(name) for _size, name in durations.UNITS),
    }
    return {"nav": context.get("nav"), "words": words, "shortcuts": SHORTCUTS}


@register.simple_tag
def kiq_intervals() -> tuple[int, ...]:
    """What a person may choose between two live updates, in seconds."""
    return INTERVALS


@register.filter
def kiq_go(url: str) -> str:
    """The key after `g` that leads to a page of ours; empty for others."""
    return GO.get(url.rstrip("/").rpartition("/")[2], "")


# -- numbers and times ---------------------------------------------------------------------------------


def _number(value: Any) -> float | None:
    """What comes from Redis may be a text, or nothing."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


@register.filter
def kiq_number(value: Any, digits: int = 0) -> str:
    """`1,284,031` in the format of the language."""
    number = value if isinstance(value, int) else _number(value)
    return NOTHING if number is None else number_format(number, digits, force_grouping=True)


@register.filter
def kiq_compact(value: Any) -> str:
    """`9.3 k`, `1.3 M`: for narrow places; give the whole number as title."""
    number = _number(value)
    if number is None:
        return NOTHING
    for size, name in LARGE:
        if abs(number) >= size * 0.9995:
            scaled = round(number / size, 1)
            return _(name) % {"number": number_format(scaled, 0 if abs(scaled) >= 100 or scaled.is_integer() else 1)}
    return kiq_number(round(number))


@register.filter
def kiq_percent(share: Any) -> str:
    """`90%`, `0.16%` for a share of 1."""
    number = _number(share)
    if number is None:
        return NOTHING
    percent = number * 100
    digits = 0 if percent == 0 or abs(percent) >= 10 else 1 if abs(percent) >= 1 else 2
    return _("%(number)s%%") % {"number": number_format(round(percent, digits), digits)}


@register.filter
def kiq_duration(seconds: Any, parts: int = 2) -> str:
    """`4 min 10 s`; with `:1` the larger unit alone."""
    number = _number(seconds)
    return NOTHING if number is None else durations.human(number, parts)


@register.filter
def kiq_time(moment: Any) -> str | SafeString:
    """A moment, epoch seconds or a datetime, relative to now; the script keeps it fresh."""
    at = _moment(moment)
    if at is None:
        return NOTHING
    words = durations.relative(round(at.timestamp() - clock.now()))
    return _time(at, words, mark="data-kiq-time")


@register.filter
def kiq_moment(moment: Any) -> str | SafeString:
    """A moment as date and time."""
    at = _moment(moment)
    return NOTHING if at is None else _time(at, _absolute(at))


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if timezone.is_aware(value) else timezone.make_aware(value)
    number = _number(value)
    try:
        return None if number is None else datetime.fromtimestamp(number, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _time(at: datetime, words: str, mark: str = "data-kiq-absolute") -> SafeString:
    machine = at.astimezone(UTC).isoformat(timespec="seconds")
    return format_html(
        '<time class="kiq-time" datetime="{}" title="{}" {}>{}</time>', machine, _absolute(at), mark, words
    )


def _absolute(at: datetime) -> str:
    local = timezone.localtime(at) if timezone.is_aware(at) else at
    return date_format(local, "DATETIME_FORMAT")


# -- small things --------------------------------------------------------------------------------------


@register.simple_tag
def kiq_icon(name: str) -> SafeString:
    """A picture of `sprite.html`; screen readers pass over it, so a word stands beside it."""
    return format_html('<svg class="kiq-icon" aria-hidden="true"><use href="#kiq-i-{}"/></svg>', name)


@register.filter
def kiq_state(state: Any, words: Any = None) -> SafeString:
    """A badge: icon and word in the tone of the state. `words` replace the word: `"slow"|kiq_state:"slow, why?"`."""
    tone, icon, label = STATES.get(str(state), ("idle", "dot", str(state)[:40]))
    return format_html('<span class="kiq-badge kiq-{}">{} {}</span>', tone, kiq_icon(icon), words or label)


@register.filter
def kiq_jid(jid: Any) -> SafeString:
    """The begin of a job's id, the whole of it as title."""
    text = str(jid)
    return format_html(
        '<code class="kiq-jid" title="{}">{}</code>', text[:80], text[:8] + "…" if len(text) > 12 else text
    )


@register.simple_tag
def kiq_chart(drawing: Any, table: bool = True) -> SafeString:
    """A drawing of `kiq_django.admin.charts`, and its numbers as a table to open."""
    return render_to_string(drawing.template, {"drawing": drawing, "table": drawing.table if table else None})
