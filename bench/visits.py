"""Every page of the dashboard, and every part of one that a browser asks for again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from bench.crowd import Crowd, Landmarks

PER_PAGE = 50
SEARCH_MS = 400.0
"""A page that searches may use up its budget of 250 ms."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Visit:
    """One page."""

    name: str
    address: str
    searches: bool = False
    """It goes through jobs as far as a budget allows, so how often it asks Redis depends on how many there are."""
    most_ms: float = 0.0
    """What it may take where that is not what a page may take."""
    before: Callable[[], None] = _nothing
    """What is to be done each time before."""


def visits(crowd: Crowd, landmarks: Landmarks) -> Iterator[Visit]:
    """All of them."""
    yield from _overview()
    yield from _queues(crowd, landmarks)
    yield from _sets(crowd, landmarks)
    yield from _groups()
    yield from _jobs(landmarks)
    yield from _others(landmarks)


def _to(path: str, **query: object) -> str:
    return f"/admin/kiq/{path}" + (f"?{urlencode(query)}" if query else "")


def _overview() -> Iterator[Visit]:
    for period in ("1h", "24h", "7d", "30d"):
        yield Visit(f"overview {period}", _to("overview/", range=period))
    yield Visit("overview: numbers", _to("overview/now/"))
    yield Visit("overview: tables", _to("overview/tables/"))


def _queues(crowd: Crowd, landmarks: Landmarks) -> Iterator[Visit]:
    yield Visit("queues", _to("queue/"))
    yield Visit("queues, second page", _to("queue/", p=2))
    yield Visit("queues, unserved", _to("queue/", state="unserved"))
    yield Visit("queue", _to("queue/default/"))
    yield Visit("queue, newest first", _to("queue/default/", newest=1))
    last = max(1, crowd.waiting // PER_PAGE)
    yield Visit("queue, page 15,000", _to("queue/default/", p=min(15_000, last)))
    yield Visit("queue, the last page", _to("queue/default/", p=last))
    yield Visit("queue, jobs of a name", _to("queue/default/", job="mail.jobs.digest"), True, SEARCH_MS)
    yield Visit("queue, text that is there", _to("queue/default/", q="customer19@"), True, SEARCH_MS)
    yield Visit("queue, text that is not there", _to("queue/default/", q="no such text"), True, SEARCH_MS)
    yield Visit("queue, id", _to("queue/default/", q=landmarks.queued), True, SEARCH_MS)


def _sets(crowd: Crowd, landmarks: Landmarks) -> Iterator[Visit]:
    middle = min(1_000, max(1, crowd.in_set // PER_PAGE))
    for model, place in (("scheduledjob", "schedule"), ("retryjob", "retry"), ("deadjob", "dead")):
        yield Visit(place, _to(f"{model}/"))
        yield Visit(f"{place}, page 1,000", _to(f"{model}/", p=middle))
        yield Visit(f"{place}, text that is there", _to(f"{model}/", q="customer19@"), True, SEARCH_MS)
        yield Visit(f"{place}, text that is not there", _to(f"{model}/", q="no such text"), True, SEARCH_MS)
        yield Visit(f"{place}, id", _to(f"{model}/", q=landmarks.in_sets[place][0]), True, SEARCH_MS)
        yield Visit(f"{place}, of a queue", _to(f"{model}/", queue="queue3"), True, SEARCH_MS)
        yield Visit(f"{place}, of a job", _to(f"{model}/", job="shop.jobs.sync"), True, SEARCH_MS)
    yield Visit("retry, due within an hour", _to("retryjob/", due="hour"), True, SEARCH_MS)
    yield Visit("dead, of an error", _to("deadjob/", error="billing.errors.CardTimeout"), True, SEARCH_MS)


def _groups() -> Iterator[Visit]:
    for model, place in (("retryjob", "retry"), ("deadjob", "dead")):
        yield Visit(
            f"{place}, groups: first look", _to(f"{model}/groups/"), True, before=lambda each=place: _forget(each)
        )
        yield Visit(f"{place}, groups: goes on", _to(f"{model}/groups/"), True)
        yield Visit(f"{place}, groups: counted", _to(f"{model}/groups/"), before=lambda each=place: _count(each))


def _forget(place: str) -> None:
    from kiq_django.api import FailureGroups

    FailureGroups(place).forget()  # type: ignore[arg-type]


def _count(place: str) -> None:
    from kiq_django.api import Budget, FailureGroups

    FailureGroups(place).count(Budget.without_end())  # type: ignore[arg-type]


def _jobs(landmarks: Landmarks) -> Iterator[Visit]:
    yield Visit("find a job", _to("job/"))
    hint = {"place": "queue", "queue": "default", "at": repr(landmarks.queued_at)}
    yield Visit("job of the queue, by its link", _to(f"job/{landmarks.queued}/", **hint))
    yield Visit("job of the queue, by its id", _to(f"job/{landmarks.queued}/"), True)
    for place, (jid, at) in landmarks.in_sets.items():
        yield Visit(f"job of {place}, by its link", _to(f"job/{jid}/", place=place, at=repr(at)))
        yield Visit(f"job of {place}, by its id", _to(f"job/{jid}/"), True, SEARCH_MS)
    yield Visit("job that runs", _to(f"job/{landmarks.running}/"))
    yield Visit("job that is nowhere", _to("job/6553f1000000abcdef012345/"), True, SEARCH_MS)
    yield Visit("text that is no id", _to("job/nonsense/"), True, SEARCH_MS)


def _others(landmarks: Landmarks) -> Iterator[Visit]:
    yield Visit("running", _to("runningjob/"))
    yield Visit("running, of a process", _to("runningjob/", process="web-3:4003:000000000003"))
    yield Visit("processes", _to("process/"))
    yield Visit("process", _to("process/web-3:4003:000000000003/"))
    yield Visit("operations", _to("operation/"))
    yield Visit("operation", _to(f"operation/{landmarks.operation}/"))
    yield Visit("operation: numbers", _to(f"operation/{landmarks.operation}/now/"))
    yield Visit("audit log", _to("audit/"))
    yield Visit("audit log, searched", _to("audit/", q="back"))
    yield Visit("settings", _to("configuration/"))
    yield Visit("new job", _to("job/new/"))
    yield from _metrics()


def _metrics() -> Iterator[Visit]:
    from kiq_django import models
    from kiq_django.admin.pages import PAGES

    if models.JobMetrics in PAGES:
        for period in ("1h", "8h", "24h", "72h"):
            yield Visit(f"metrics {period}", _to("jobmetrics/", period=period))
        yield Visit("metrics of a job", _to("jobmetrics/shop.jobs.charge/"))
