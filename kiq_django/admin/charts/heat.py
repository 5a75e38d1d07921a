"""A heat map: time from left to right, buckets from below to above, darker where more fell in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _

from kiq_django.admin.charts.timeaxis import axis, moment, namer
from kiq_django.admin.charts.values import Column, Hit, Table, Tick, clean, numbers, rounded

SPAN = 1000.0
LEVELS = 5
"""Shades; the first is the darkest, `kiq-f0` to `kiq-f4`."""
ROW = 12
"""Pixels of a bucket."""
ABOVE, BELOW = 4, 22
NAMED_EVERY = 3


@dataclass(frozen=True, slots=True)
class Shade:
    """All cells of one darkness, in one path."""

    level: int
    path: str


@dataclass(frozen=True, slots=True)
class HeatDrawing:
    """Cells by shade; lengths are pixels but for the width of the plot and what is percent of it."""

    template: ClassVar[str] = "admin/kiq/charts/heat.html"
    key: str
    title: str
    description: str
    height: int
    top: int
    plot: int
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    shades: tuple[Shade, ...]
    hits: tuple[Hit, ...]
    table: Table

    @property
    def bottom(self) -> int:
        """Where the time axis lies."""
        return self.top + self.plot


def heatmap(
    columns: Sequence[Column], buckets: Sequence[str], title: str, width: int = 720, *, key: str = "heat"
) -> HeatDrawing:
    """How many fell into each bucket in each stretch of time.

    Args:
        columns: in order of time, at even distances; counts beyond the named buckets are left out.
        buckets: names, the least first.
        title: what is counted.
        width: pixels that the chart will about have.
        key: under what the browser remembers whether the table is open.
    """
    plot = max(1, len(buckets)) * ROW
    now = timezone.now()
    begin, end = (columns[0].at, _end(columns)) if columns else (now, now)
    total = sum(clean(count) for column in columns for count in column.counts[: len(buckets)])
    return HeatDrawing(
        key=key,
        title=title,
        description=_("%(count)s in all.") % {"count": numbers([total])[0]},
        height=plot + ABOVE + BELOW,
        top=ABOVE,
        plot=plot,
        y_ticks=_names(buckets, plot),
        x_ticks=axis(begin, end, width) if columns else (),
        shades=_shades(columns, len(buckets), plot),
        hits=_hits(columns, buckets),
        table=_table(columns, buckets),
    )


def _end(columns: Sequence[Column]) -> datetime:
    """When the last column ends: each is as long as the others."""
    steps = max(1, len(columns) - 1)
    return columns[-1].at + (columns[-1].at - columns[0].at) / steps


def _shades(columns: Sequence[Column], rows: int, plot: int) -> tuple[Shade, ...]:
    """Cells that are not 0. Darkness goes by the rank between 0 and the highest count."""
    highest = max((clean(count) for column in columns for count in column.counts[:rows]), default=0.0)
    step = SPAN / max(1, len(columns))
    paths: dict[int, list[str]] = {level: [] for level in range(LEVELS)}
    for x, column in enumerate(columns):
        for y, count in enumerate(map(clean, column.counts[:rows])):
            if count:
                level = LEVELS - max(1, ceil(count / highest * LEVELS))
                left, top = rounded(x * step), plot - (y + 1) * ROW
                paths[level].append(f"M{left:g} {top}h{rounded(step * 0.94):g}v{ROW - 1}H{left:g}z")
    return tuple(Shade(level, "".join(cells)) for level, cells in paths.items() if cells)


def _names(buckets: Sequence[str], plot: int) -> tuple[Tick, ...]:
    chosen = range(0, len(buckets), NAMED_EVERY if len(buckets) > NAMED_EVERY * 2 else 1)
    return tuple(Tick(ABOVE + plot - (y + 0.5) * ROW, buckets[y]) for y in chosen)


def _hits(columns: Sequence[Column], buckets: Sequence[str]) -> tuple[Hit, ...]:
    if not columns:
        return ()
    step = SPAN / len(columns)
    name = namer(columns[0].at, columns[-1].at)
    return tuple(
        Hit(rounded(x * step), rounded(step), f"{name(column.at)}: {_told(column, buckets)}")
        for x, column in enumerate(columns)
    )


def _told(column: Column, buckets: Sequence[str]) -> str:
    pairs = zip(buckets, map(clean, column.counts), strict=False)
    return ", ".join(f"{name}: {numbers([count])[0]}" for name, count in pairs if count) or _("nothing")


def _table(columns: Sequence[Column], buckets: Sequence[str]) -> Table:
    rows = ((moment(c.at), *numbers([sum(map(clean, c.counts[: len(buckets)]))]), _told(c, buckets)) for c in columns)
    return Table((_("Time"), _("Count"), _("Buckets")), tuple(rows))
