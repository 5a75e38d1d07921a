"""What is asked of every page: that everybody can use it, and a picture of it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from PIL import Image
from playwright.sync_api import expect as _expect

from tests.browser.remote import there

THEMES = ("light", "dark")
WIDTHS = {"wide": (1280, 800), "narrow": (390, 844)}
SAMPLES = {"wide": ("light",), "narrow": ("dark",)}
COLOURS = 128
GRAVE = ("serious", "critical")
DJANGOS_OWN = {
    "label-title-only": "#searchbar",  # it has a label: a picture with a name, which this rule does not count
    "link-in-text-block": ".breadcrumbs",  # links of Django 5.2 stand out by their colour alone
}
"""Findings by rule in what the admin itself draws: the begin of their place."""
RUN = """axe.run(document, {resultTypes: ["violations"], preload: false})
  .then(found => found.violations.map(({id, impact, nodes}) => ({id, impact, nodes})))"""
"""No style sheets beforehand: axe would write them into the page, which the policy forbids, and no rule needs them."""


END_ANIMATIONS = """document.getAnimations().forEach(each => {
  try { each.finish() } catch { each.cancel() }
})"""
"""The admin's links change their colour slowly. To wait for that would be to wait for ever where one has no end."""


def theme(page: Any, name: str) -> None:
    """Show the page as on a system with this colour scheme; the admin follows it unless told otherwise."""
    page.emulate_media(color_scheme=name, reduced_motion="reduce")
    page.evaluate(END_ANIMATIONS)


def width(page: Any, name: str) -> None:
    """`wide` or `narrow`."""
    across, down = WIDTHS[name]
    page.set_viewport_size({"width": across, "height": down})


def axe(page: Any, themes: Iterable[str] = THEMES) -> None:
    """Fail on serious and critical findings of axe, in each theme."""
    found = violations(page, themes)
    assert not found, "\n".join(found)


def violations(page: Any, themes: Iterable[str] = THEMES) -> list[str]:
    """Serious and critical findings of axe, in each theme."""
    found = []
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    for name in themes:
        theme(page, name)
        for violation in page.evaluate(RUN):
            rule = violation["id"]
            own = DJANGOS_OWN.get(rule, "no such place")
            nodes = [node for node in violation["nodes"] if not node["target"][0].startswith(own)]
            if violation["impact"] in GRAVE:
                found += [f"{name}: {rule}: {_told(node)}" for node in nodes]
    return found


def _told(node: dict[str, Any]) -> str:
    return f"{node['target']} {node['html'][:200]} {node['failureSummary']}"


def shot(page: Any, name: str) -> None:
    """Take pictures, light and dark, wide and narrow: into the folder that `KIQ_SHOTS` names. Else two must do."""
    kept = os.environ.get("KIQ_SHOTS")
    place = Path(kept or page.folder)
    place.mkdir(parents=True, exist_ok=True)
    for size in WIDTHS:
        width(page, size)
        # The window as high as the page, because what sticks to the window's edge would lie across a longer picture.
        down = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": WIDTHS[size][0], "height": down})
        for shade in THEMES if kept else SAMPLES[size]:
            theme(page, shade)
            path = place / f"{name}-{shade}-{size}.png"
            page.screenshot(path=str(path))
            assert path.stat().st_size > 5_000, f"{path} is empty"
            shrink(path) if kept else None
    width(page, "wide")
    theme(page, "light")


def shrink(path: Path) -> None:
    """With fewer colours a picture of a page is a third as large, and looks the same."""
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def expect(what: Any) -> Any:
    """Playwright's `expect`, which waits for what it is told."""
    return there(_expect, what)
