"""What lists of jobs can be narrowed down to, beside a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from kiq_django import clock, registry
from kiq_django.admin import jobtext, once

if TYPE_CHECKING:
    from kiq_django.api import FailureGroup

MOST_OFFERED = 25
"""Values of one filter; others can be typed into the search box."""
LONGEST = 300
"""Characters of a value."""


class _Narrower(admin.SimpleListFilter):
    """One field of `api.filters.Filter`."""

    field = ""

    def values(self, request: HttpRequest, model_admin: Any) -> Sequence[str]:
        """What to offer."""
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        offered = list(self.values(request, model_admin))[:MOST_OFFERED]
        chosen = request.GET.get(self.parameter_name or "", "")[:LONGEST]
        if chosen and chosen not in offered:  # a link from elsewhere may name what is not offered
            offered.append(chosen)
        return [(value, jobtext.cut(value, 60)) for value in offered]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = (self.value() or "")[:LONGEST]
        return queryset.only(**{self.field: value}) if value else None


class ByJob(_Narrower):
    """The job's name, from those that the code declares and those that fail."""

    title = gettext_lazy("job")
    parameter_name = "job"
    field = "name"

    def values(self, request: HttpRequest, model_admin: Any) -> Sequence[str]:
        failing = [group.name for group in _groups(request, model_admin) if group.name]
        return list(dict.fromkeys([*failing, *sorted(registry.all_jobs())]))


class ByQueue(_Narrower):
    """The queue that the job goes to."""

    title = gettext_lazy("queue")
    parameter_name = "queue"
    field = "queue"

    def values(self, request: HttpRequest, model_admin: Any) -> Sequence[str]:
        return once.queues(request)


class ByError(_Narrower):
    """The class of its last error."""

    title = gettext_lazy("error")
    parameter_name = "error"
    field = "error_class"

    def values(self, request: HttpRequest, model_admin: Any) -> Sequence[str]:
        return list(dict.fromkeys(each.error_class for each in _groups(request, model_admin) if each.error_class))


class ByGroup(admin.SimpleListFilter):
    """One group of failures; there are links to it, it offers nothing by itself."""

    title = gettext_lazy("error group")
    parameter_name = "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = request.GET.get("group", "")[:40]
        if not chosen:
            return []
        found = next((group for group in _groups(request, model_admin) if group.fingerprint == chosen), None)
        return [(chosen, f"{found.name} {found.error_class}" if found else chosen)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = (self.value() or "")[:40]
        return queryset.only(fingerprint=value) if value else None


class ByDue(admin.SimpleListFilter):
    """When it is due."""

    title = gettext_lazy("due")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("overdue", gettext_lazy("overdue")),
            ("hour", gettext_lazy("within an hour")),
            ("day", gettext_lazy("within a day")),
            ("later", gettext_lazy("later")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        now = clock.now()
        spans: dict[str | None, dict[str, float]] = {
            "overdue": {"due_to": now},
            "hour": {"due_from": now, "due_to": now + 3600},
            "day": {"due_from": now, "due_to": now + 86_400},
            "later": {"due_from": now + 86_400},
        }
        return queryset.only(**spans[self.value()]) if self.value() in spans else None


def _groups(request: HttpRequest, model_admin: Any) -> Sequence[FailureGroup]:
    kind = model_admin.place.kind
    return once.groups(request, kind) if kind in ("retry", "dead") else ()
