"""Jobs that failed and are to be tried again."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from kiq_django.admin.jobfilters import ByDue, ByError, ByGroup, ByJob, ByQueue
from kiq_django.admin.joblist import FailedListPage
from kiq_django.admin.jobrows import Place


class RetriesPage(FailedListPage):
    """The retry set, the next one first."""

    empty = (
        gettext_lazy("No job is waiting for a retry."),
        gettext_lazy("A job that fails is tried again, later each time."),
    )

    place = Place("retry")
    columns = ("job", "error", "attempt_num", "queue", "due")
    list_filter = (ByGroup, ByDue, ByJob, ByError, ByQueue)
