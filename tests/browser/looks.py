"""What is asked of every page: that everybody can use it, and a picture of it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect as _expect

from tests.browser.remote import there

THEMES = ("light", "dark")
WIDTHS = {"wide": (1280, 800), "narrow": (390, 844)}
GRAVE = ("serious", "critical")
DJANGOS_OWN = {
    "label-title-only": "#searchbar",  # it has a label: a picture with a name, which this rule does not count
    "link-in-text-block": ".breadcrumbs",  # links of Django 5.2 stand out by their colour alone
}
"""Findings by rule in what the admin itself draws: the begin of their place."""


def theme(page: Any, name: str) -> None:
    """Show the page as on a system with this colour scheme; the admin follows it unless told otherwise."""
    page.emulate_media(color_scheme=name, reduced_motion="reduce")
    # The admin's links change their colour slowly.
    page.evaluate("Promise.allSettled(document.getAnimations().map(each => each.finished))")


def width(page: Any, name: str) -> None:
    """`wide` or `narrow`."""
    across, down = WIDTHS[name]
    page.set_viewport_size({"width": across, "height": down})


def axe(page: Any, themes: Iterable[str] = THEMES) -> None:
    """Fail on serious and critical findings of axe, in each theme."""
    found = []
    for name in themes:
        theme(page, name)
        for violation in there(Axe().run, page).response["violations"]:
            rule = violation["id"]
            own = DJANGOS_OWN.get(rule, "no such place")
            nodes = [node for node in violation["nodes"] if not node["target"][0].startswith(own)]
            if violation["impact"] in GRAVE:
                found += [f"{name}: {rule}: {_told(node)}" for node in nodes]
    assert not found, "\n".join(found)


def _told(node: dict[str, Any]) -> str:
    return f"{node['target']} {node['html'][:200]} {node['failureSummary']}"


def shot(page: Any, name: str, folder: Path | None = None) -> list[Path]:
    """Take pictures, light and dark, wide and narrow: into the folder that `KIQ_SHOTS` names, else into `folder`."""
    place = Path(os.environ.get("KIQ_SHOTS") or folder or page.folder)
    place.mkdir(parents=True, exist_ok=True)
    made = []
    for size in WIDTHS:
        width(page, size)
        # The window as high as the page, because what sticks to the window's edge would lie across a longer picture.
        down = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": WIDTHS[size][0], "height": down})
        for shade in THEMES:
            theme(page, shade)
            made.append(place / f"{name}-{shade}-{size}.png")
            page.screenshot(path=str(made[-1]))
    width(page, "wide")
    theme(page, "light")
    return made


def expect(what: Any) -> Any:
    """Playwright's `expect`, which waits for what it is told."""
    return there(_expect, what)
