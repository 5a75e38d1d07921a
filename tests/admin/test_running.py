"""What runs."""

import json
import re

import pytest

from kiq_django import clock
from kiq_django.payload import Payload

LIST = "/admin/kiq/runningjob/"


@pytest.fixture
def works(beat):
    """Have one process run jobs."""

    def works(*jobs, identity="host:1:aa"):
        entries = {}
        for number, (name, queue, seconds) in enumerate(jobs):
            payload = Payload.new(name, [number], {"password": "canary"}, queue=queue, retry=True, now=clock.now())
            entry = {"queue": queue, "payload": payload.encode().decode(), "run_at": clock.now() - seconds}
            entries[f"t{number}"] = json.dumps(entry).encode()
        beat(identity, entries)

    return works


def names(page):
    return [row.record.name for row in page.context["cl"].result_list]


def test_the_longest_running_comes_first(operator, works):
    works(("quick", "mail", 2), ("slow", "pdf", 700))
    page = operator.get(LIST)
    assert names(page) == ["slow", "quick"]
    text = page.content.decode()
    assert re.search(r"11 min 4\d s", text)
    assert "canary" not in text


def test_arguments_take_a_right(operator, works):
    works(("quick", "mail", 2))
    assert "field-call" in operator.get(LIST).content.decode()


def test_a_viewer_sees_no_arguments(viewer, works):
    works(("quick", "mail", 2))
    assert "field-call" not in viewer.get(LIST).content.decode()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"queue": "mail"}, ["quick"]),
        ({"job": "slow"}, ["slow"]),
        ({"longer": "60"}, ["slow"]),
        ({"longer": "1e999"}, ["slow", "quick"]),
        ({"process": "nobody"}, []),
    ],
)
def test_filters(viewer, works, query, expected):
    works(("quick", "mail", 2), ("slow", "pdf", 700))
    assert names(viewer.get(LIST, query)) == expected


# --- against what is usual ---


@pytest.fixture
def usually(ran):
    """A job of which 95 of 100 end within 20 s."""
    ran("slow", [19_999] * 50, minutes_ago=180)


def test_elapsed_against_what_is_usual(viewer, usually, works):
    works(("slow", "pdf", 10), ("other", "pdf", 2))
    text = viewer.get(LIST).content.decode()
    assert "p95 20 s" in text
    assert re.search(r'aria-label="[5-9]\d% of p95"', text)
    assert "over p95" not in text
    assert 'href="/admin/kiq/jobmetrics/slow/"' in text
    assert 'href="/admin/kiq/jobmetrics/other/"' in text


def test_longer_than_usual(viewer, usually, works):
    works(("slow", "pdf", 60))
    text = viewer.get(LIST).content.decode()
    assert "kiq-bar kiq-warn" in text
    assert "over p95 (20 s)" in text


def test_a_quick_job_may_have_ended_since_the_last_beat(viewer, ran, works):
    ran("quick", [25] * 50, minutes_ago=180)
    works(("quick", "mail", 4))
    assert "over p95" not in viewer.get(LIST).content.decode()


def test_longer_than_it_may(viewer, works, monkeypatch):
    monkeypatch.setattr("kiq_django.admin.elapsed._limit", lambda work: 30.0)
    works(("slow", "pdf", 60))
    text = viewer.get(LIST).content.decode()
    assert "over its limit (30 s)" in text


def test_a_name_is_never_markup(viewer, works):
    works(("<script>alert(1)</script>", "pdf", 60))
    assert "<script>alert" not in viewer.get(LIST).content.decode()
