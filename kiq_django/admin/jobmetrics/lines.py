"""The table of jobs: heads that sort, a row for each job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from kiq_django import models
from kiq_django.admin import formats, jobtext, links
from kiq_django.admin.jobmetrics.asked import Asked
from kiq_django.admin.jobmetrics.changes import Change
from kiq_django.admin.jobmetrics.columns import COLUMNS, FIGURES, Column, milliseconds

if TYPE_CHECKING:
    from kiq_django.api import JobFigures

PIECE = re.compile(r"[^._:]+[._:]*|[._:]+")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column, a link that sorts by it."""

    label: Any
    url: str
    is_number: bool
    sorted: str
    """`ascending`, `descending`, or empty."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one job."""

    label: Any
    text: str
    change: Change | None = None
    tone: str = ""
    share: float | None = None
    """Percent of all jobs together, for a bar."""
    share_text: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One job."""

    name: str
    pieces: tuple[str, ...]
    """Of the name: between them a line may break."""
    url: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """All jobs of a table together."""

    jobs: int
    runs: int
    failures: int
    total_ms: int

    @classmethod
    def of(cls, jobs: Sequence[JobFigures]) -> Totals:
        """Of these jobs."""
        failures, total = sum(job.failures for job in jobs), sum(job.total_ms for job in jobs)
        return cls(len(jobs), sum(job.runs for job in jobs), failures, total)

    @property
    def fail_rate(self) -> float | None:
        return self.failures / self.runs if self.runs else None

    @property
    def time(self) -> str:
        """In words."""
        return milliseconds(self.total_ms)


def heads(asked: Asked) -> list[Head]:
    """One for each column. Names sort from A on, numbers from the largest; a second click turns it round."""
    return [_head(asked, column) for column in COLUMNS]


def _head(asked: Asked, column: Column) -> Head:
    is_current = asked.column == column.key
    turned = "" if asked.is_descending else "-"
    sign = turned if is_current else "-" if column.is_number else ""
    way = "descending" if asked.is_descending else "ascending"
    return Head(column.label, asked.address(order=f"{sign}{column.key}"), column.is_number, way if is_current else "")


def lines(jobs: Iterable[JobFigures], total_ms: float, period: str, site: str) -> list[Line]:
    """The rows of a page; `total_ms` is what all jobs took together, also those on other pages."""
    return [_line(job, total_ms, period, site) for job in jobs]


def _line(job: JobFigures, total_ms: float, period: str, site: str) -> Line:
    url = links.url_of_subject(models.JobMetrics, job.name, site)
    cells = tuple(_cell(column, job, total_ms) for column in FIGURES)
    name = jobtext.cut(job.name, jobtext.LONGEST_NAME)
    return Line(name, tuple(PIECE.findall(name)), f"{url}?period={period}" if url else "", cells)


def _cell(column: Column, job: JobFigures, total_ms: float) -> Cell:
    tone = "bad" if column.key in ("failures", "fail_rate") and job.failures else ""
    text = column.text(job).replace(" ", "\N{NO-BREAK SPACE}")  # a number and its unit stay together
    plain = Cell(column.label, text, column.change(job), tone)
    if column.key != "total" or total_ms <= 0:
        return plain
    share = min(1.0, job.total_ms / total_ms)
    told = _("%(share)s of the time of all jobs") % {"share": formats.percent(share)}
    return Cell(plain.label, plain.text, share=round(100 * share, 2), share_text=told)
