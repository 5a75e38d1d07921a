"""The settings in force, what the doctor says, and the jobs that the code declares. Nothing can be changed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from kiq_django import conf, redaction
from kiq_django.admin import topics
from kiq_django.admin.jobmetrics import declaration
from kiq_django.admin.lazily import store, submodule
from kiq_django.admin.page import Page
from kiq_django.declared import declared_jobs
from kiq_django.sections import SECTIONS

PRIVATE = frozenset({"redis"})
"""Keys whose values may hold a password: shown as the store names its server."""


@dataclass(frozen=True, slots=True)
class Row:
    """One key of `KIQ`."""

    key: str
    value: str
    is_default: bool


class ConfigurationPage(Page):
    """A page without rows of its own."""

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        """Everything at once."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.render(
            request,
            "configuration.html",
            title=_("Settings"),
            findings=[(topics.label(finding.topic), finding) for finding in _findings()],
            sections=list(_sections()),
            jobs=[(job, declaration.retries(job)) for job in declared_jobs()],
        )


def _findings() -> list[Any]:
    """What `manage.py kiq doctor` says, within the time that a page has."""
    doctor = submodule("diagnosis")
    software = [*doctor.software(), *doctor.configuration()]
    return [*software, *doctor.server(store()), *doctor.workers(store())]


def _sections() -> Iterator[tuple[str, list[Row]]]:
    settings = conf.get()
    plain = [each.name for each in fields(settings) if each.name.upper() not in SECTIONS and each.name != "queues"]
    rows = [_row(settings, name) for name in plain if name not in PRIVATE]
    yield "KIQ", [*rows, Row("REDIS", str(store().target), settings.redis is None)]
    queues = [Row(name, _queue(queue), is_default=False) for name, queue in settings.queues.items()]
    yield "KIQ['QUEUES']", queues
    for key in SECTIONS:
        section = getattr(settings, key.lower())
        yield f"KIQ['{key}']", [_row(section, each.name, each.name) for each in fields(section)]


def _row(section: Any, name: str, key: str | None = None) -> Row:
    value = getattr(section, name)
    is_default = value == getattr(type(section)(), name)
    is_shown = is_default or next(each.repr for each in fields(section) if each.name == name)
    return Row(key or name.upper(), repr(value) if is_shown else redaction.MASK, is_default)


def _queue(queue: Any) -> str:
    return ", ".join(f"{each.name} {getattr(queue, each.name)!r}" for each in fields(queue) if each.name != "name")
