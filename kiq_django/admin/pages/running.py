"""What runs at this moment, the longest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from kiq_django import durations, models
from kiq_django.admin import elapsed, jobtext, once
from kiq_django.admin.links import title_of, url_of_job, url_of_subject
from kiq_django.admin.lists import ListPage, Rows

if TYPE_CHECKING:
    from kiq_django.api import Work

MOST_OFFERED = 30
"""Values of one filter."""
LONG = {"10": 10, "60": 60, "600": 600, "3600": 3600}
"""Seconds after which somebody may call a job long."""


class RunningRows(Rows):
    """All running jobs: never more than there are threads."""

    def __init__(self, found: Sequence[Work]) -> None:
        self.found = found

    def count(self) -> int:
        return len(self.found)

    def read(self, offset: int, limit: int) -> Sequence[Model]:
        return [_row(work) for work in self.found[offset : offset + limit]]

    def only(self, wanted: Callable[[Work], bool]) -> RunningRows:
        """Fewer of them."""
        return RunningRows([work for work in self.found if wanted(work)])


def _row(work: Work) -> models.RunningJob:
    row = models.RunningJob(key=f"{work.process.identity}:{work.thread}")
    row.work = work  # type: ignore[attr-defined]
    row.record = work.record  # type: ignore[attr-defined]
    return row


class _ByValue(admin.SimpleListFilter):
    """One of the values that running jobs have."""

    def value_of(self, work: Work) -> str:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        values = sorted({self.value_of(work) for work in once.works(request)})
        return [(value, jobtext.cut(value, 60)) for value in values[:MOST_OFFERED]]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        return queryset.only(lambda work: self.value_of(work) == value) if value else None


class ByJob(_ByValue):
    title = gettext_lazy("job")
    parameter_name = "job"

    def value_of(self, work: Work) -> str:
        return work.record.display_name


class ByQueue(_ByValue):
    title = gettext_lazy("queue")
    parameter_name = "queue"

    def value_of(self, work: Work) -> str:
        return work.queue


class ByProcess(_ByValue):
    title = gettext_lazy("process")
    parameter_name = "process"

    def value_of(self, work: Work) -> str:
        return work.process.identity


class ByTime(admin.SimpleListFilter):
    title = gettext_lazy("running time")
    parameter_name = "longer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (text, str(gettext_lazy("over %(time)s") % {"time": durations.human(seconds)}))
            for text, seconds in LONG.items()
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        seconds = LONG.get(self.value() or "")
        return queryset.only(partial(_is_longer, seconds)) if seconds else None


def _is_longer(seconds: float, work: Work) -> bool:
    return work.elapsed > seconds


class RunningPage(ListPage):
    """Running jobs, as the last beat of each process told."""

    empty = (
        gettext_lazy("Nothing is running."),
        gettext_lazy("What workers run shows up here with their next beat, a few seconds later."),
    )

    list_filter = (ByTime, ByQueue, ByJob, ByProcess)
    actions = None

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        job = "call" if jobtext.may_see_arguments(request) else "job"
        return [job, "queue", "process", "since", "attempt_num"]

    def rows(self, request: HttpRequest) -> Rows:
        return RunningRows(once.works(request))

    def url_of(self, row: Any) -> str:
        return url_of_job(row.record, self.admin_site.name)

    # -- columns -----------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("Job"))
    def job(self, row: Any) -> str:
        return jobtext.name(row.record)

    @admin.display(description=gettext_lazy("Job"))
    def call(self, row: Any) -> str:
        return jobtext.name_and_call(row.record)

    @admin.display(description=gettext_lazy("Queue"))
    def queue(self, row: Any) -> str:
        return str(row.work.queue)

    @admin.display(description=gettext_lazy("Process"))
    def process(self, row: Any) -> str:
        identity = row.work.process.identity
        return format_html(
            '<a href="{}">{}</a>',
            url_of_subject(models.Process, identity, self.admin_site.name),
            title_of("process", identity),
        )

    @admin.display(description=gettext_lazy("Running for"))
    def since(self, row: Any) -> str:
        return elapsed.told(row.work, self.admin_site.name)

    @admin.display(description=gettext_lazy("Attempt"))
    def attempt_num(self, row: Any) -> str:
        count = row.record.retry_count
        return "1" if count is None else str(count + 2)
