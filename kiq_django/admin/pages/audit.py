"""Who changed what, and why: the admin's own history, of our pages alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kiq_django import models
from kiq_django.admin import audit, auditwords
from kiq_django.admin.links import url_of_subject
from kiq_django.admin.lists import ListPage, Rows

PERIODS = {"1": gettext_lazy("Last 24 hours"), "7": gettext_lazy("Last 7 days"), "30": gettext_lazy("Last 30 days")}
MOST_PEOPLE = 30
NAMED = (models.Queue, models.Job, models.Process, models.Operation)
"""What entries are about that has a name of its own; others are about a set of jobs."""


class AuditRows(Rows):
    """Entries of the history."""

    def __init__(self, entries: Any) -> None:
        self.entries = entries

    def count(self) -> int:
        return int(self.entries.count())

    def read(self, offset: int, limit: int) -> Sequence[Model]:
        return [_row(entry) for entry in self.entries[offset : offset + limit]]

    def only(self, *conditions: Any, **fields: Any) -> AuditRows:
        """Fewer of them."""
        return AuditRows(self.entries.filter(*conditions, **fields))


def _row(entry: LogEntry) -> models.Audit:
    row = models.Audit(key=str(entry.pk))
    row.entry = entry  # type: ignore[attr-defined]
    row.told = audit.told_by(entry)  # type: ignore[attr-defined]
    return row


class ByPerson(admin.SimpleListFilter):
    """Whose deeds."""

    title = gettext_lazy("person")
    parameter_name = "by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = audit.entries().order_by("user_id").values_list("user_id", "user__username").distinct()
        return [(str(pk), name) for pk, name in found[:MOST_PEOPLE]]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        return queryset.only(user_id=value) if value and value.isdecimal() else None


class BySubject(admin.SimpleListFilter):
    """On what."""

    title = gettext_lazy("subject")
    parameter_name = "on"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(kind._meta.model_name), str(kind._meta.verbose_name_plural)) for kind in NAMED]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.only(content_type__model=self.value()) if self.value() else None


class ByPeriod(admin.SimpleListFilter):
    """Since when."""

    title = gettext_lazy("time")
    parameter_name = "days"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(days, str(title)) for days, title in PERIODS.items()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() not in PERIODS:
            return None
        return queryset.only(action_time__gte=timezone.now() - timedelta(days=int(str(self.value()))))


class AuditPage(ListPage):
    """Every change that was made on a page, the latest first. Nobody can edit or delete it here."""

    empty = (gettext_lazy("Nobody has changed anything."), gettext_lazy("Every change on these pages is noted here."))

    list_display = ("when", "who", "what", "subject", "count_num", "details", "reason")
    list_display_links = None
    list_filter = (ByPeriod, ByPerson, BySubject)
    search_fields = ("object_repr",)
    search_help_text = gettext_lazy("A queue, the id of a job, or a word of the reason.")
    actions = None

    def rows(self, request: HttpRequest) -> Rows:
        return AuditRows(audit.entries())

    def search(self, rows: Any, text: str) -> Rows:
        found: Rows = rows.only(Q(object_repr__icontains=text) | Q(change_message__icontains=text))
        return found

    # -- columns -----------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("When"))
    def when(self, row: Any) -> Any:
        return row.entry.action_time

    @admin.display(description=gettext_lazy("Who"))
    def who(self, row: Any) -> str:
        return str(row.entry.user)

    @admin.display(description=gettext_lazy("What"))
    def what(self, row: Any) -> str:
        verb = row.told.get("verb")
        return auditwords.verb(str(verb)) if verb else str(row.entry.get_action_flag_display())

    @admin.display(description=gettext_lazy("Subject"))
    def subject(self, row: Any) -> str:
        kind = row.entry.content_type.model_class()
        label = _label(kind, row.entry.object_repr)
        url = url_of_subject(kind, row.entry.object_id, self.admin_site.name)
        return format_html('<a href="{}">{}</a>', url, label) if url else label

    @admin.display(description=gettext_lazy("Number"))
    def count_num(self, row: Any) -> str:
        count = row.told.get("count")
        return number_format(count, force_grouping=True) if isinstance(count, int) else ""

    @admin.display(description=gettext_lazy("Details"))
    def details(self, row: Any) -> str:
        found = row.told.get("details")
        return ", ".join(auditwords.detail(*each) for each in found.items()) if isinstance(found, dict) else ""

    @admin.display(description=gettext_lazy("Reason"))
    def reason(self, row: Any) -> str:
        return str(row.told.get("reason") or "")


def _label(kind: type[Model] | None, name: str) -> str:
    """What a change was made to: one thing with its name, or jobs of a set."""
    if kind is None:
        return f"{_('unknown')} {name}"
    if kind in NAMED:
        return f"{kind._meta.verbose_name} {name}"
    return auditwords.place(name) if kind is models.Audit else str(kind._meta.verbose_name_plural)
