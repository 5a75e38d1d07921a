"""What a queue is made of, and how its last hour was."""

from datetime import UTC, datetime, timedelta

import pytest

from kiq_django import clock
from kiq_django.admin import queuesplit
from kiq_django.admin.charts.trend import trend
from kiq_django.admin.queuesplit import MOST, Sample, split
from tests.support import round_trips

QUEUE = "/admin/kiq/queue/default/"
AT = datetime(2026, 2, 3, 4, 0, tzinfo=UTC)


def parts(page):
    return [(kind.part.label, kind.part.number) for kind in page.context["split"].kinds]


# --- by name ---


def test_by_name(viewer, put):
    for name, count in (("shop.jobs.send", 5), ("shop.jobs.report", 2), ("<b>", 1)):
        for _ in range(count):
            put("queue", name=name)
    page = viewer.get(QUEUE)
    text = page.content.decode()
    assert parts(page) == [("shop.jobs.send", "5"), ("shop.jobs.report", "2"), ("<b>", "1")]
    assert 'href="/admin/kiq/jobmetrics/shop.jobs.send/"' in text
    assert "All jobs of the queue were counted." in text
    assert "<b>" not in text.replace("<b>Background", "")


def test_further_names_are_one_part(viewer, put):
    for number in range(8):
        put("queue", name=f"job{number}")
    assert parts(viewer.get(QUEUE))[-1] == ("others", "3")


def test_it_says_how_many_it_looked_at(viewer, put_many, put):
    put_many("queue", 700)
    put("queue", name="latest")
    page = viewer.get(QUEUE)
    assert parts(page) == [("shop.jobs.pay", "500")]
    assert "Of the 500 jobs that come next; 701 wait in all." in page.content.decode()
    page = viewer.get(QUEUE, {"newest": "1"})
    assert parts(page) == [("shop.jobs.pay", "499"), ("latest", "1")]
    assert "Of the 500 jobs that came last" in page.content.decode()


def test_large_jobs_are_not_read_for_it(viewer, put, monkeypatch):
    monkeypatch.setattr(queuesplit, "HEAVY", 100)
    for _ in range(60):
        put("queue")
    page = viewer.get(QUEUE)
    assert page.context["split"].counted == 50
    assert len(page.context["cl"].result_list) == 50
    assert len(viewer.get(QUEUE, {"p": "2"}).context["cl"].result_list) == 10


def test_pages_of_rows_from_the_sample_and_beyond(viewer, put_many):
    made = put_many("queue", 620)
    for number in (1, 2, 10, 11, 13):
        rows = viewer.get(QUEUE, {"p": str(number)}).context["cl"].result_list
        first = 50 * (number - 1)
        assert [row.record.jid for row in rows] == [job.jid for job in made[first : first + 50]]


def test_an_empty_queue_has_no_split(viewer, store):
    store.queues.pause("default", {"by": "ada"})
    assert viewer.get(QUEUE).context["split"] is None
    assert split(Sample([], 0), "admin") is None
    assert MOST == 500


def test_what_cannot_be_read_has_no_name(viewer, store):
    store.link.call("LPUSH", store.keys.queue("default"), b"\xff not JSON")
    store.link.call("SADD", store.keys.queues(), "default")
    assert parts(viewer.get(QUEUE)) == [("(not readable)", "1")]


# --- the last hour ---


@pytest.fixture
def measured(store, put):
    """A queue of three jobs that was measured three times; some left it."""
    for _ in range(3):
        put("queue")
    now = clock.now()
    for minutes in (30, 29, 5):
        begin = int((now - 60 * minutes) // 60) * 60
        assert store.sizes.take(begin)
        store.ledger.write({}, now, {begin: {"default": 7 * minutes}})


def test_the_last_hour(viewer, measured):
    page = viewer.get(QUEUE)
    size, out = page.context["charts"]
    assert len([row for row in size.table.rows if row[1] == "3"]) == 3
    assert {row[1] for row in out.table.rows} == {"unknown", "35", "203", "210"}
    assert page.content.decode().count("<figure") == 3


def test_nobody_measured(viewer, put):
    put("queue")
    assert list(viewer.get(QUEUE).context["charts"]) == []


def test_what_is_usual_is_part_of_the_reasons(viewer, ran, beat, running, put):
    ran("shop.jobs.pay", [1000] * 30)
    put("queue", queue="mail")
    work = {f"t{number}": running(run_at=int(clock.now()) - 600)[1] for number in range(5)}
    beat("web:1:aa", work)
    text = viewer.get("/admin/kiq/queue/mail/").content.decode()
    assert "(p95: 1.1 s)" in text


def test_round_trips(viewer, measured, beat):
    beat("web:1:aa")
    viewer.get(QUEUE)
    with round_trips() as sent:
        viewer.get(QUEUE)
    assert len(sent) <= 12


# --- a line with gaps ---


def drawn(*values, **options):
    points = [(AT + timedelta(minutes=number), value) for number, value in enumerate(values)]
    return trend(points, "Waiting", key="t", **options)


def test_a_gap_is_no_zero():
    line = drawn(1, 2, None, 4, 3).series[0].line
    assert line.count("M") == 2
    assert drawn(1, 2, None, 4, 3).table.rows[2][1] == "unknown"


def test_a_single_measurement_is_a_dot():
    assert "h0" in drawn(None, 5, None).series[0].line


@pytest.mark.parametrize("values", [(), (None, None), (float("nan"), -5, 1e300)])
def test_whatever_was_measured(values):
    assert drawn(*values).description
