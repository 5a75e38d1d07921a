"""Jobs that wait in one queue, below what is to say of the queue itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from kiq_django import models
from kiq_django.admin import evidence, links, live, once, rights
from kiq_django.admin.jobfilters import ByJob
from kiq_django.admin.joblist import JobListPage
from kiq_django.admin.jobrows import Place
from kiq_django.admin.lazily import store, submodule
from kiq_django.admin.lists import CURSOR, Rows
from kiq_django.admin.queuepast import charts_of
from kiq_django.admin.queuerows import lines_of
from kiq_django.admin.queuesplit import Sample, SampledRows, split

NEWEST = "newest"
"""The parameter that turns the order round."""
NOW = "now"
"""The parameter that asks for the part alone that is fetched again and again; a path may be the name of a queue."""
SAMPLE = "kiq_sample"
"""Where a request keeps the jobs that were read for the split by name: the rows are among them."""


class QueuedPage(JobListPage):
    """One queue: why it does or does not move, and its jobs, the one that comes next first."""

    columns = ("job", "waiting", "created")
    list_filter = (ByJob,)
    change_list_template = "admin/kiq/queue.html"
    place = Place("queue")
    own_parameters = (NEWEST, NOW)

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return {}  # the sidebar has the queues: these jobs stand below each

    def place_of(self, request: HttpRequest) -> Place:
        return Place("queue", name_of(request), downwards=NEWEST in request.GET)

    def rows(self, request: HttpRequest) -> Rows:
        cursor, sample = request.GET.get(CURSOR, "")[:500], vars(request).get(SAMPLE)
        return SampledRows(self.place_of(request), self.model, cursor, sample)

    def changelist_view(
        self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None, name: str = ""
    ) -> HttpResponse:
        """The queue that the address names; without a name, all queues."""
        queues = self.admin_site._registry[models.Queue]
        if not queues.has_view_permission(request):
            raise PermissionDenied
        if not name:
            return HttpResponseRedirect(reverse("admin:kiq_queue_changelist", current_app=self.admin_site.name))
        if request.method == "GET" and NOW in request.GET:
            return live.fragment(request, "admin/kiq/parts/queue.html", _state(request, name))
        more = {} if request.method == "POST" else self._about(request, name)
        return super().changelist_view(request, {**more, "name": name, "title": name, **(extra_context or {})})

    def _about(self, request: HttpRequest, name: str) -> dict[str, Any]:
        state = _state(request, name)
        queue = state["queue"]
        sample = vars(request)[SAMPLE] = Sample.take(self.place_of(request), queue.size if queue else 0)
        return {
            **state,
            "split": split(sample, self.admin_site.name),
            "charts": charts_of(name) if queue else (),
            "trail": [(links.url_of("queues", "", self.admin_site.name), _("Queues"))],
            "is_newest_first": NEWEST in request.GET,
            "may_pause": rights.may(request, "pause_queue"),
            "may_clear": rights.may(request, "clear_queue"),
        }


def _state(request: HttpRequest, name: str) -> dict[str, Any]:
    """How a queue is, and why."""
    why, flow = submodule("why"), submodule("flow")
    situation = once.situation(request, into=[name])
    line = situation.lines.get(name)
    found = flow.flows([name], sizes={name: line.size if line else 0}, store=store())
    return {
        "queue": lines_of([line], situation, found)[0] if line else None,
        "lists": _lists(name),
        "answer": why.explain_queue(name, situation, flow=found[name], usual=evidence.usual()),
    }


def _lists(name: str) -> list[tuple[str, int]]:
    """Names and sizes of the lists of a queue that has several."""
    lists = store().views(name)
    return list(store().queues.sizes(lists).items()) if len(lists) > 1 else []


def name_of(request: HttpRequest) -> str:
    """The queue that the address names."""
    match = request.resolver_match
    return str(match.kwargs.get("name", "")) if match else ""
