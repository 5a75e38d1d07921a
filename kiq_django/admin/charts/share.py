"""One bar of several parts, with a legend: by class, by queue, by state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from kiq_django.admin import formats
from kiq_django.admin.charts.values import Part, clean, numbers, rounded

SHADES = 5


@dataclass(frozen=True, slots=True)
class DrawnPart:
    """A stretch of the bar, percent from its begin, and its line of the legend."""

    x: float
    width: float
    label: str
    number: str
    percent: str
    tone: str
    level: int


@dataclass(frozen=True, slots=True)
class ShareDrawing:
    """A stacked bar."""

    template: ClassVar[str] = "admin/kiq/charts/share.html"
    title: str
    parts: tuple[DrawnPart, ...]
    table: None = None


def share(parts: Sequence[Part], title: str) -> ShareDrawing:
    """The parts in the order given. Those without a tone take shades of one colour, darkest first."""
    values = [clean(part.value) for part in parts]
    total = sum(values)
    drawn, x, shade = [], 0.0, 0
    for part, value in zip(parts, values, strict=True):
        width = value / total * 100 if total else 0.0
        level = 0 if part.tone else min(shade, SHADES - 1)
        shade += not part.tone
        percent = formats.percent(width / 100)
        number = numbers([value])[0]
        drawn.append(DrawnPart(rounded(x), rounded(width), part.label, number, percent, part.tone or "main", level))
        x += width
    return ShareDrawing(title, tuple(drawn))
