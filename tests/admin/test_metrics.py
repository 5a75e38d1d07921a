"""The pages of metrics: all jobs, and one."""

import re

import pytest

from kiq_django import clock
from kiq_django.api import Metrics
from tests.support import round_trips

PAGE = "/admin/kiq/jobmetrics/"
RECORD = "tests.jobsapp.jobs.record"
INVOICE = "tests.jobsapp.jobs.invoice"


def names(page):
    return [line.name for line in page.context["lines"]]


def cell(page, name, label):
    (line,) = [line for line in page.context["lines"] if line.name == name]
    (found,) = [each for each in line.cells if str(each.label) == label]
    return found


def text(page, name, label):
    return cell(page, name, label).text.replace("\N{NO-BREAK SPACE}", " ")


# --- all jobs ---


def test_a_job_has_its_figures(viewer, ran):
    ran("shop.pay", [20] * 90 + [900] * 10, [5] * 100, failures=25)
    page = viewer.get(PAGE)
    assert page.status_code == 200
    told = [text(page, "shop.pay", each) for each in ("Runs", "Failed", "Fail rate", "Total time", "Average")]
    assert told == ["125", "25", "20%", "11 s", "108 ms"]
    assert text(page, "shop.pay", "p50") == "26 ms"
    assert text(page, "shop.pay", "Wait p95") == "19 ms"
    html = page.content.decode()
    assert 'href="/admin/kiq/jobmetrics/shop.pay/?period=1h"' in html
    assert "Throughput" in html


def test_totals_are_of_all_pages(viewer, ran, monkeypatch):
    monkeypatch.setattr("kiq_django.admin.pages.metrics.PER_PAGE", 2)
    for number in range(5):
        ran(f"job{number}", [100] * (number + 1), failures=1)
    page = viewer.get(PAGE)
    assert names(page) == ["job4", "job3"]
    totals = page.context["totals"]
    assert (totals.jobs, totals.runs, totals.failures, totals.time) == (5, 20, 5, "1.5 s")
    assert names(viewer.get(PAGE, {"page": "3"})) == ["job0"]
    assert names(viewer.get(PAGE, {"page": "999"})) == ["job0"]
    assert names(viewer.get(PAGE, {"page": "<script>"})) == ["job4", "job3"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("", ["slow", "often", "bad"]),
        ("name", ["bad", "often", "slow"]),
        ("-name", ["slow", "often", "bad"]),
        ("-runs", ["often", "bad", "slow"]),
        ("runs", ["slow", "bad", "often"]),
        ("-failures", ["bad", "often", "slow"]),
        ("-fail_rate", ["bad", "often", "slow"]),
        ("-average", ["slow", "bad", "often"]),
        ("-p50", ["slow", "bad", "often"]),
        ("-p95", ["slow", "bad", "often"]),
        ("-p99", ["slow", "bad", "often"]),
        ("-wait_p95", ["bad", "often", "slow"]),
        ("-total; DROP", ["slow", "often", "bad"]),
        ("--total", ["slow", "often", "bad"]),
    ],
)
def test_every_column_sorts(viewer, ran, order, expected):
    ran("often", [10] * 50, [10] * 50)
    ran("slow", [60_000])
    ran("bad", [100] * 4, [3000] * 4, failures=4)
    assert names(viewer.get(PAGE, {"o": order})) == expected


def test_heads_turn_the_order_round(viewer, ran):
    ran("a", [10])
    text = viewer.get(PAGE, {"o": "-runs", "period": "8h", "q": "a"}).content.decode()
    assert re.search(r'aria-sort="descending"><a href="\?period=8h&amp;o=runs&amp;q=a">', text)
    assert 'href="?period=8h&amp;o=-p95&amp;q=a"' in text
    assert 'href="?period=8h&amp;o=name&amp;q=a"' in text
    assert 'aria-sort="ascending"' in viewer.get(PAGE, {"o": "name"}).content.decode()


def test_search_by_name(viewer, ran):
    ran("shop.Pay", [10])
    ran("mail.Send", [30])
    page = viewer.get(PAGE, {"q": "pay"})
    assert names(page) == ["shop.Pay"]
    assert page.context["totals"].jobs == 1
    assert cell(page, "shop.Pay", "Total time").share == 25
    assert "No job with" in viewer.get(PAGE, {"q": "nobody"}).content.decode()


