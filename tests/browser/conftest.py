"""A real browser before a real server. Whatever the browser complains about fails the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import sync_playwright

from tests.admin.conftest import beat, in_queue, in_set, person, put, put_many, running, views  # noqa: F401 - fixtures
from tests.browser import guide
from tests.browser.remote import Remote, there

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Remote]:
    """The browser of this run."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have chromium: apt-get install chromium")
        pytest.skip("no chromium")
    driver = there(sync_playwright().start)
    browser = driver.chromium.launch(executable_path=program, args=OPTIONS)
    yield browser
    with suppress(TimeoutError):  # it ends with us all the same
        browser.close()
        driver.stop()


@pytest.fixture
def complaints() -> list[str]:
    """What browsers complained about in this test: breaches of the policy, errors of scripts, missing files."""
    return []


@pytest.fixture
def page_as(chromium, live_server, store, complaints, tmp_path) -> Iterator[Callable[..., Any]]:
    """Open a window signed in as somebody: `page = page_as(person("view_deadjob"))`, `page.goto("/admin/…")`."""
    contexts = []

    def page_as(user: Any = None, **options: Any) -> Any:
        context = chromium.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 800}, **options)
        contexts.append(context)
        if user is not None:
            context.add_cookies([_session(user, live_server.url)])
        page = context.new_page()
        page.on("console", lambda line: complaints.extend(_complaint(line)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.set_default_timeout(10_000)
        page.__dict__["folder"] = tmp_path
        return page

    yield page_as
    for context in contexts:
        context.close()
    assert complaints == []


def _complaint(line: Any) -> list[str]:
    """An error of the console; browsers ask for an icon that no admin has."""
    place = line.location["url"]
    return [f"{line.text} ({place})"] if line.type == "error" and not place.endswith("/favicon.ico") else []


def _session(user: Any, url: str) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    cookie = client.cookies["sessionid"]
    return {"name": cookie.key, "value": cookie.value, "url": url}


@pytest.fixture
def boss_page(page_as, person) -> Any:  # noqa: F811 - a fixture
    """The window of a superuser."""
    return page_as(person(name="boss", is_superuser=True))


@pytest.fixture
def guide_page(boss_page, settings) -> Any:
    """A superuser's window that can show the style guide: `guide_page.goto("/guide/")`."""
    settings.ROOT_URLCONF = "tests.browser.urls"
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [Path(__file__).parent / "templates"]}]
    guide.state.clear()
    guide.state["processed"] = 1_284_031
    return boss_page
