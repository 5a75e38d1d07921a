"""The figures of a job that pages show, and how each is written and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kiq_django import durations
from kiq_django.admin import formats
from kiq_django.admin.jobmetrics.changes import Better, Change, change
from kiq_django.admin.lazily import submodule

if TYPE_CHECKING:
    from kiq_django.api import Figures, JobFigures

FEWEST_COMPARED: Final = 10
"""Runs without which a rate or a percentile is chance."""


def milliseconds(value: float | None) -> str:
    """`85 ms`, `450 ms`, `2.1 s`, `4 min 10 s`; a dash when unknown."""
    if value is None:
        return formats.NOTHING
    if value < 1000:
        return _("%(number)s ms") % {"number": formats.number(value)}
    return durations.human(value / 1000)


@dataclass(frozen=True, slots=True)
class Column:
    """One figure."""

    key: str
    """Of `api.figures.COLUMNS`."""
    label: Any
    show: Callable[[Any], str]
    is_number: bool = True
    is_compared: bool = False
    better: Better = ""

    def of(self, figures: Figures) -> Any:
        """The figure itself; None when unknown."""
        return submodule("figures").COLUMNS[self.key](figures)

    def text(self, figures: Figures) -> str:
        """As people read it."""
        return self.show(self.of(figures))

    def change(self, job: JobFigures) -> Change | None:
        """Against the time before, where that says something."""
        before = job.before
        if before is None or not self.is_compared:
            return None
        if self.better and min(job.runs, before.runs) < FEWEST_COMPARED:
            return None
        return change(self.of(job), self.of(before), self.better)


COLUMNS: Final = (
    Column("name", gettext_lazy("Job"), str, is_number=False),
    Column("runs", gettext_lazy("Runs"), formats.number, is_compared=True),
    Column("failures", gettext_lazy("Failed"), formats.number),
    Column("fail_rate", gettext_lazy("Fail rate"), formats.percent, is_compared=True, better="less"),
    Column("total", gettext_lazy("Total time"), milliseconds),
    Column("average", gettext_lazy("Average"), milliseconds),
    Column("p50", gettext_lazy("p50"), milliseconds),
    Column("p95", gettext_lazy("p95"), milliseconds, is_compared=True, better="less"),
    Column("p99", gettext_lazy("p99"), milliseconds),
    Column("wait_p95", gettext_lazy("Wait p95"), milliseconds, is_compared=True, better="less"),
)
FIGURES: Final = COLUMNS[1:]
"""All but the name."""
