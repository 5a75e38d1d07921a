"""The strip of links above each page: where one is, and what there is elsewhere."""

from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy

from kiq_django import models
from kiq_django.admin import once

LABELS = {
    models.Overview: gettext_lazy("Overview"),
    models.Queue: gettext_lazy("Queues"),
    models.RunningJob: gettext_lazy("Running"),
    models.RetryJob: gettext_lazy("Retries"),
    models.ScheduledJob: gettext_lazy("Scheduled"),
    models.DeadJob: gettext_lazy("Dead"),
    models.Process: gettext_lazy("Processes"),
    models.JobMetrics: gettext_lazy("Metrics"),
    models.Operation: gettext_lazy("Operations"),
    models.Audit: gettext_lazy("Audit"),
    models.Configuration: gettext_lazy("Settings"),
}
"""Pages in the order of the strip, by short names: all of them shall fit into one line."""


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
    counts = _counts(once.counts(request))
    found = []
    for model, label in LABELS.items():
        name = model._meta.model_name or ""
        page = site._registry.get(model)
        if page is None or not page.has_view_permission(request):
            continue
        try:
            url = reverse(f"admin:kiq_{name}_changelist", current_app=site.name)
        except NoReverseMatch:  # a page without a list
            continue
        found.append(Link(str(label), url, counts.get(name), name == current))
    return found


def _counts(counts: once.Counts) -> dict[str, int]:
    return {
        "queue": counts.queues,
        "runningjob": counts.running,
        "retryjob": counts.retries,
        "scheduledjob": counts.scheduled,
        "deadjob": counts.dead,
        "process": counts.processes,
    }
