"""One figure over time: how long a queue was, how many jobs left it. What nobody measured is a gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from math import ceil

from django.utils import timezone
from django.utils.translation import gettext as _

from kiq_django.admin import formats
from kiq_django.admin.charts.line import ABOVE, BELOW, SPAN, LineDrawing, Series
from kiq_django.admin.charts.scales import place, round_ticks
from kiq_django.admin.charts.timeaxis import axis, moment, namer
from kiq_django.admin.charts.values import Hit, Table, Tick, clean, numbers, rounded

MOST_HITS = 30
"""Strips to point at."""
Measured = tuple[datetime, float | None]
"""A moment (aware), and what was measured then."""


def trend(
    points: Sequence[Measured], title: str, *, tone: str = "main", width: int = 420, height: int = 150, key: str
) -> LineDrawing:
    """A line with gaps.

    Args:
        points: in order of time, at even distances.
        title: what the figure is; its name in the legend too.
        tone: main, ok, warn, bad, info or idle.
        width: pixels that the chart will about have.
        height: pixels.
        key: under what the browser remembers whether the table is open.
    """
    plot = max(20, height - ABOVE - BELOW)
    known = [clean(value) for _at, value in points if value is not None]
    ticks = round_ticks(max(known, default=0.0), 3)
    begin, end = (points[0][0], points[-1][0]) if points else (timezone.now(), timezone.now())
    name = namer(begin, end)
    rows = tuple((name(at), _text(value)) for at, value in points)
    return LineDrawing(
        key=key,
        title=title,
        description=_describe(points, known),
        height=plot + ABOVE + BELOW,
        top=ABOVE,
        plot=plot,
        y_ticks=tuple(Tick(rounded(ABOVE + plot - place(t, 0, ticks[-1], plot)), formats.compact(t)) for t in ticks),
        x_ticks=axis(begin, end, width) if points else (),
        series=(Series(title, tone, *_paths(points, ticks[-1], plot)),),
        hits=tuple(_hits(points, rows)),
        marks=(),
        table=Table((_("Time"), title), rows),
    )


def _describe(points: Sequence[Measured], known: Sequence[float]) -> str:
    if not known:
        return _("Nothing was measured.")
    least, most, last = numbers((min(known), max(known), known[-1]))
    told = {"begin": moment(points[0][0]), "end": moment(points[-1][0]), "least": least, "most": most, "last": last}
    return _("From %(begin)s to %(end)s: at least %(least)s, at most %(most)s, %(last)s at the end.") % told


def _paths(points: Sequence[Measured], highest: int, plot: int) -> tuple[str, str]:
    """The line, and the area below it: a piece for each stretch without a gap."""
    lines, areas = [], []
    for stretch in _stretches(points):
        places = [(round(x), round(plot - place(clean(value), 0, highest, plot), 1)) for x, value in stretch]
        line = "M" + "L".join(f"{x} {y:g}" for x, y in places)
        lines.append(line if len(places) > 1 else f"{line}h0")
        if len(places) > 1:
            areas.append(f"{line}V{plot}H{places[0][0]}z")
    return "".join(lines), "".join(areas)


def _stretches(points: Sequence[Measured]) -> Iterator[list[tuple[float, float]]]:
    placed = zip(_xs(points), (value for _at, value in points), strict=True)
    for is_known, stretch in groupby(placed, key=lambda pair: pair[1] is not None):
        if is_known:
            yield [(x, value or 0.0) for x, value in stretch]


def _xs(points: Sequence[Measured]) -> list[float]:
    if not points:
        return []
    first, last = points[0][0].timestamp(), points[-1][0].timestamp()
    return [place(at.timestamp(), first, last, SPAN) for at, _value in points]


def _hits(points: Sequence[Measured], rows: Sequence[tuple[str, str]]) -> Iterator[Hit]:
    """Each strip reaches half-way to its neighbours; of many points not every one has its own."""
    xs, every = _xs(points), max(1, ceil(len(points) / MOST_HITS))
    edges = [0, *(round((left + right) / 2) for left, right in pairwise(xs[::every])), round(SPAN)]
    for (left, right), (time, text) in zip(pairwise(edges), rows[::every], strict=False):
        yield Hit(left, right - left, f"{time}: {text}")


def _text(value: float | None) -> str:
    return _("unknown") if value is None else numbers([value])[0]
