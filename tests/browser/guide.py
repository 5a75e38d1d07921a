"""The style guide: a page that shows every component with sample data, and a part of it that changes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib import admin
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.template import engines

from kiq_django import models
from kiq_django.admin import charts, live
from kiq_django.admin.navigation import Link
from kiq_django.sections import DashboardSettings

NOW = datetime(2026, 11, 22, 20, 7, tzinfo=UTC)
TEMPLATE = Path(__file__).with_name("guide.html")
LABELS = (("Overview", None), ("Queues", 4), ("Running", 18), ("Retries", 122), ("Scheduled", 4018), ("Dead", 37),
          ("Processes", 2), ("Metrics", None), ("Operations", None), ("Audit", None), ("Settings", None))  # fmt: skip
ADDRESSES = ("overview", "queue", "runningjob", "retryjob", "scheduledjob", "deadjob", "process", "jobmetrics",
             "operation", "audit", "configuration")  # fmt: skip
BUCKETS = ("20 ms", "30 ms", "45 ms", "65 ms", "100 ms", "150 ms", "225 ms", "335 ms", "500 ms", "750 ms", "1.1 s",
           "1.7 s", "2.5 s", "3.8 s", "5.8 s", "8.5 s")  # fmt: skip

state: dict[str, Any] = {"processed": 1_284_031}
"""What the live part shows; tests change it."""


def page(request: HttpRequest) -> HttpResponse:
    """All components; `?empty=1` shows charts without data."""
    media = Media(css={"all": ["kiq/kiq.css"]}, js=["kiq/kiq.js"])
    links = [
        Link(label, f"/admin/kiq/{address}/", count, address == "overview")
        for (label, count), address in zip(LABELS, ADDRESSES, strict=True)
    ]
    context = {
        **admin.site.each_context(request),
        "opts": models.Overview._meta,
        "media": media,
        "nav": links,
        "kiq": DashboardSettings(environment="production"),
        "title": "Style guide",
        "now": NOW,
        "state": state,
        "queues": QUEUES,
        "chance": drawings(empty="empty" in request.GET),
        "ago": [datetime.now(UTC) - timedelta(seconds=each) for each in (3, 95, 4_000, 200_000)],
        "ahead": datetime.now(UTC) + timedelta(seconds=372),
    }
    return HttpResponse(engines["django"].from_string(TEMPLATE.read_text()).render(context, request))


def numbers(request: HttpRequest) -> HttpResponse:
    """The live part."""
    if state.get("broken"):
        return HttpResponse("no", status=503)
    return live.fragment(request, PART, {"state": state})


PART = "guide_numbers.html"
QUEUES = (
    ("critical", 0, 0, 40, 40, None, "serving", "serving"),
    ("default", 1_204, 21, 260, 255, None, "serving", "serving"),
    ("mailers", 8_106, 250, 12, 18, 79_200, "slow", "slow, why?"),
    ("low", 12, 86_400, 0, 0, None, "paused", "paused by ada"),
)
SHAPE = (0, 2, 8, 30, 66, 120, 190, 160, 90, 44, 20, 12, 30, 9, 2, 1)
CLASSES = (("mail.SendMail", 7_900, ""), ("reports.Build", 1_401, ""), ("Digest", 505, ""))
PROGRESS = (("done", 812, "ok"), ("failed", 61, "bad"), ("to do", 127, "idle"))


def drawings(*, empty: bool) -> dict[str, Any]:
    """One drawing of each kind, with data or without."""
    rng = random.Random(7)
    minutes = [] if empty else [(i, NOW - timedelta(minutes=60 - i)) for i in range(60)]
    buckets = [] if empty else BUCKETS
    hours = [] if empty else [int(9 * rng.random() ** 2) for _ in range(24)]
    shape = list(zip(buckets, SHAPE, strict=False))
    marks = [charts.Mark(NOW - timedelta(minutes=22), "3f2a91c")]
    columns = [charts.Column(at, tuple(_heat(rng, i, b) for b in range(len(buckets)))) for i, at in minutes]
    return {
        "throughput": charts.throughput([_point(rng, i, at) for i, at in minutes], marks),
        "spark": charts.sparkline(hours, "29 in 24 h", tone="bad"),
        "histogram": charts.histogram(shape, "Run time", [(6, "p50"), (12, "p95")]),
        "heat": charts.heatmap(columns, buckets, "Run time by minute"),
        "share": charts.share([] if empty else [charts.Part(*each) for each in CLASSES], "By class"),
        "progress": charts.share([] if empty else [charts.Part(*each) for each in PROGRESS], "Progress"),
    }


def _point(rng: random.Random, i: int, at: datetime) -> charts.Point:
    """An hour with a busy quarter, and with some failures after a deploy."""
    return charts.Point(at, 180 + 90 * rng.random() + 120 * (20 < i < 34), 12 * rng.random() ** 3 + 60 * (40 < i < 45))


def _heat(rng: random.Random, i: int, bucket: int) -> int:
    return int(40 * max(0, 1 - abs(bucket - 6 - 3 * (20 < i < 34)) / 4) * rng.random())
