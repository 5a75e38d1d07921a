"""Where the failures of one job lie: groups in the retry and in the dead set, and the lists of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest

from kiq_django import models, redaction
from kiq_django.admin import jobtext, links, rights
from kiq_django.admin.lazily import api, store, submodule

if TYPE_CHECKING:
    from kiq_django.api import FailureCount, FailureGroup

MOST_SHOWN: Final = 10
PLACES: Final = {"retry": models.RetryJob, "dead": models.DeadJob}


@dataclass(frozen=True, slots=True)
class Line:
    """One group."""

    place: str
    title: str
    pattern: str
    count: int
    last_at: float | None
    url: str


@dataclass(frozen=True, slots=True)
class Failures:
    """What is known of them."""

    lines: tuple[Line, ...]
    """The largest groups."""
    lists: tuple[tuple[str, str], ...]
    """Name and address of each list that this person may see, with the jobs of this name alone."""
    counted_at: float | None
    """Epoch seconds: nothing that is told is older. None when there is nothing to count."""
    uncounted: str
    """The address that counts on, when not all was looked at."""


def of_job(name: str, request: HttpRequest, site: str) -> Failures:
    """Of what this person may see, as far as it is counted: one round trip a set. The pages of groups count on."""
    lines: list[Line] = []
    lists, counts = [], []
    uncounted = ""
    for place, model in PLACES.items():
        if not rights.may(request, f"view_{model._meta.model_name}"):
            continue
        url, count = links.url_of_list(model, site), _count(place)
        lists.append((str(model._meta.verbose_name_plural), f"{url}?{urlencode({'job': name})}"))
        lines += [_line(place, group, url) for group in count.groups if group.name == name]
        if count.total:
            counts.append(count.counted_at)
            uncounted = uncounted if count.complete else f"{url}groups/"
    lines.sort(key=lambda line: -line.count)
    return Failures(tuple(lines[:MOST_SHOWN]), tuple(lists), min(counts, default=None), uncounted)


def _count(place: Any) -> FailureCount:
    no_time = submodule("budget").Budget(seconds=0.0, jobs=0)
    found: FailureCount = api.FailureGroups(place, store()).count(no_time)
    return found


def _line(place: str, group: FailureGroup, url: str) -> Line:
    return Line(
        place=place,
        title=jobtext.cut(group.error_class, jobtext.LONGEST_NAME),
        pattern=jobtext.cut(redaction.redact_text(group.pattern), jobtext.LONGEST_ERROR),
        count=group.count,
        last_at=group.last_at,
        url=f"{url}?{urlencode({'group': group.fingerprint})}",
    )
