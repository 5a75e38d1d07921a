"""Every page with the data of a shop, seen: in light and dark, wide and narrow, and usable by everybody in each.

`make shots` takes the pictures of the documentation, `make pictures` all of them.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiq_django import registry
from kiq_django.api.redis_box import RedisBox
from tests.browser import shop as shops
from tests.browser.looks import THEMES, expect, shot, shrink, theme, violations, width

TOURS = {
    "queues": {
        "overview": "overview/",
        "overview-day": "overview/?range=24h",
        "queues": "queue/",
        "queue": "queue/mailers/",
        "queue-paused": "queue/low/",
        "queue-found": "queue/default/?q=4711",
        "running": "runningjob/",
    },
    "sets": {
        "retries": "retryjob/",
        "groups": "retryjob/groups/",
        "groups-dead": "deadjob/groups/",
        "dead-shop": "deadjob/",
        "scheduled": "scheduledjob/",
        "metrics-shop": "jobmetrics/",
        "metrics-job-shop": "jobmetrics/billing.jobs.charge/",
    },
    "jobs": {
        "find": "job/",
        "job": "job/{retry}/?place=retry",
        "job-dead": "job/{dead}/?place=dead",
        "job-done": "job/{done}/",
        "job-queue": "job/{queue}/",
        "job-running": "job/{running}/",
        "job-missing": "job/6a1f00000000abcdef012345/",
        "job-new": "job/new/?name=billing.jobs.charge",
        "job-edit": "job/{retry}/edit/",
    },
    "house": {
        "processes": "process/",
        "process": f"process/{shops.WEB_2}/",
        "operations": "operation/",
        "operation": "operation/{operation}/",
        "audit": "audit/",
        "settings": "configuration/",
    },
}
"""Pages that one test walks through, because a shop takes seconds to make."""
PAGES = {name: path for tour in TOURS.values() for name, path in tour.items()}
DOCUMENTED = {"overview": "light", "queue": "light", "groups": "light", "job": "dark"}


@pytest.fixture
def box(store, monkeypatch) -> None:
    """A server as one has it in production, not as in tests."""
    read = RedisBox.read

    def shown(*args: Any, **kwargs: Any) -> RedisBox:
        found = read(*args, **kwargs)
        server = replace(found.server, aof=True, snapshots=True, maxmemory=1 << 30, used_memory=222_412_800)
        return replace(found, label="rediss://redis.internal:6380/0", server=server)

    monkeypatch.setattr(RedisBox, "read", shown)


@pytest.fixture
def shop(store, settings, monkeypatch, person, box) -> shops.Shop:
    """The shop, and what Ada and Ben have done there."""
    settings.KIQ = {
        **settings.KIQ,
        "QUEUES": {"critical": {"latency": 5}, "default": {}, "mailers": {}, "low": {"latency": 3600}},
        "DASHBOARD": {"environment": "production", "trace_link": "https://traces.example.com/{trace_id}"},
        "FEATURES": ["kiq_django.features.metrics", "kiq_django.features.operations"],
    }
    settings.TIME_ZONE = "Europe/Berlin"
    monkeypatch.setattr(registry, "_jobs", {})
    shops.declare()
    made = shops.Shop(store)
    people = {name: person(name=name, is_superuser=True) for name in ("ada", "ben")}
    made.jids["operation"] = shops.act(people, made)
    return made


@pytest.fixture
def page(shop, boss_page) -> Any:
    """A superuser's window with live update off: pictures stand still."""
    boss_page.add_init_script("localStorage.setItem('kiq.live.pages', '0')")
    return boss_page


def open_page(page: Any, shop: shops.Shop, name: str) -> None:
    """Go to one of the pages."""
    shop.beat()
    page.goto("/admin/kiq/" + PAGES[name].format(**shop.jids))
    expect(page.locator("h1").first).to_be_visible()


@pytest.mark.timeout(600)  # up to 36 pictures, each compressed
@pytest.mark.parametrize("tour", TOURS)
def test_pictures(page, shop, tour):
    wrong = []
    for name in TOURS[tour]:
        open_page(page, shop, name)
        wrong += [f"{name}, {problem}" for problem in problems(page)]
        shot(page, name)
    assert not wrong, "\n".join(wrong)


def problems(page: Any) -> list[str]:
    """What keeps somebody from using the page. Colours do not depend on the width."""
    found = []
    for size, themes in (("wide", THEMES), ("narrow", ("light",))):
        width(page, size)
        found += [f"{size}, {violation}" for violation in violations(page, themes)]
        if page.evaluate("document.documentElement.scrollWidth - innerWidth") > 0:
            found.append(f"{size}: wider than the window")
    return found


def test_pictures_of_a_question(page, shop):
    open_page(page, shop, "groups")
    page.get_by_role("button", name="Retry").first.click()
    expect(page.locator("h1")).to_contain_text("Retry 97 jobs?")
    assert problems(page) == []
    shot(page, "confirm")
    page.goto("/admin/kiq/queue/mailers/")
    page.get_by_role("button", name="Clear").click()
    assert problems(page) == []
    shot(page, "confirm-danger")


def test_pictures_of_nothing(boss_page):
    for name, path in (
        ("overview", "overview/"),
        ("dead", "deadjob/"),
        ("queues", "queue/"),
        ("running", "runningjob/"),
    ):
        boss_page.goto(f"/admin/kiq/{path}")
        assert problems(boss_page) == []
        shot(boss_page, f"empty-{name}")


@pytest.mark.skipif("KIQ_SHOTS" not in os.environ, reason="make shots")
def test_documentation(page, shop):
    page.set_viewport_size({"width": 1280, "height": 920})
    for name, shade in DOCUMENTED.items():
        open_page(page, shop, name)
        theme(page, shade)
        path = Path(os.environ["KIQ_SHOTS"]) / f"{name}-{shade}-wide.png"
        page.screenshot(path=str(path))
        shrink(path)
