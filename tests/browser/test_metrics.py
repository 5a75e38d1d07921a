"""The pages of metrics in a browser, and what other pages tell by what was measured."""

import json
import random

import pytest

from kiq_django import clock
from kiq_django.api import Metrics
from kiq_django.payload import Payload
from tests.admin.figures import seen
from tests.browser.looks import axe, expect, shot, width

PAGE = "/admin/kiq/jobmetrics/"
QUEUE = "/admin/kiq/queue/mailers/"
RUNNING = "/admin/kiq/runningjob/"
OVERVIEW = "/admin/kiq/overview/"
JOBS = {
    "shop.jobs.charge_card": (40, 450, 0.04),
    "mail.jobs.send_receipt": (120, 90, 0.002),
    "reports.jobs.build_monthly_report": (1, 42_000, 0.0),
    "photos.jobs.resize": (60, 700, 0.0),
    "search.jobs.reindex_product": (90, 35, 0.0),
    "billing.jobs.sync_invoices_with_the_accounting_system": (4, 5_200, 0.35),
    "shop.jobs.expire_carts": (1, 1_800, 0.0),
    "push.jobs.notify": (200, 25, 0.01),
}
"""Runs a minute, milliseconds of a usual one, share that fails."""


def counted(chance, runs, usual, failing):
    """What one worker has counted of one job in a minute."""
    number = max(0, round(chance.gauss(runs, runs / 5)))
    failures = sum(chance.random() < failing for _ in range(number))
    run = [chance.lognormvariate(0, 0.5) * usual for _ in range(number - failures)]
    return seen(run, [chance.lognormvariate(0, 1.2) * 60 for _ in range(number)], failures)


@pytest.fixture
def busy(store):
    """Two hours of a shop's life, with a deploy; then the card service gets slow."""
    chance, now = random.Random(7), clock.now()
    for minute in range(120):
        slow = 4 if minute < 20 else 1
        figures = {
            name: counted(chance, runs, usual * (slow if "card" in name else 1), failing * slow)
            for name, (runs, usual, failing) in JOBS.items()
        }
        store.ledger.write({name: each for name, each in figures.items() if each.runs}, now - 60 * minute)
    Metrics(store, now=now - 25 * 60).mark("3f2a91c")


@pytest.fixture
def failed(put):
    """Some failures that wait."""
    for number in range(12):
        error = {"error_class": "billing.CardTimeout", "error_message": f"gateway timed out after {number} s"}
        put("retry", 60 * number, name="shop.jobs.charge_card", retry_count=2, failed_at=clock.now() - 900, **error)
    put("dead", -500, name="shop.jobs.charge_card", error_class="ValueError", error_message="no such card")


def test_everybody_can_use_them(boss_page, busy, failed):
    for name in ("", "shop.jobs.charge_card/", "nobody/", f"{'x' * 300}/"):
        boss_page.goto(f"{PAGE}{name}")
        fits(boss_page)


def fits(page):
    """Everybody can use it, on a small screen too."""
    axe(page)
    width(page, "narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    width(page, "wide")


def test_sorting_and_search_work_without_a_script(page_as, boss_page, busy):
    page = page_as(java_script_enabled=False)
    page.context.add_cookies(boss_page.context.cookies())
    page.goto(PAGE)
    page.get_by_role("link", name="p99", exact=True).click()
    expect(page.locator(".kiq-cards tbody tr").first).to_contain_text("build_monthly_report")
    page.get_by_label("Name").fill("jobs.re")
    page.get_by_label("Sort by").select_option(label="Runs")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".kiq-cards tbody tr").first).to_contain_text("reindex_product")
    page.get_by_role("link", name="search.jobs.reindex_product").click()
    expect(page.locator("h1").last).to_contain_text("search.jobs.reindex_product")


def test_pictures_of_no_figures(boss_page, busy):
    boss_page.goto(f"{PAGE}tests.jobsapp.jobs.invoice/")
    shot(boss_page, "metrics-nothing")


# --- other pages ---


@pytest.fixture
def crowded(store, put, beat):
    """A queue that grows: measured every minute, with a gap; two threads are at it."""
    now = clock.now()
    for number in range(60):
        for _ in range(2 if number % 3 else 5):
            put("queue", queue="mailers", name="mail.jobs.send_receipt", enqueued_at=now - 60 * (60 - number))
        if number % 4 == 0:
            put("queue", queue="mailers", name="reports.jobs.build_monthly_report")
        begin = int((now - 60 * (59 - number)) // 60) * 60
        if not 20 <= number < 26:
            store.sizes.take(begin)
        store.ledger.write({}, now, {begin: {"mailers": 20 + number % 7}})
    put("queue", queue="mailers", name="push.jobs.notify")
    beat("web-2:4121:aa", {f"t{number}": entry(*each) for number, each in enumerate(RUNS)}, {"queues": ["mailers"]})


RUNS = [
    ("mail.jobs.send_receipt", 0.05),
    ("reports.jobs.build_monthly_report", 40),
    ("shop.jobs.charge_card", 95),
    ("new.jobs.first", 3),
]


def entry(name, seconds):
    """What a thread says that it runs."""
    payload = Payload.new(name, [4711], {"locale": "de"}, queue="mailers", retry=True, now=clock.now())
    said = {"queue": "mailers", "payload": payload.encode().decode(), "run_at": clock.now() - seconds}
    return json.dumps(said).encode()


def test_everybody_can_use_what_is_busy(boss_page, busy, failed, crowded):
    for address in (QUEUE, RUNNING, OVERVIEW):
        boss_page.goto(address)
        fits(boss_page)
