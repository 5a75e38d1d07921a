"""Jobs that failed for good."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from kiq_django.admin.jobfilters import ByError, ByGroup, ByJob, ByQueue
from kiq_django.admin.joblist import FailedListPage
from kiq_django.admin.jobrows import Place


class DeadPage(FailedListPage):
    """The dead set, the latest death first."""

    empty = (
        gettext_lazy("No dead jobs."),
        gettext_lazy("They come here after the last retry (25 tries, about 21 days), or when somebody kills them."),
    )

    place = Place("dead", downwards=True)
    columns = ("job", "error", "queue", "died")
    list_filter = (ByGroup, ByJob, ByError, ByQueue)
