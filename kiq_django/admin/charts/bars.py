"""Bars: a sparkline of some hours, a histogram of durations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from django.utils.translation import gettext as _

from kiq_django.admin import formats
from kiq_django.admin.charts.scales import place, round_ticks
from kiq_django.admin.charts.values import Hit, Table, Tick, clean, numbers, rounded

SPARK_HEIGHT = 20
SPARK_STEP = 4
ABOVE, BELOW = 14, 22
SPAN = 1000.0
GAP = 0.18
"""Share of a bar's place that stays empty."""
NAMED = 8
"""Bars of a histogram that are named below it, about."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in units of the plot."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class SparkDrawing:
    """Bars in a line of text; `path` draws all of them."""

    template: ClassVar[str] = "admin/kiq/charts/spark.html"
    title: str
    width: int
    height: int
    path: str
    tone: str
    table: None = None


@dataclass(frozen=True, slots=True)
class HistogramDrawing:
    """Bars over buckets; `x` of ticks and lines is percent of the width."""

    template: ClassVar[str] = "admin/kiq/charts/histogram.html"
    key: str
    title: str
    description: str
    height: int
    top: int
    plot: int
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    hits: tuple[Hit, ...]
    lines: tuple[Tick, ...]
    table: Table

    @property
    def bottom(self) -> int:
        """Where the axis of buckets lies."""
        return self.top + self.plot


def sparkline(values: Sequence[float], title: str, *, tone: str = "main") -> SparkDrawing:
    """Small bars, the latest last: usually 24, one an hour. What is not 0 is at least a pixel high."""
    highest = max(map(clean, values), default=0.0)
    bars = []
    for index, value in enumerate(map(clean, values)):
        height = max(1.0, rounded(place(value, 0, highest, SPARK_HEIGHT))) if value else 0
        if height:
            bars.append(f"M{index * SPARK_STEP} {SPARK_HEIGHT}v-{height:g}h{SPARK_STEP - 1}v{height:g}z")
    return SparkDrawing(title, max(1, len(values)) * SPARK_STEP, SPARK_HEIGHT, "".join(bars), tone)


def histogram(
    buckets: Sequence[tuple[str, float]],
    title: str,
    lines: Sequence[tuple[int, str]] = (),
    height: int = 180,
    *,
    key: str = "histogram",
) -> HistogramDrawing:
    """How many fell into each bucket.

    Args:
        buckets: name and count, in order.
        title: what is counted.
        lines: buckets worth a mark, such as `(7, "p95")`.
        height: pixels.
        key: under what the browser remembers whether the table is open.
    """
    plot = max(20, height - ABOVE - BELOW)
    counts = [clean(value) for _name, value in buckets]
    ticks = round_ticks(max(counts, default=0.0), 3)
    return HistogramDrawing(
        key=key,
        title=title,
        description=_("%(count)s in all.") % {"count": numbers([sum(counts)])[0]},
        height=plot + ABOVE + BELOW,
        top=ABOVE,
        plot=plot,
        y_ticks=tuple(Tick(rounded(ABOVE + plot - place(t, 0, ticks[-1], plot)), formats.compact(t)) for t in ticks),
        x_ticks=_names(buckets),
        bars=_bars(counts, ticks[-1], plot),
        hits=_hits(buckets),
        lines=tuple(Tick(_middle(index, len(buckets)), label) for index, label in lines if 0 <= index < len(buckets)),
        table=Table((_("Bucket"), _("Count")), tuple((name, *numbers([value])) for name, value in buckets)),
    )


def _bars(counts: Sequence[float], highest: float, plot: int) -> tuple[Bar, ...]:
    step = SPAN / max(1, len(counts))
    heights = [max(1.0, place(count, 0, highest, plot)) if count else 0.0 for count in counts]
    return tuple(
        Bar(rounded((i + GAP / 2) * step), rounded(plot - height), rounded(step * (1 - GAP)), rounded(height))
        for i, height in enumerate(heights)
        if height
    )


def _hits(buckets: Sequence[tuple[str, float]]) -> tuple[Hit, ...]:
    step = SPAN / max(1, len(buckets))
    return tuple(
        Hit(rounded(index * step), rounded(step), f"{name}: {numbers([value])[0]}")
        for index, (name, value) in enumerate(buckets)
    )


def _names(buckets: Sequence[tuple[str, float]]) -> tuple[Tick, ...]:
    every = max(1, -(-len(buckets) // NAMED))
    chosen = range(0, len(buckets), every)
    return tuple(Tick(_middle(i, len(buckets)), buckets[i][0], minor=bool(n % 2)) for n, i in enumerate(chosen))


def _middle(index: int, size: int) -> float:
    return rounded((index + 0.5) / max(1, size) * 100)
