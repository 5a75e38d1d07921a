"""How a figure stands against the time before: an arrow for the eye, a sentence for who hears the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from django.utils.translation import gettext as _

from kiq_django.admin import formats

Better = Literal["less", ""]
"""Whether less of it is good news, or neither is."""
LEAST: Final = 0.05
"""Share by which a figure has to move before that is worth a word."""
MUCH: Final = 1.5
"""Times as much as before: then it is said in colour as well."""
UP, DOWN = "\N{BLACK UP-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}"


@dataclass(frozen=True, slots=True)
class Change:
    """What a page shows beside a figure."""

    arrow: str
    amount: str
    words: str
    """The same as a sentence."""
    tone: str = ""
    """`ok`, `bad`, or empty when it is no news."""

    @property
    def css(self) -> str:
        """Its classes."""
        return f"kiq-badge kiq-{self.tone}" if self.tone else "kiq-note"


def change(now: float | None, before: float | None, better: Better = "") -> Change | None:
    """The way from one figure to the other; None when there is nothing to compare, or hardly a difference."""
    if now is None or before is None or now < 0 or before < 0:
        return None
    if not before:
        return Change(UP, _("new"), _("there was nothing before"), "bad" if better else "") if now else None
    times = now / before
    if abs(times - 1) < LEAST:
        return None
    if times >= 2:
        factor = formats.number(times, 0 if times >= 10 else 1)
        words = _("%(factor)s times as much as before") % {"factor": factor}
        return Change(UP, f"\N{MULTIPLICATION SIGN}{factor}", words, _tone(times, better))
    amount = formats.percent(abs(times - 1))
    words = _("%(amount)s more than before") if times > 1 else _("%(amount)s less than before")
    return Change(UP if times > 1 else DOWN, amount, words % {"amount": amount}, _tone(times, better))


def _tone(times: float, better: Better) -> str:
    if not better:
        return ""
    return "bad" if times >= MUCH else "ok" if times <= 1 / MUCH else ""
