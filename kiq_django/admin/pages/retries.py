"""Jobs that failed and are to be tried again."""

from __future__ import annotations

from kiq_django.admin.jobfilters import ByDue, ByError, ByGroup, ByJob, ByQueue
from kiq_django.admin.joblist import JobListPage
from kiq_django.admin.jobrows import Place


class RetriesPage(JobListPage):
    """The retry set, the next one first."""

    place = Place("retry")
    columns = ("job", "arguments", "error", "attempt", "queue", "due")
    list_filter = (ByGroup, ByDue, ByJob, ByError, ByQueue)
