"""The strip of links above each page: where one is, and what there is elsewhere."""

from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst

from kiq_django import models
from kiq_django.admin.lazily import api, store

ORDER = (
    models.Overview,
    models.Queue,
    models.RunningJob,
    models.RetryJob,
    models.ScheduledJob,
    models.DeadJob,
    models.Process,
    models.JobMetrics,
    models.Operation,
    models.Audit,
    models.Configuration,
)


@dataclass(frozen=True, slots=True)
class Link:
    """One page."""

    label: str
    url: str
    count: int | None
    """What is there; None where nothing is to be counted."""
    current: bool


def links(request: HttpRequest, site: AdminSite, *, current: str = "") -> list[Link]:
    """The pages that this person may see, with the numbers of the moment.

    Raises:
        StoreError: Redis does not answer.
    """
    counts = _counts()
    found = []
    for model in ORDER:
        name = model._meta.model_name or ""
        page = site._registry.get(model)
        if page is None or not page.has_view_permission(request):
            continue
        try:
            url = reverse(f"admin:kiq_{name}_changelist", current_app=site.name)
        except NoReverseMatch:  # a page without a list
            continue
        label = capfirst(str(model._meta.verbose_name_plural))
        found.append(Link(label, url, counts.get(name), name == current))
    return found


def _counts() -> dict[str, int]:
    stats = api.Stats(store())
    return {
        "queue": len(stats.queues),
        "runningjob": stats.workers_size,
        "retryjob": stats.retry_size,
        "scheduledjob": stats.scheduled_size,
        "deadjob": stats.dead_size,
        "process": stats.processes_size,
    }
