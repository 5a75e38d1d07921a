"""Retries and dead jobs by what is probably one reason: the first view of an incident."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kiq_django import redaction
from kiq_django.admin import charts, jobactions, jobtext
from kiq_django.admin.lazily import api, store, submodule
from kiq_django.admin.verbs import VERBS

if TYPE_CHECKING:
    from kiq_django.admin.joblist import JobListPage
    from kiq_django.api import FailureGroup

MOST_SHOWN = 50
BUTTONS = {"retry": gettext_lazy("Retry…"), "kill": gettext_lazy("Kill…"), "delete": gettext_lazy("Delete…")}
"""What stands beside a group. The list of its jobs, one click away, can do the rest."""


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One group as the page shows it."""

    group: FailureGroup
    name: str
    error: str
    pattern: str
    url: str
    trend: Any


def show(page: JobListPage, request: HttpRequest, list_url: str) -> HttpResponse:
    """The groups of a set, or an action on one of them."""
    if not page.has_view_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        return _act(page, request, list_url)
    count = api.FailureGroups(page.place.kind, store()).count()  # type: ignore[arg-type]
    lines = [_line(group, list_url) for group in count.groups[:MOST_SHOWN]]
    possible = jobactions.possible(request, page.place.kind)
    return page.render(
        request,
        "groups.html",
        title=str(capfirst(page.opts.verbose_name_plural)),
        count=count,
        lines=lines,
        left_out=len(count.groups) - len(lines),
        buttons=[(verb.key, BUTTONS[verb.key]) for verb in possible if verb.key in BUTTONS],
        list_url=list_url,
        place=page.place.kind,
    )


def _line(group: FailureGroup, list_url: str) -> GroupLine:
    told = ngettext("%(count)s in the last 24 hours", "%(count)s in the last 24 hours", sum(group.trend))
    return GroupLine(
        group=group,
        name=jobtext.cut(group.name, jobtext.LONGEST_NAME) or _("(not readable)"),
        error=jobtext.cut(group.error_class, jobtext.LONGEST_NAME),
        pattern=jobtext.cut(redaction.redact_text(group.pattern), jobtext.LONGEST_ERROR),
        url=f"{list_url}?{urlencode({'group': group.fingerprint})}",
        trend=charts.sparkline(group.trend, told % {"count": sum(group.trend)}, tone="bad"),
    )


def _act(page: JobListPage, request: HttpRequest, list_url: str) -> HttpResponse:
    """On all jobs of one group."""
    verb, fingerprint = VERBS.get(request.POST.get("action", "")), request.POST.get("group", "")[:40]
    if verb is None:
        raise BadRequest("POST a named action")
    if not fingerprint:
        messages.warning(request, _("No group was chosen. Nothing was changed."))
        return HttpResponseRedirect(request.path)
    where = submodule("filters").Filter(fingerprint=fingerprint)
    response = jobactions.on_all(page, request, verb, page.place, where)
    if response is None:
        api.FailureGroups(page.place.kind, store()).forget()  # type: ignore[arg-type]
    return response or HttpResponseRedirect(request.path)
