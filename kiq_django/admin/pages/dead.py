"""Jobs that failed for good."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from kiq_django import models
from kiq_django.admin.jobrows import SetRows
from kiq_django.admin.lazily import api, store
from kiq_django.admin.lists import ListPage, Rows


class DeadPage(ListPage):
    """The dead set, the latest death first."""

    list_display = ("job", "queue")

    def rows(self, request: HttpRequest) -> Rows:
        return SetRows(api.DeadSet(store()), models.DeadJob, latest_first=True)

    def url_of(self, row: Model) -> str:
        return reverse("admin:kiq_deadjob_changelist", current_app=self.admin_site.name)

    @admin.display(description=_("Job"))
    def job(self, row: Any) -> Any:
        return row.record.display_name or _("not readable")

    @admin.display(description=_("Queue"))
    def queue(self, row: Any) -> Any:
        return row.record.queue
