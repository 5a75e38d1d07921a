"""Five things that people come for, done in a browser on real jobs, with workers that are processes of their own."""

import re
import signal

import pytest
from django.contrib.admin.models import LogEntry

from kiq_django import clock
from kiq_django.admin import audit
from kiq_django.api import DeadSet, ProcessSet, Queue, RetrySet
from tests.acceptance.conftest import push, worker  # noqa: F401 - fixtures
from tests.browser.looks import expect
from tests.support import wait_for

ROW = "#result_list tbody tr"


@pytest.fixture
def done(tmp_path):
    """What jobs have left behind."""
    return lambda: (tmp_path / "effects").read_text().splitlines() if (tmp_path / "effects").exists() else []


def go(page, name: str) -> None:
    """Follow a link of the strip."""
    page.locator(".kiq-nav").get_by_role("link", name=name).click()
    expect(page.locator("h1").first).to_be_visible()


def test_find_out_why_a_queue_waits(boss_page, push, worker, done):  # noqa: F811
    push("touch", 7, queue="mailers")
    boss_page.goto("/admin/kiq/overview/")
    expect(boss_page.locator(".kiq-health")).to_contain_text("no worker")
    go(boss_page, "Queues")
    boss_page.get_by_role("link", name="mailers").click()
    why = boss_page.locator(".kiq-why")
    expect(why).to_contain_text("No worker runs")
    command = why.locator("code").first.inner_text()
    assert command.startswith("manage.py runworker")

    worker("-q", "mailers", "-c", "1").ready()  # as the page says
    wait_for(lambda: done() == ["touch 7"])
    expect(boss_page.locator(".kiq-health")).to_contain_text("is empty", timeout=15_000)  # by itself: the page is live

    push("begin", 8, 60, queue="mailers")
    wait_for(lambda: "begin 8" in done())
    push("touch", 9, queue="mailers")
    text = re.compile(r"the only thread is busy: tests\.acceptance\.app\.jobs\.begin for ")
    expect(boss_page.locator(".kiq-health")).to_contain_text(text, timeout=15_000)
    boss_page.locator(".kiq-why").get_by_role("link", name="running").first.click()
    expect(boss_page.locator(ROW)).to_have_count(1)
    expect(boss_page.locator(ROW)).to_contain_text("begin")


def test_find_one_job_by_an_argument(boss_page, push):  # noqa: F811
    jids = {number: push("touch", number, 0.25, queue="mailers") for number in range(4700, 4760)}
    boss_page.goto("/admin/kiq/queue/mailers/")
    boss_page.locator("#searchbar").fill("4711")
    boss_page.locator("#searchbar").press("Enter")
    expect(boss_page.locator(ROW)).to_have_count(1)
    boss_page.locator(ROW).get_by_role("link").first.click()
    expect(boss_page.locator("#kiq-jid")).to_have_text(jids[4711])
    expect(boss_page.locator(".kiq-json").first).to_contain_text("4711")


def test_retry_a_group_of_failures_spread_over_ten_minutes(boss_page, push, worker):  # noqa: F811
    for number in range(12):
        push("fail", number, retry=False)
    push("leave", 1, retry=False)
    process = worker("-c", "2").ready()
    wait_for(lambda: DeadSet().size >= 12)
    process.send(signal.SIGTERM)
    process.wait()
    boss_page.goto("/admin/kiq/overview/")
    go(boss_page, "Dead")
    boss_page.locator(".kiq-views").get_by_role("link", name="Groups").click()
    group = boss_page.locator(".kiq-groups tbody tr", has_text="ValueError")
    expect(group).to_contain_text("number #")
    group.get_by_role("button", name="Retry").click()
    expect(boss_page.locator("h1")).to_have_text("Retry 12 jobs?")
    boss_page.get_by_label("Spread over minutes").fill("10")
    boss_page.get_by_label("Reason").fill("the service is back")
    now = clock.now()
    boss_page.get_by_role("button", name="Yes, retry 12 jobs").click()
    expect(boss_page.locator(".messagelist")).to_contain_text("12")
    due = sorted(job.at - now for job in RetrySet())
    assert len(due) == 12
    assert due[0] >= 0
    assert due[-1] <= 610
    assert due[-1] - due[0] > 60
    assert all(job.name != "tests.acceptance.app.jobs.fail" for job in DeadSet())
    told = [audit.told_by(entry) for entry in LogEntry.objects.all()]
    assert {(each["verb"], each["reason"]) for each in told} == {("retry", "the service is back")}


def test_stop_a_process(boss_page, worker):  # noqa: F811
    process = worker("-q", "default").ready()
    wait_for(lambda: ProcessSet().size == 1)
    boss_page.goto("/admin/kiq/overview/")
    go(boss_page, "Processes")
    boss_page.locator(ROW).get_by_role("link").first.click()
    boss_page.get_by_role("button", name="Stop").click()
    boss_page.get_by_label("Reason").fill("moves to another host")
    boss_page.get_by_role("button", name="Yes").click()
    expect(boss_page.locator(".messagelist")).to_contain_text("1 process was told.")
    assert process.wait() == 0
    go(boss_page, "Processes")
    expect(boss_page.locator(ROW)).to_have_count(0)


def test_see_who_cleared_a_queue(page_as, person, push):  # noqa: F811
    for number in range(30):
        push("touch", number, queue="mailers")
    rights = ("view_queue", "view_queuedjob", "view_overview", "clear_queue")
    ada = page_as(person(*rights, name="ada"), java_script_enabled=False)
    ada.goto("/admin/kiq/queue/mailers/")
    ada.get_by_role("button", name="Clear").click()
    expect(ada.locator("h1")).to_have_text("Delete 30 jobs?")
    ada.get_by_label("Reason").fill("sent twice")
    ada.get_by_role("button", name="Yes, delete 30 jobs").click()
    expect(ada.locator(".messagelist")).to_contain_text("30 jobs were deleted.")
    assert Queue("mailers").size == 0

    ben = page_as(person("view_overview", "view_audit", name="ben"))
    ben.goto("/admin/kiq/overview/")
    go(ben, "Audit")
    ben.locator("#searchbar").fill("mailers")
    ben.locator("#searchbar").press("Enter")
    expect(ben.locator(ROW)).to_have_count(1)
    for text in ("ada", "clear", "30", "sent twice", "queue mailers"):
        expect(ben.locator(ROW)).to_contain_text(text)
