"""Jobs whose time has not come."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from kiq_django.admin.jobfilters import ByDue, ByJob, ByQueue
from kiq_django.admin.joblist import JobListPage
from kiq_django.admin.jobrows import Place


class ScheduledPage(JobListPage):
    """The schedule, the next one first."""

    empty = (
        gettext_lazy("Nothing is scheduled."),
        gettext_lazy("Jobs that are enqueued with enqueue_in or enqueue_at wait here for their time."),
    )

    place = Place("schedule")
    columns = ("job", "queue", "created", "due")
    list_filter = (ByDue, ByJob, ByQueue)
