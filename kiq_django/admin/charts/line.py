"""Throughput: what was done and what failed, over time, with deploys marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import ceil
from typing import ClassVar

from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from kiq_django.admin import formats
from kiq_django.admin.charts.scales import place, round_ticks
from kiq_django.admin.charts.timeaxis import axis, moment, namer
from kiq_django.admin.charts.values import Hit, Mark, Point, Table, Tick, clean, numbers, rounded

SPAN = 1000.0
"""Width of the plot in its own units; the browser stretches it."""
ABOVE, BELOW = 14, 22
"""Pixels for the labels of marks and of the time axis."""
NEAR = 9.0
"""Percent of the width within which a second mark shows no label."""
LONGEST_LABEL = 12
MOST_HITS = 60
"""Strips to point at; with more points, a strip tells the sum of several."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line and the area below it."""

    name: str
    tone: str
    line: str
    area: str


@dataclass(frozen=True, slots=True)
class DrawnMark:
    """A line from top to bottom."""

    x: float
    label: str
    title: str
    anchor: str


@dataclass(frozen=True, slots=True)
class LineDrawing:
    """A line chart; lengths are pixels but for what is percent of the width."""

    template: ClassVar[str] = "admin/kiq/charts/line.html"
    key: str
    title: str
    description: str
    height: int
    top: int
    plot: int
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    series: tuple[Series, ...]
    hits: tuple[Hit, ...]
    marks: tuple[DrawnMark, ...]
    table: Table

    @property
    def bottom(self) -> int:
        """Where the time axis lies."""
        return self.top + self.plot


def throughput(
    points: Sequence[Point], marks: Sequence[Mark] = (), width: int = 720, height: int = 200, *, key: str = "throughput"
) -> LineDrawing:
    """Runs by time, done and failed.

    Args:
        points: in order of time, each from its own moment to that of the next.
        marks: deploys; those outside of the points are left out.
        width: pixels that the chart will about have; decides how many times are named.
        height: pixels.
        key: under what the browser remembers whether the table is open.
    """
    plot = max(20, height - ABOVE - BELOW)
    highest = max((max(clean(point.ok), clean(point.failed)) for point in points), default=0.0)
    ticks = round_ticks(highest)
    begin, end = (points[0].at, points[-1].at) if points else (timezone.now(), timezone.now())
    return LineDrawing(
        key=key,
        title=_("Throughput"),
        description=_describe(points),
        height=plot + ABOVE + BELOW,
        top=ABOVE,
        plot=plot,
        y_ticks=tuple(_y_tick(tick, ticks[-1], plot) for tick in ticks),
        x_ticks=axis(begin, end, width) if points else (),
        series=tuple(_series(points, ticks[-1], plot)),
        hits=tuple(_hits(points)),
        marks=tuple(_marks(marks, begin, end)),
        table=_table(points),
    )


def _describe(points: Sequence[Point]) -> str:
    if not points:
        return _("Nothing was counted.")
    ok, failed = _sums(points)
    span = {"begin": moment(points[0].at), "end": moment(points[-1].at), "ok": ok, "failed": failed}
    return _("From %(begin)s to %(end)s: %(ok)s done, %(failed)s failed.") % span


def _y_tick(value: int, highest: int, plot: int) -> Tick:
    return Tick(rounded(ABOVE + plot - place(value, 0, highest, plot)), formats.compact(value))


def _series(points: Sequence[Point], highest: int, plot: int) -> list[Series]:
    done = _line([clean(point.ok) for point in points], points, highest, plot)
    failed = _line([clean(point.failed) for point in points], points, highest, plot)
    return [Series(_("done"), "main", *done), Series(_("failed"), "bad", *failed)]


def _line(values: Sequence[float], points: Sequence[Point], highest: int, plot: int) -> tuple[str, str]:
    """The path of the line, and of the area below it. A single point is a dot; nothing but 0 is the axis itself."""
    if not any(values):
        return "", ""
    xs = [round(x) for x in _xs(points)]
    ys = [round(plot - place(value, 0, highest, plot), 1) for value in values]
    line = "M" + "L".join(f"{x} {y:g}" for x, y in zip(xs, ys, strict=True))
    if len(points) == 1:
        return f"{line}h0", ""
    return line, f"{line}V{plot}H{xs[0]}z"


def _xs(points: Sequence[Point]) -> list[float]:
    first, last = points[0].at.timestamp(), points[-1].at.timestamp()
    return [place(point.at.timestamp(), first, last, SPAN) for point in points]


def _hits(points: Sequence[Point]) -> Iterator[Hit]:
    """Each strip reaches half-way to its neighbours."""
    if not points:
        return
    xs = _xs(points)
    edges = [0, *(round((left + right) / 2) for left, right in pairwise(xs)), round(SPAN)]
    name = namer(points[0].at, points[-1].at)
    together = ceil(len(points) / MOST_HITS)
    for first in range(0, len(points), together):
        group = points[first : first + together]
        left, right = edges[first], edges[first + len(group)]
        yield Hit(left, right - left, _title(name(group[0].at), group))


def _title(time: str, points: Sequence[Point]) -> str:
    ok, failed = _sums(points)
    return _("%(time)s: %(ok)s done, %(failed)s failed") % {"time": time, "ok": ok, "failed": failed}


def _sums(points: Sequence[Point]) -> tuple[str, ...]:
    return numbers((sum(clean(point.ok) for point in points), sum(clean(point.failed) for point in points)))


def _marks(marks: Sequence[Mark], begin: datetime, end: datetime) -> list[DrawnMark]:
    found: list[DrawnMark] = []
    labelled = -NEAR
    for mark in sorted((mark for mark in marks if begin <= mark.at <= end), key=lambda mark: mark.at):
        x = rounded(place(mark.at.timestamp(), begin.timestamp(), end.timestamp(), 100))
        far = x - labelled >= NEAR
        labelled = x if far else labelled
        title = _("Deploy %(label)s, %(time)s") % {"label": mark.label[:100], "time": moment(mark.at)}
        anchor = "start" if x < NEAR else "end" if x > 100 - NEAR else ""
        found.append(DrawnMark(x, Truncator(mark.label).chars(LONGEST_LABEL) if far else "", title, anchor))
    return found


def _table(points: Sequence[Point]) -> Table:
    if not points:
        return Table((_("Time"), _("Done"), _("Failed")), ())
    name = namer(points[0].at, points[-1].at)
    rows = tuple((name(point.at), *numbers((point.ok, point.failed))) for point in points)
    return Table((_("Time"), _("Done"), _("Failed")), rows)
