"""One module a page. The door for pages of features: `PAGES`."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from django.contrib.admin import AdminSite
from django.db.models import Model

from kiq_django import models

if TYPE_CHECKING:
    from kiq_django.admin.page import Page

PAGES: Final[dict[type[Model], str]] = {
    models.Overview: "overview.OverviewPage",
    models.Queue: "queues.QueuesPage",
    models.QueuedJob: "queued.QueuedPage",
    models.RunningJob: "running.RunningPage",
    models.RetryJob: "retries.RetriesPage",
    models.ScheduledJob: "scheduled.ScheduledPage",
    models.DeadJob: "dead.DeadPage",
    models.Job: "job.JobPage",
    models.Process: "processes.ProcessesPage",
    models.JobMetrics: "metrics.MetricsPage",
    models.Operation: "operations.OperationsPage",
    models.Audit: "audit.AuditPage",
    models.Configuration: "configuration.ConfigurationPage",
}
"""Every page of the dashboard by the model whose rights it asks for: its module here, and its class."""


def made(model: type[Model], site: AdminSite) -> "Page":
    """The page of a model on a site. Its module, and what that needs, is imported now."""
    module, _, name = PAGES[model].partition(".")
    found: Page = getattr(import_module(f"{__name__}.{module}"), name)(model, site)
    return found
