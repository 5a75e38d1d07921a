"""Jobs that failed for good."""

from __future__ import annotations

from kiq_django.admin.jobfilters import ByError, ByGroup, ByJob, ByQueue
from kiq_django.admin.joblist import JobListPage
from kiq_django.admin.jobrows import Place


class DeadPage(JobListPage):
    """The dead set, the latest death first."""

    place = Place("dead", downwards=True)
    columns = ("job", "arguments", "error", "queue", "died")
    list_filter = (ByGroup, ByJob, ByError, ByQueue)
