"""Bulk actions: what was begun, by whom, and how far each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kiq_django import models
from kiq_django.admin import audit, badges, formats, links, live, rights
from kiq_django.admin.jobactions import described
from kiq_django.admin.lazily import api, store
from kiq_django.admin.lists import ListPage, Rows

MOST = 200
"""Operations that are kept."""
SECONDS_A_STEP = 1.5
STATES = {"waiting": "waiting", "running": "running", "done": "done", "cancelled": "cancelled", "failed": "failed"}


class OperationRows(Rows):
    """The last operations, the newest first."""

    def __init__(self) -> None:
        self.found = api.Operations(store()).all(MOST)

    def count(self) -> int:
        return len(self.found)

    def read(self, offset: int, limit: int) -> Sequence[Model]:
        return [_row(each) for each in self.found[offset : offset + limit]]


def _row(operation: Any) -> models.Operation:
    row = models.Operation(key=operation.id)
    row.operation = operation  # type: ignore[attr-defined]
    return row


class OperationsPage(ListPage):
    """What acts on more jobs than one page shows."""

    empty = (
        gettext_lazy("Nothing was done with very many jobs lately."),
        gettext_lazy("What you do with all jobs that match a filter shows up here, with its progress."),
    )

    list_display = ("what", "state", "progress", "done_num", "started", "by", "reason")
    actions = None

    def rows(self, request: HttpRequest) -> Rows:
        return OperationRows()

    def url_of(self, row: Any) -> str:
        return links.url_of("operation", row.pk, self.admin_site.name)

    def more_urls(self) -> list[URLPattern]:
        return [
            path("<str:key>/now/", self.wrap(self.now), name="kiq_operation_now"),
            path("<str:key>/act/", self.wrap(self.act), name="kiq_operation_act"),
            path("<str:key>/", self.wrap(self.detail), name="kiq_operation"),
        ]

    # -- one operation -----------------------------------------------------------------------------

    def detail(self, request: HttpRequest, key: str) -> HttpResponse:
        """How far it is, and what came of it."""
        context = self._about(request, key)
        trail = [(links.url_of_list(models.Operation, self.admin_site.name), _("Operations"))]
        return self.render(request, "operation.html", title=context["words"] or _("Operation"), trail=trail, **context)

    def now(self, request: HttpRequest, key: str) -> HttpResponse:
        """The part that moves."""
        return live.fragment(request, "admin/kiq/parts/operation.html", self._about(request, key))

    def act(self, request: HttpRequest, key: str) -> HttpResponse:
        """Cancel it; or work on it, where no worker does."""
        if not rights.may(request, "run_operation"):
            raise PermissionDenied
        action = request.POST.get("action", "")
        if request.method != "POST" or action not in ("cancel", "step"):
            raise BadRequest("POST a named action")
        operations = api.Operations(store())
        if action == "step":
            operations.step(key, api.Budget(SECONDS_A_STEP))
        elif operations.cancel(key, by=request.user.get_username()):
            audit.record(request, models.Operation(key), "cancel")
            messages.success(request, _("It was cancelled. What was done until now stays done."))
        else:
            messages.warning(request, _("It has ended already."))
        return HttpResponseRedirect(links.url_of("operation", key, self.admin_site.name))

    def _about(self, request: HttpRequest, key: str) -> dict[str, Any]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = api.Operations(store()).find(key)
        return {
            "key": key,
            "operation": found,
            "words": found and words(found),
            "filter": found and described(found.where),
            "state": found and STATES.get(found.state, "waiting"),
            "may_act": rights.may(request, "run_operation"),
            "has_workers": found is not None and not found.has_ended and api.ProcessSet(store()).size > 0,
        }

    # -- columns -----------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("Operation"))
    def what(self, row: Any) -> str:
        return words(row.operation)

    @admin.display(description=gettext_lazy("State"))
    def state(self, row: Any) -> Any:
        return badges.badge(STATES.get(row.operation.state, "waiting"))

    @admin.display(description=gettext_lazy("Progress"))
    def progress(self, row: Any) -> str:
        percent = round(row.operation.percent)
        text = formats.percent(percent / 100)
        return format_html(
            '<progress class="kiq-progress" value="{0}" max="100" aria-label="{1}">{1}</progress>', percent, text
        )

    @admin.display(description=gettext_lazy("Done"))
    def done_num(self, row: Any) -> str:
        return formats.number(row.operation.done)

    @admin.display(description=gettext_lazy("Started"))
    def started(self, row: Any) -> Any:
        return formats.relative(row.operation.started_at)

    @admin.display(description=gettext_lazy("By"))
    def by(self, row: Any) -> str:
        return str(row.operation.by)

    @admin.display(description=gettext_lazy("Reason"))
    def reason(self, row: Any) -> str:
        return str(row.operation.reason)


DEEDS = {
    "retry": gettext_lazy("Retry jobs of %(place)s"),
    "kill": gettext_lazy("Kill jobs of %(place)s"),
    "delete": gettext_lazy("Delete jobs of %(place)s"),
    "reschedule": gettext_lazy("Reschedule jobs of %(place)s"),
    "move": gettext_lazy("Move jobs of %(place)s"),
}
PLACES = {
    "schedule": gettext_lazy("the schedule"),
    "retry": gettext_lazy("the retries"),
    "dead": gettext_lazy("the dead"),
}


def words(operation: Any) -> str:
    """What it does, in words."""
    place = PLACES.get(operation.place) or _("the queue %(name)s") % {"name": operation.queue}
    return str(DEEDS.get(operation.verb, operation.verb)) % {"place": place}
