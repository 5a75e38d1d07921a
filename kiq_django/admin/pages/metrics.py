"""How jobs did: a table of all of them, and a page for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst

from kiq_django import clock, plugins
from kiq_django.admin import jobtext, links
from kiq_django.admin.jobmetrics import declaration, failures, pictures
from kiq_django.admin.jobmetrics.asked import PERIODS, Asked
from kiq_django.admin.jobmetrics.lines import Totals, heads, lines
from kiq_django.admin.jobmetrics.strip import strip
from kiq_django.admin.lazily import api, store, submodule
from kiq_django.admin.page import Page

if TYPE_CHECKING:
    from kiq_django.api import JobFigures

PER_PAGE = 20
MOST_JOBS = 300
"""More are not kept apart in one table."""


class MetricsPage(Page):
    """All jobs that ran lately, and each of them alone."""

    def more_urls(self) -> list[URLPattern]:
        return [path("<path:name>/", self.wrap(self.detail), name="kiq_jobmetrics")]

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        """The table."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked, now = Asked.read(request.GET.dict()), clock.now()
        table = api.Metrics(store(), now=now).table(
            asked.minutes, sort=asked.column, descending=asked.is_descending, limit=MOST_JOBS
        )
        found = [job for job in table.rows if asked.text.casefold() in job.name.casefold()]
        totals, page = Totals.of(found), Paginator(found, PER_PAGE).get_page(asked.page)
        shown = _compared(list(page.object_list), asked.minutes, now)
        return self.render(
            request,
            "metrics.html",
            title=capfirst(str(self.opts.verbose_name_plural)),
            asked=asked,
            all_url=asked.address(text=""),
            span=PERIODS[asked.period][1],
            heads=heads(asked),
            lines=lines(shown, sum(job.total_ms for job in table.rows), asked.period, self.admin_site.name),
            totals=totals,
            is_empty=not table.count,
            left_out=table.left_out,
            is_counting=_is_counting(),
            page=page,
            pages=[(number, asked.address(page=str(number))) for number in page.paginator.page_range],
            everything=pictures.everything(asked.period),
        )

    def detail(self, request: HttpRequest, name: str) -> HttpResponse:
        """One job."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = Asked.read(request.GET.dict())
        metrics, declared = api.Metrics(store()), declaration.find(name)
        job = metrics.for_job(name, asked.minutes, compare=True)
        return self.render(
            request,
            "metrics_job.html",
            title=jobtext.cut(name, jobtext.LONGEST_NAME),
            name=name,
            trail=[(links.url_of_list(self.model, self.admin_site.name), capfirst(self.opts.verbose_name_plural))],
            asked=asked,
            span=PERIODS[asked.period][1],
            job=job,
            figures=strip(job),
            runs=pictures.runs(job, metrics.marks(asked.minutes)),
            run_heat=pictures.heat(job, "run"),
            wait_heat=pictures.heat(job, "wait"),
            spread=pictures.spread(job),
            failures=failures.of_job(declared.name if declared else name, request, self.admin_site.name),
            declared=declared,
            is_counting=_is_counting(),
        )


def _compared(jobs: Sequence[JobFigures], minutes: int, now: float) -> list[JobFigures]:
    """The same with what each did in as much time before: read for those alone that are shown."""
    figures = submodule("figures").Figures
    period = submodule("periods").Period.last(minutes, now)
    before = store().metrics.sums([job.name for job in jobs], period.cover_before()) if jobs else {}
    return [replace(job, before=_figures(figures, before[job.name])) for job in jobs]


def _figures(make: Any, seen: Any) -> Any:
    return make(runs=seen.runs, failures=seen.failures, total_ms=int(seen.run_ms), run=seen.run, wait=seen.wait)


def _is_counting() -> bool:
    """Whether workers with these settings count at all."""
    return any(feature.name == "metrics" for feature in plugins.features())
