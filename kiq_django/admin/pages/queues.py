"""All queues: how long, how late, how fast; and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kiq_django import durations, models
from kiq_django.admin import audit, badges, confirm, formats, links, once, rights
from kiq_django.admin.lazily import api, store, submodule
from kiq_django.admin.lists import PER_PAGE, Chosen, ListPage, Rows
from kiq_django.admin.queuerows import QueueLine, lines_of

RIGHTS = {"pause": ("pause_queue",), "resume": ("pause_queue",), "clear": ("clear_queue",)}
"""What an action takes."""


class QueueRows(Rows):
    """Queues by name; the flow is read of those that are shown."""

    def __init__(self, situation: Any, names: Sequence[str]) -> None:
        self.situation = situation
        self.names = names

    def count(self) -> int:
        return len(self.names)

    def read(self, offset: int, limit: int) -> Sequence[Model]:
        return self._rows(self.names[offset : offset + limit])

    def chosen(self, keys: Sequence[str]) -> Sequence[Model]:
        return self._rows([name for name in self.names if name in set(keys[:PER_PAGE])])

    def only(self, wanted: Callable[[Any], bool]) -> QueueRows:
        """Fewer of them."""
        return QueueRows(self.situation, [name for name in self.names if wanted(self.situation.lines[name])])

    def _rows(self, names: Sequence[str]) -> list[Model]:
        lines = [self.situation.lines[name] for name in names]
        flows = submodule("flow").flows(names, sizes={line.name: line.size for line in lines}, store=store())
        return [_row(line) for line in lines_of(lines, self.situation, flows)]


def _row(line: QueueLine) -> models.Queue:
    row = models.Queue(key=line.name)
    row.line = line  # type: ignore[attr-defined]
    return row


class ByState(admin.SimpleListFilter):
    """How they are."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("paused", gettext_lazy("paused")),
            ("late", gettext_lazy("late")),
            ("unserved", gettext_lazy("unserved")),
            ("waiting", gettext_lazy("with jobs")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        wanted: dict[str | None, Callable[[Any], bool]] = {
            "paused": lambda line: line.paused,
            "late": lambda line: line.is_late,
            "unserved": lambda line: not queryset.situation.crews(line.name),
            "waiting": lambda line: line.size > 0,
        }
        return queryset.only(wanted[self.value()]) if self.value() in wanted else None


class QueuesPage(ListPage):
    """Every queue that a job was ever pushed to, and every paused one."""

    empty = (
        gettext_lazy("There is no queue yet."),
        gettext_lazy("A queue comes into being with the first job that is enqueued."),
    )

    list_display = (
        "name",
        "state",
        "size_num",
        "latency_num",
        "in_per_minute_num",
        "out_per_minute_num",
        "empty_in_num",
        "threads_num",
    )
    list_filter = (ByState,)
    search_fields = ("name",)
    actions = ("pause", "resume", "clear")

    def rows(self, request: HttpRequest) -> Rows:
        situation = once.situation(request)
        return QueueRows(situation, sorted(situation.lines))

    def search(self, rows: Any, text: str) -> Rows:
        found: Rows = rows.only(lambda line: text.strip() in line.name)
        return found

    def url_of(self, row: Any) -> str:
        return links.url_of("queue", row.pk, self.admin_site.name)

    def more_urls(self) -> list[URLPattern]:
        jobs: Any = self.admin_site._registry[models.QueuedJob]
        return [
            path("act/", self.wrap(self.act), name="kiq_queue_act"),
            path("<path:name>/", jobs.wrap(jobs.changelist_view), name="kiq_queue"),
        ]

    def has_pause_permission(self, request: HttpRequest) -> bool:
        """Asked by Django for the actions below."""
        return rights.may(request, "pause_queue")

    def has_clear_permission(self, request: HttpRequest) -> bool:
        """The same."""
        return rights.may(request, "clear_queue")

    # -- columns -----------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("Name"))
    def name(self, row: Any) -> str:
        return str(row.line.name)

    @admin.display(description=gettext_lazy("State"))
    def state(self, row: Any) -> Any:
        return badges.badge(row.line.state, row.line.words)

    @admin.display(description=gettext_lazy("Size"))
    def size_num(self, row: Any) -> str:
        return formats.number(row.line.size)

    @admin.display(description=gettext_lazy("Latency"))
    def latency_num(self, row: Any) -> str:
        return durations.human(row.line.latency)

    @admin.display(description=gettext_lazy("In/min"))
    def in_per_minute_num(self, row: Any) -> str:
        return formats.number(row.line.in_per_minute)

    @admin.display(description=gettext_lazy("Out/min"))
    def out_per_minute_num(self, row: Any) -> str:
        return formats.number(row.line.out_per_minute)

    @admin.display(description=gettext_lazy("Empty in"))
    def empty_in_num(self, row: Any) -> str:
        return row.line.empty_in or formats.NOTHING

    @admin.display(description=gettext_lazy("Threads"))
    def threads_num(self, row: Any) -> str:
        return formats.number(row.line.threads)

    # -- actions -----------------------------------------------------------------------------------

    def act(self, request: HttpRequest) -> HttpResponse:
        """The same from the page of one queue: `action` and `name` are posted."""
        deeds = {"pause": self.pause, "resume": self.resume, "clear": self.clear}
        action, name = request.POST.get("action", ""), request.POST.get("name", "")
        if not any(rights.may(request, right) for right in RIGHTS.get(action, ("pause_queue", "clear_queue"))):
            raise PermissionDenied
        if request.method != "POST" or action not in deeds or not name:
            raise BadRequest("POST a named action and the name of a queue")
        response = deeds[action](request, Chosen(self.rows(request), [name]))
        site = self.admin_site.name
        return response or HttpResponseRedirect(links.url_of("queue", name, site) or links.url_of("queues", "", site))

    @admin.action(description=gettext_lazy("Pause"), permissions=["pause"])
    def pause(self, request: HttpRequest, chosen: Chosen) -> HttpResponse | None:
        """Workers take nothing more from them; what runs goes on."""
        question = confirm.Question(
            title=_("Pause queues?"),
            text=_("Workers take no more jobs from them until somebody resumes them. What runs goes on."),
            samples=[row.pk for row in chosen],
            button=_("Yes, pause"),
        )
        answer = confirm.ask(self, request, question)
        if isinstance(answer, HttpResponse):
            return answer
        names = [row.pk for row in chosen]
        for name in names:
            api.Queue(name, store()).pause(by=request.user.get_username(), reason=answer["reason"])
            audit.record(request, models.Queue(name), "pause", reason=answer["reason"])
        told = ngettext("%(count)d queue is paused.", "%(count)d queues are paused.", len(names))
        messages.success(request, told % {"count": len(names)})
        return None

    @admin.action(description=gettext_lazy("Resume"), permissions=["pause"])
    def resume(self, request: HttpRequest, chosen: Chosen) -> HttpResponse | None:
        """Undo `pause`."""
        names = [row.pk for row in chosen if api.Queue(row.pk, store()).resume()]
        for name in names:
            audit.record(request, models.Queue(name), "resume")
        told = ngettext("%(count)d queue goes on.", "%(count)d queues go on.", len(names))
        messages.success(request, told % {"count": len(names)})
        return None

    @admin.action(description=gettext_lazy("Clear: delete all jobs"), permissions=["clear"])
    def clear(self, request: HttpRequest, chosen: Chosen) -> HttpResponse | None:
        """Delete the queues with all jobs that wait in them."""
        lines = [row.line for row in chosen]  # type: ignore[attr-defined]
        total = sum(line.size for line in lines)
        question = confirm.Question(
            title=ngettext("Delete %(count)s job?", "Delete %(count)s jobs?", total) % {"count": formats.number(total)},
            text=_("All jobs that wait in these queues are deleted, also those that come until you confirm."),
            danger=True,
            facts=[(line.name, formats.number(line.size)) for line in lines],
            button=ngettext("Yes, delete %(count)s job", "Yes, delete %(count)s jobs", total)
            % {"count": formats.number(total)},
            typed=total if total > confirm.TYPED_FROM else None,
        )
        answer = confirm.ask(self, request, question)
        if isinstance(answer, HttpResponse):
            return answer
        done = 0
        for line in lines:
            deleted = api.Queue(line.name, store()).clear()
            audit.record(request, models.Queue(line.name), "clear", count=deleted, reason=answer["reason"])
            done += deleted
        told = ngettext("%(count)s job was deleted.", "%(count)s jobs were deleted.", done)
        messages.success(request, told % {"count": formats.number(done)})
        return None
