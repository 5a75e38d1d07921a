"""What a process remembers of the figures, so that pages can judge by them."""

import threading

import pytest

from kiq_django import clock, conf
from kiq_django.admin import evidence, lazily
from kiq_django.admin.evidence import Memory
from kiq_django.api.situation import look
from kiq_django.exceptions import StoreUnavailable
from tests.support import round_trips, wait_for

OVERVIEW = "/admin/kiq/overview/"
NOW = 1_770_091_500.0
"""2026-02-03 04:05 UTC."""


@pytest.fixture
def time(monkeypatch):
    """Time that passes when it is told to: `time.pass_by(60)`."""

    class Time:
        passed = 0.0

        def pass_by(self, seconds):
            self.passed += seconds

    made = Time()
    monkeypatch.setattr(clock, "now", lambda: NOW + made.passed)
    monkeypatch.setattr(clock, "monotonic", lambda: 1000.0 + made.passed)
    return made


def usual_of(store):
    return evidence.of(look(store)).usual


def test_figures_of_the_hour_and_of_the_day_before(store, ran, time):
    ran("pay", [10] * 30, failures=3)
    ran("pay", [400] * 30, minutes_ago=180)
    found = evidence.of(look(store))
    assert (found.recent["pay"].runs, found.recent["pay"].failures) == (33, 3)
    assert (found.before["pay"].runs, found.before["pay"].failures) == (30, 0)
    assert 0.335 < found.usual["pay"] < 0.5, "what is usual was so before"


def test_the_last_hour_is_not_compared_with_itself(store, ran, time):
    ran("pay", [10] * 30)
    assert evidence.of(look(store)).before == {}


def test_what_runs_seldom_has_no_usual_time(store, ran, time):
    ran("rare", [10] * 19)
    ran("often", [10] * 20)
    assert set(usual_of(store)) == {"often"}


def test_it_is_read_once_in_a_while(store, ran, time):
    ran("pay", [10] * 30)
    lazily.store().link.call("PING")
    with round_trips() as sent:
        evidence.usual()
    assert 4 <= len(sent) <= 6
    for _ in range(3):
        with round_trips() as sent:
            assert evidence.usual()
            assert evidence.lately()["pay"].runs == 30
        assert sent == []
    ran("pay", [10])
    time.pass_by(evidence.FRESH + 1)
    with round_trips() as sent:
        assert evidence.lately()["pay"].runs == 31
    assert 0 < len(sent) <= 4, "the day before is the same for an hour"
    time.pass_by(7200)
    with round_trips() as sent:
        assert evidence._memory().past().before["pay"].runs == 31
    assert 0 < len(sent) <= 4, "one of both tables at a time"
    assert evidence.lately()["pay"].runs == 31
    time.pass_by(evidence.FRESH + 1)
    assert evidence.lately() == {}


def test_new_settings_are_another_store(store, ran, time):
    ran("pay", [10] * 30)
    assert evidence.usual()
    store.link.call("FLUSHALL")
    assert evidence.usual()
    conf.reset()
    assert evidence.usual() == {}


def test_without_figures_pages_say_less(store, time, monkeypatch):
    def table(*args, **kwargs):
        raise StoreUnavailable("away")

    monkeypatch.setattr("kiq_django.api.metrics.Metrics.table", table)
    assert evidence.usual() == {}
    with round_trips() as sent:
        assert evidence.lately() == {}
    assert sent == []


def test_others_do_not_wait_for_who_reads(store, ran, time, monkeypatch):
    ran("pay", [10] * 30)
    memory = Memory()
    known = memory.past()
    time.pass_by(evidence.FRESH + 1)
    begun, go_on = threading.Event(), threading.Event()

    def read(_known):
        begun.set()
        assert go_on.wait(10)
        return known

    monkeypatch.setattr(evidence, "_read", read)
    reader = threading.Thread(target=memory.past)
    reader.start()
    assert begun.wait(10)
    assert memory.past() is known
    go_on.set()
    wait_for(lambda: not reader.is_alive())


def test_sizes_of_the_retry_set(time):
    memory = Memory()
    seen = []
    for minute, size in enumerate([5, 6, 7, 8, 9]):
        seen.append(memory.earlier(size))
        time.pass_by(5)
        assert memory.earlier(size) == seen[-1], "what comes and goes within seconds is no growth"
        time.pass_by(55)
        assert len(seen) == minute + 1
    assert seen == [[], [5], [5, 6], [5, 6, 7], [5, 6, 7, 8]]
    time.pass_by(7200)
    assert memory.earlier(9) == [], "that is not a moment ago"


# --- on the Overview ---


def told(page):
    return [point.text for point in page.context["findings"]]


def test_a_job_that_fails_as_never_before(viewer, ran, time):
    ran("shop.pay", [10] * 100, failures=1, minutes_ago=180)
    ran("shop.pay", [10] * 50, failures=50)
    page = viewer.get(OVERVIEW)
    assert "shop.pay fails in 50 % of its runs (usually 1 %)" in told(page)
    assert 'href="/admin/kiq/jobmetrics/shop.pay/"' in page.content.decode()


def test_a_job_that_runs_far_too_long(viewer, ran, beat, running, time):
    ran("shop.jobs.pay", [1000] * 100, minutes_ago=180)
    beat("web:1:aa", {"t1": running(run_at=int(NOW) - 600)[1]})
    assert "shop.jobs.pay has run for 10 min (p95: 1.1 s)" in told(viewer.get(OVERVIEW))


def test_more_and_more_retries(viewer, put, time):
    for _ in range(4):
        put("retry", 600)
        page = viewer.get(OVERVIEW)
        time.pass_by(evidence.LOOKS_APART)
    assert "more and more jobs wait for a retry: 4, a moment ago 1" in told(page)


def test_the_busiest_jobs(viewer, ran, time):
    assert "Jobs of the last hour" not in viewer.get(OVERVIEW).content.decode()
    for number in range(7):
        ran(f"job{number}", [100 * number] * 3, failures=number)
    time.pass_by(evidence.FRESH + 1)
    page = viewer.get(OVERVIEW)
    assert [job.name for job in page.context["busiest"]] == ["job6", "job5", "job4", "job3", "job2"]
    assert 'href="/admin/kiq/jobmetrics/job6/"' in page.content.decode()


def test_the_overview_costs_no_more_than_before(viewer, ran, beat, put):
    beat("web:1:aa")
    ran("pay", [10] * 30)
    put("retry", 60)
    viewer.get(OVERVIEW)
    with round_trips() as sent:
        viewer.get(f"{OVERVIEW}now/")
    assert len(sent) <= 8
