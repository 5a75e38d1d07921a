"""Jobs whose time has not come."""

from __future__ import annotations

from kiq_django.admin.jobfilters import ByDue, ByJob, ByQueue
from kiq_django.admin.joblist import JobListPage
from kiq_django.admin.jobrows import Place


class ScheduledPage(JobListPage):
    """The schedule, the next one first."""

    place = Place("schedule")
    columns = ("job", "arguments", "queue", "created", "due")
    list_filter = (ByDue, ByJob, ByQueue)
