"""What our templates need beside Django's own tags. How to use them stands with the components in the style guide."""

from __future__ import annotations

from typing import Any, Final

import django
from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kiq_django import durations
from kiq_django.admin import badges, formats

register = template.Library()

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


@register.simple_tag(takes_context=True)
def kiq_breadcrumbs(context: Context, trail: Any, title: str) -> SafeString:
    """Where one is, in the markup of the Django in force: a list since 6.1, a line before."""
    site = getattr(context.get("request"), "current_app", None)
    home = reverse("admin:index", current_app=site)
    jobs = reverse("admin:app_list", args=["kiq"], current_app=site)
    steps = [(home, _("Home")), (jobs, _("Background jobs")), *(trail or ())]
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


# -- words and pictures --------------------------------------------------------------------------------

kiq_number = register.filter("kiq_number", formats.number)
kiq_compact = register.filter("kiq_compact", formats.compact)
kiq_percent = register.filter("kiq_percent", formats.percent)
kiq_duration = register.filter("kiq_duration", formats.duration)
kiq_time = register.filter("kiq_time", formats.relative)
kiq_moment = register.filter("kiq_moment", formats.moment)
kiq_state = register.filter("kiq_state", badges.badge)
kiq_jid = register.filter("kiq_jid", badges.jid)
kiq_icon = register.simple_tag(badges.icon, name="kiq_icon")


@register.simple_tag
def kiq_chart(drawing: Any, table: bool = True) -> SafeString:
    """A drawing of `kiq_django.admin.charts`, and its numbers as a table to open."""
    return render_to_string(drawing.template, {"drawing": drawing, "table": drawing.table if table else None})
