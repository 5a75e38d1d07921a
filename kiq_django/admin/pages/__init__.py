"""One module a page. The door for pages of features: `PAGES`."""

from django.db.models import Model

from kiq_django import models
from kiq_django.admin.page import Page
from kiq_django.admin.pages.audit import AuditPage
from kiq_django.admin.pages.configuration import ConfigurationPage
from kiq_django.admin.pages.dead import DeadPage
from kiq_django.admin.pages.job import JobPage
from kiq_django.admin.pages.metrics import MetricsPage
from kiq_django.admin.pages.operations import OperationsPage
from kiq_django.admin.pages.overview import OverviewPage
from kiq_django.admin.pages.processes import ProcessesPage
from kiq_django.admin.pages.queued import QueuedPage
from kiq_django.admin.pages.queues import QueuesPage
from kiq_django.admin.pages.retries import RetriesPage
from kiq_django.admin.pages.running import RunningPage
from kiq_django.admin.pages.scheduled import ScheduledPage

PAGES: dict[type[Model], type[Page]] = {
    models.Overview: OverviewPage,
    models.Queue: QueuesPage,
    models.QueuedJob: QueuedPage,
    models.RunningJob: RunningPage,
    models.RetryJob: RetriesPage,
    models.ScheduledJob: ScheduledPage,
    models.DeadJob: DeadPage,
    models.Job: JobPage,
    models.Process: ProcessesPage,
    models.JobMetrics: MetricsPage,
    models.Operation: OperationsPage,
    models.Audit: AuditPage,
    models.Configuration: ConfigurationPage,
}
"""Every page of the dashboard by the model whose rights it asks for."""