def test_the_time_before(viewer, ran):
    ran("slower", [1000] * 20, [10] * 20)
    ran("slower", [100] * 40, [10] * 40, minutes_ago=80)
    ran("new", [10], failures=2)
    ran("rare", [10_000] * 2, minutes_ago=3)
    ran("rare", [10] * 2, minutes_ago=80)
    page = viewer.get(PAGE)
    runs, p95 = cell(page, "slower", "Runs").change, cell(page, "slower", "p95").change
    assert (runs.arrow, runs.amount, runs.tone) == ("▼", "50%", "")
    assert p95.arrow == "▲"
    assert p95.tone == "bad"
    assert p95.words.endswith("times as much as before")
    assert cell(page, "slower", "Wait p95").change is None
    assert cell(page, "new", "Runs").change.amount == "new"
    assert cell(page, "new", "Fail rate").change is None, "three runs tell nothing"
    assert cell(page, "rare", "p95").change is None
    assert "50% less than before" in page.content.decode()


@pytest.mark.parametrize(("period", "minutes_ago"), [("1h", 30), ("8h", 400), ("24h", 1300), ("72h", 4000)])
def test_every_period(viewer, ran, period, minutes_ago):
    ran("a", [10], minutes_ago=minutes_ago)
    page = viewer.get(PAGE, {"period": period})
    assert names(page) == ["a"]
    assert f'<a href="?period={period}" aria-current="page">' in page.content.decode().replace('"?"', '"?period=1h"')
    detail = viewer.get(f"{PAGE}a/", {"period": period})
    assert detail.context["job"].runs == 1


def test_an_unknown_period_is_an_hour(viewer, ran):
    ran("a", [10])
    assert names(viewer.get(PAGE, {"period": "9000h"})) == ["a"]


def test_the_chart_of_all_jobs_marks_deploys(viewer, ran, store):
    ran("a", [10] * 7, failures=2)
    ran("a", [10] * 3, minutes_ago=10)
    ran("a", [10] * 5, minutes_ago=80)
    Metrics(store).mark("3f2a")
    for period in ("1h", "8h", "24h", "72h"):
        page = viewer.get(PAGE, {"period": period})
        assert "3f2a" in page.content.decode()
        shown = 12 if period == "1h" else 17
        assert sum(int(row[1]) + int(row[2]) for row in page.context["everything"].chart.table.rows) == shown


def test_nothing_ran(viewer, settings):
    text = viewer.get(PAGE).content.decode()
    assert "No job ran in the last 1 h." in text
    assert "kiq_django.features.metrics" in text
    settings.KIQ = {**settings.KIQ, "FEATURES": ["kiq_django.features.metrics"]}
    text = viewer.get(PAGE).content.decode()
    assert "python manage.py runworker" in text
    assert 'href="?period=24h"' in text


# --- one job ---


def test_one_job(viewer, ran, store):
    ran(RECORD, [25] * 50 + [4000] * 5, [8] * 55, failures=5)
    ran(RECORD, [25] * 10, [8] * 10, minutes_ago=80)
    Metrics(store).mark("3f2a")
    page = viewer.get(f"{PAGE}{RECORD}/")
    text = page.content.decode()
    told = {str(number.label): number for number in page.context["figures"]}
    assert [told[each].text for each in ("Runs", "Failed", "Total time", "p95")] == ["60", "5", "21 s", "4.7 s"]
    assert (told["Failed"].note, told["Total time"].note) == ("8.3%", "386 ms on average")
    assert told["Runs"].change.amount == "\N{MULTIPLICATION SIGN}6.0"
    for expected in ("Run time over time", "Wait in the queue over time", "Runs by run time", "3f2a", "p50", "p95 p99"):
        assert expected in text
    assert text.count("<figure") == 4
    assert text.count("<title id=") == text.count("<desc id=") == text.count("<details") == 4
    assert "jobs.py:" in text
    assert "25 times" in text


def test_declared_options(viewer):
    page = viewer.get(f"{PAGE}{INVOICE}/")
    declared = page.context["declared"]
    assert (declared.queue, declared.retry) == ("mail", "5 times")
    assert declared.options == (("tags", "billing"),)
    assert 'href="/admin/kiq/queue/mail/"' in page.content.decode()


