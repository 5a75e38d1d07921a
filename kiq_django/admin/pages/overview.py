"""The first page: is it healthy, what waits, what needs attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kiq_django.admin import charts, evidence, live, once
from kiq_django.admin.jobmetrics.busiest import busiest
from kiq_django.admin.lazily import store, submodule
from kiq_django.admin.page import Page
from kiq_django.admin.queuerows import lines_of

if TYPE_CHECKING:
    from kiq_django.api.attention import Health
    from kiq_django.api.flow import Flow
    from kiq_django.api.situation import Situation
    from kiq_django.api.throughput import Throughput

RANGES = {
    "1h": gettext_lazy("1 h"),
    "24h": gettext_lazy("24 h"),
    "7d": gettext_lazy("7 d"),
    "30d": gettext_lazy("30 d"),
}
MOST_QUEUES = 12
MOST_PROCESSES = 8
MOST_FINDINGS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The strip below the health line."""

    processed: int
    per_minute: float | None
    failed: int
    failed_share: float | None
    running: int
    threads: int
    enqueued: int
    oldest: float
    retries: int
    scheduled: int
    next_due: float | None
    dead: int


class OverviewPage(Page):
    """Everything at a glance; two parts of it update themselves."""

    def more_urls(self) -> list[URLPattern]:
        return [
            path("now/", self.wrap(self.now), name="kiq_overview_now"),
            path("tables/", self.wrap(self.tables), name="kiq_overview_tables"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        """The whole page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.render(request, "overview.html", title=_("Overview"), **self.everything(request))

    def everything(self, request: HttpRequest) -> dict[str, Any]:
        """What the page shows, for `app_index.html` as well.

        Raises:
            StoreError: Redis does not answer.
        """
        chosen = request.GET.get("range", "")
        period = chosen if chosen in RANGES else "1h"
        throughput = submodule("throughput").throughput(period, store=store())
        return {
            "ranges": [(key, label, key == period) for key, label in RANGES.items()],
            "throughput": throughput,
            "chart": _chart(throughput),
            **_moment(once.situation(request)),
        }

    def now(self, request: HttpRequest) -> HttpResponse:
        """Health and numbers, which the script of the page fetches again and again."""
        return self._part(request, "overview.html")

    def tables(self, request: HttpRequest) -> HttpResponse:
        """The same for what stands below the chart."""
        return self._part(request, "overview_tables.html")

    def _part(self, request: HttpRequest, template: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = once.shared("overview").get(lambda: _moment(once.situation(request)))
        return live.fragment(request, f"admin/kiq/parts/{template}", context)


def _moment(situation: Situation) -> dict[str, Any]:
    """What both parts show."""
    shown = _worst_first(situation)[:MOST_QUEUES]
    sizes = {line.name: line.size for line in situation.lines.values()}
    flows = submodule("flow").flows([line.name for line in shown], sizes=sizes, store=store())
    health: Health = submodule("attention").judge(situation, evidence.of(situation))
    return {
        "health": health,
        "findings": health.findings[:MOST_FINDINGS],
        "findings_left_out": max(0, len(health.findings) - MOST_FINDINGS) + health.left_out,
        "numbers": _numbers(situation, flows),
        "queues": lines_of(shown, situation, flows),
        "queues_left_out": len(situation.lines) - len(shown),
        "busiest": busiest(),
        "members": situation.members[:MOST_PROCESSES],
        "members_left_out": max(0, len(situation.members) - MOST_PROCESSES),
        "boxes": situation.boxes,
        "is_new": not situation.members and not situation.lines and not any(situation.sizes.values()),
    }


def _worst_first(situation: Situation) -> list[Any]:
    """Queues by what keeps people awake: late ones, long ones, then by name; paused ones wait on purpose."""
    return sorted(situation.lines.values(), key=lambda line: (line.paused, -line.latency, -line.size, line.name))


def _numbers(situation: Situation, flows: Mapping[str, Flow]) -> Numbers:
    processed, failed = store().counters.totals()
    rates = [flow.out_per_minute for flow in flows.values() if flow.out_per_minute is not None]
    lines, members = situation.lines.values(), situation.members
    due = situation.first["schedule"]
    return Numbers(
        processed=processed,
        per_minute=sum(rates) if rates else None,
        failed=failed,
        failed_share=failed / processed if processed else None,
        running=sum(member.process.busy for member in members),
        threads=sum(member.process.concurrency for member in members),
        enqueued=sum(line.size for line in lines),
        oldest=max((line.latency for line in lines if not line.paused), default=0.0),
        retries=situation.sizes["retry"],
        scheduled=situation.sizes["schedule"],
        next_due=None if due is None else max(due, situation.now),
        dead=situation.sizes["dead"],
    )


def _chart(throughput: Throughput) -> Any:
    points = [charts.Point(each.begin, each.processed - each.failed, each.failed) for each in throughput.points]
    marks = [charts.Mark(at, label) for at, label in throughput.marks.items()]
    return charts.throughput(points, marks, key="throughput")
