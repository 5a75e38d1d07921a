"""What the lists of jobs have in common: columns, search, filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from kiq_django import durations
from kiq_django.admin import formats, grouplist, jobactions, jobtext, links
from kiq_django.admin.jobrows import JobRows, Place
from kiq_django.admin.lists import CURSOR, ListPage, Rows

LONGEST_SEARCH = 200


class JobListPage(ListPage):
    """Jobs of one place. `place` and `columns` say which, and what of them."""

    place: Place
    columns: Sequence[str] = ("job", "queue")
    """Those of the list; `job` tells the arguments as well to people who may see them."""
    search_fields = ("text",)
    search_help_text = gettext_lazy("The id of a job, or any text that stands in it, letter by letter.")

    def rows(self, request: HttpRequest) -> Rows:
        return JobRows(self.place_of(request), self.model, cursor=request.GET.get(CURSOR, "")[:500])

    def place_of(self, request: HttpRequest) -> Place:
        """Where the jobs of this page lie."""
        return self.place

    def search(self, rows: Any, text: str) -> Rows:
        found: Rows = rows.only(text=text.strip()[:LONGEST_SEARCH])
        return found

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        job = "call" if jobtext.may_see_arguments(request) else "job"
        return [job if column == "job" else column for column in self.columns]

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> dict[str, Any]:
        return jobactions.list_actions(request, self.place.kind)

    def url_of(self, row: Any) -> str:
        return links.url_of_job(row.record, self.admin_site.name)

    # -- columns -----------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("Job"))
    def job(self, row: Any) -> str:
        return jobtext.name(row.record)

    @admin.display(description=gettext_lazy("Job"))
    def call(self, row: Any) -> str:
        return jobtext.name_and_call(row.record)

    @admin.display(description=gettext_lazy("Queue"))
    def queue(self, row: Any) -> str:
        name = row.record.queue
        url = links.url_of("queue", name, self.admin_site.name) if name else ""
        return format_html('<a href="{}">{}</a>', url, jobtext.cut(name, 60)) if url else name

    @admin.display(description=gettext_lazy("Error"))
    def error(self, row: Any) -> str:
        return jobtext.error(row.record)

    @admin.display(description=gettext_lazy("Attempt"))
    def attempt_num(self, row: Any) -> str:
        """The number of the next run."""
        count = row.record.retry_count
        return "1" if count is None else formats.number(count + 2)

    @admin.display(description=gettext_lazy("Due"))
    def due(self, row: Any) -> Any:
        return formats.relative(row.record.at)

    @admin.display(description=gettext_lazy("Died"))
    def died(self, row: Any) -> Any:
        return formats.relative(row.record.at)

    @admin.display(description=gettext_lazy("Waiting"))
    def waiting(self, row: Any) -> str:
        return durations.human(row.record.latency)

    @admin.display(description=gettext_lazy("Created"))
    def created(self, row: Any) -> Any:
        return formats.relative(row.record.created_at)


class FailedListPage(JobListPage):
    """A list that can be looked at by groups of failures as well."""

    def more_urls(self) -> list[URLPattern]:
        return [path("groups/", self.wrap(self.groups), name=f"kiq_{self.opts.model_name}_groups")]

    def groups(self, request: HttpRequest) -> HttpResponse:
        """The view by groups."""
        return grouplist.show(self, request, links.url_of_list(self.model, self.admin_site.name))

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        groups = reverse(f"admin:kiq_{self.opts.model_name}_groups", current_app=self.admin_site.name)
        return super().changelist_view(request, {"groups_url": groups, **(extra_context or {})})