def test_failures_of_this_job(viewer, ran, put):
    ran("shop.jobs.pay", [10], failures=3)
    put("retry", 60, error_class="billing.CardTimeout", error_message="after 10 s", retry_count=1)
    put("dead", -5, error_class="ValueError", error_message="token=canary")
    put("dead", -5, name="shop.jobs.other", error_class="KeyError", error_message="x")
    assert "Not all failures are counted yet." in viewer.get(f"{PAGE}shop.jobs.pay/").content.decode()
    for place in ("retry", "dead"):
        viewer.get(f"/admin/kiq/{place}job/groups/")
    page = viewer.get(f"{PAGE}shop.jobs.pay/")
    text = page.content.decode()
    assert "Not all" not in text
    assert {line.title for line in page.context["failures"].lines} == {"billing.CardTimeout", "ValueError"}
    assert 'href="/admin/kiq/deadjob/?job=shop.jobs.pay"' in text
    (line,) = [line for line in page.context["failures"].lines if line.place == "retry"]
    assert viewer.get(line.url).context["cl"].result_count == 1
    assert "canary" not in text


def test_failures_take_rights_of_their_own(client, person, put):
    put("dead", -5, error_class="ValueError", error_message="x")
    client.force_login(person("view_jobmetrics"))
    page = client.get(f"{PAGE}shop.jobs.pay/")
    assert page.status_code == 200
    assert "ValueError" not in page.content.decode()
    assert "deadjob" not in page.content.decode()


HOSTILE = [
    "<script>alert(1)</script>",
    "a/b",
    "a|b",
    "%2e%2e",
    "ä\u202eö",
    "a b?c=d#e",
    "'\"",
    "x" * 3000,
    "{{ 1 }}",
    "act",
    "0",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_has_a_page(viewer, ran, name):
    ran(name, [10])
    listing = viewer.get(PAGE)
    assert "<script>alert" not in listing.content.decode()
    (line,) = listing.context["lines"]
    page = viewer.get(line.url)
    assert page.status_code == 200
    assert page.context["job"].runs == 1
    assert "<script>alert" not in page.content.decode()


def test_a_name_that_no_address_can_hold(viewer, ran):
    ran("two\nlines", [10])
    page = viewer.get(PAGE)
    assert names(page) == ["two lines"]
    assert page.context["lines"][0].url == ""


def test_an_unknown_job(viewer):
    page = viewer.get(f"{PAGE}nobody/")
    assert page.status_code == 200
    assert "It did not run in the last 1 h." in page.content.decode()
    assert "declares no job of this name" in page.content.decode()


def test_the_page_of_a_job_leads_there(viewer, ran, put):
    ran("shop.jobs.pay", [10] * 30, failures=10)
    page = viewer.get(f"/admin/kiq/job/{put('retry', 60).jid}/")
    text = page.content.decode()
    assert "40 runs in the last hour, 25% failed, p95 19 ms" in text
    assert 'href="/admin/kiq/jobmetrics/shop.jobs.pay/"' in text


def test_a_running_job_is_held_against_what_is_usual(viewer, ran, running, beat):
    ran("shop.jobs.pay", [1000] * 30)
    payload, entry = running(run_at=int(clock.now()) - 600)
    beat("web:1:aa", {"t1": entry})
    assert "longer than usual" in viewer.get(f"/admin/kiq/job/{payload.jid}/").content.decode()


# --- rights, sites, costs ---


def test_it_takes_a_right(client, person):
    client.force_login(person("view_overview"))
    assert client.get(PAGE).status_code == 403
    assert client.get(f"{PAGE}a/").status_code == 403


def test_on_a_site_of_its_own(viewer, ran):
    ran("a", [10])
    text = viewer.get("/office/kiq/jobmetrics/").content.decode()
    assert "/office/kiq/jobmetrics/a/" in text
    assert "/admin/kiq" not in text
    assert "/admin/kiq" not in viewer.get("/office/kiq/jobmetrics/a/").content.decode()


@pytest.mark.parametrize("address", [PAGE, f"{PAGE}job1/"])
@pytest.mark.parametrize("period", ["1h", "72h"])
def test_round_trips_and_size(viewer, ran, beat, put, address, period):
    beat("web:1:aa")
    for number in range(50):
        ran(f"job{number}", [10] * 20, [10] * 20, failures=1)
    put("dead", -5, name="job1", error_class="X")
    viewer.get(address)
    with round_trips() as sent:
        page = viewer.get(address, {"period": period})
    assert len(sent) <= 12
    assert len(page.content) <= 60_000


def test_what_is_no_figure(viewer, ran, store):
    ran("a", [10])
    for key in store.link.call("KEYS", "kiq:figures:*"):
        store.link.call("SET", key, b"\xff" * 500)
    assert viewer.get(PAGE).status_code == 200
    assert viewer.get(f"{PAGE}a/").status_code == 200
