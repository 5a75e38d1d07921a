"""Every component of the look, seen."""

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from tests.browser.looks import axe, expect, shot, width


@pytest.mark.parametrize("address", ["/guide/", "/guide/?empty=1"])
def test_everybody_can_use_it(guide_page, address):
    guide_page.goto(address)
    axe(guide_page)


def test_pictures(guide_page):
    guide_page.goto("/guide/")
    shot(guide_page, "guide")


@pytest.mark.parametrize(("file", "kibibytes"), [("kiq.css", 12), ("kiq.js", 20)])
def test_the_files_are_small(file, kibibytes):
    assert Path(finders.find(f"kiq/{file}")).stat().st_size <= kibibytes * 1024


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_nothing_is_wider_than_the_window(guide_page, size):
    width(guide_page, size)
    guide_page.goto("/guide/")
    assert guide_page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_from_right_to_left(guide_page):
    guide_page.set_extra_http_headers({"Accept-Language": "ar"})
    guide_page.goto("/guide/")
    expect(guide_page.locator("html")).to_have_attribute("dir", "rtl")
    axe(guide_page, ["light"])
    shot(guide_page, "guide-rtl")


def test_it_works_without_script(page_as, guide_page):
    page = page_as(java_script_enabled=False)
    page.context.add_cookies(guide_page.context.cookies())
    page.goto("/guide/")
    for name in ("[data-kiq-control]", "[data-kiq-copy]", "[data-kiq-help]", "[data-kiq-banner]"):
        assert not page.locator(name).first.is_visible()
    expect(page.locator("[data-kiq-confirmed]")).to_be_enabled()
