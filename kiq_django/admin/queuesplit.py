"""The jobs at the head of a queue: by name, for a look at what it is made of, and as the first rows of its list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Model
from django.utils.translation import gettext as _

from kiq_django import models
from kiq_django.admin import charts, jobtext, links
from kiq_django.admin.jobrows import JobRows, Place
from kiq_django.admin.lists import PER_PAGE

if TYPE_CHECKING:
    from kiq_django.api import JobRecord

MOST: Final = 500
"""Jobs that are looked at."""
HEAVY: Final = 4_000
"""Bytes of a job, on the average of one page, from which no more than that page is looked at."""
MOST_NAMES: Final = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """The first jobs in the order of the page."""

    jobs: Sequence[JobRecord]
    size: int
    """Jobs in the queue."""

    @classmethod
    def take(cls, place: Place, size: int) -> Sample:
        """At most two round trips: a page, and more when its jobs are not large."""
        jobs = list(place.page(0, PER_PAGE)) if size else []
        if len(jobs) == PER_PAGE and sum(len(job.raw) for job in jobs) <= HEAVY * PER_PAGE:
            jobs += place.page(PER_PAGE, min(size, MOST) - PER_PAGE) if size > PER_PAGE else []
        return cls(jobs, size)


@dataclass(frozen=True, slots=True)
class Kind:
    """Jobs of one name."""

    part: Any
    """As it is drawn."""
    url: str


@dataclass(frozen=True, slots=True)
class Split:
    """What a queue is made of, as far as it was looked at."""

    drawing: Any
    kinds: tuple[Kind, ...]
    counted: int
    size: int

    @property
    def is_whole(self) -> bool:
        """All of its jobs were looked at."""
        return self.counted >= self.size


def split(sample: Sample, site: str) -> Split | None:
    """By name, the most frequent first; None for an empty queue."""
    if not sample.jobs:
        return None
    counts = Counter(job.display_name for job in sample.jobs)
    common = counts.most_common(MOST_NAMES)
    rest = len(sample.jobs) - sum(count for _name, count in common)
    parts = [charts.Part(jobtext.cut(name, 60) or _("(not readable)"), count) for name, count in common]
    urls = [links.url_of_subject(models.JobMetrics, name, site) if name else "" for name, _count in common]
    if rest:
        parts.append(charts.Part(_("others"), rest, "idle"))
        urls.append("")
    drawing = charts.share(parts, _("Jobs by name"))
    kinds = tuple(Kind(*pair) for pair in zip(drawing.parts, urls, strict=True))
    return Split(drawing, kinds, len(sample.jobs), sample.size)


class SampledRows(JobRows):
    """The rows of a queue, of which the first ones were read already."""

    def __init__(self, place: Place, make: type[Any], cursor: str = "", sample: Sample | None = None) -> None:
        super().__init__(place, make, cursor=cursor)
        self.sample = sample

    def count(self) -> int:
        return super().count() if self.sample is None else self.sample.size

    def read(self, offset: int, limit: int) -> Sequence[Model]:
        if self.sample is None or min(offset + limit, self.sample.size) > len(self.sample.jobs):
            return super().read(offset, limit)
        return [self.row(job) for job in self.sample.jobs[offset : offset + limit]]
