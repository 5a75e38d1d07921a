"""The strip of numbers of one job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from kiq_django.admin.jobmetrics.changes import Change
from kiq_django.admin.jobmetrics.columns import COLUMNS, Column

if TYPE_CHECKING:
    from kiq_django.api import JobFigures

BY_KEY = {column.key: column for column in COLUMNS}


@dataclass(frozen=True, slots=True)
class Number:
    """One of them."""

    label: Any
    text: str
    note: str = ""
    change: Change | None = None
    tone: str = ""


def strip(job: JobFigures) -> list[Number]:
    """Seven numbers: more do not stand in one row."""
    rate, average = BY_KEY["fail_rate"], BY_KEY["average"]
    failed, total = BY_KEY["failures"], BY_KEY["total"]
    mean = _("%(time)s on average") % {"time": average.text(job)} if job.successes else ""
    tone = "bad" if job.failures else ""
    return [
        _number(BY_KEY["runs"], job),
        Number(failed.label, failed.text(job), rate.text(job), rate.change(job), tone),
        Number(total.label, total.text(job), mean),
        *(_number(BY_KEY[key], job) for key in ("p50", "p95", "p99", "wait_p95")),
    ]


def _number(column: Column, job: JobFigures) -> Number:
    return Number(column.label, column.text(job), change=column.change(job))
