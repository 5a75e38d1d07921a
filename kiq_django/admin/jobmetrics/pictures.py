"""The charts of the metrics: from figures to drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING, Any, Final, Literal

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from kiq_django import histogram
from kiq_django.admin import charts, formats
from kiq_django.admin.jobmetrics.columns import milliseconds
from kiq_django.admin.lazily import store, submodule

if TYPE_CHECKING:
    from kiq_django.api import JobFigures
    from kiq_django.api.throughput import Point, Throughput

CUT_FROM: Final = {"1h": ("1h", 60), "8h": ("24h", 48), "24h": ("24h", 144), "72h": ("7d", 72)}
"""Of which kept chart the last so many steps are a period."""
FEWEST_ROWS: Final = 8
"""Of a picture by run time: with fewer buckets one cannot see where they lie."""
MOST_COLUMNS: Final = 24
"""Of such a picture: on half a page its cells are squares then."""
MOST_POINTS: Final = 72
"""Of a line."""
PERCENTILES: Final = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))

Step = tuple[datetime, Sequence[int]]
"""Begin and runs by bucket."""


@dataclass(frozen=True, slots=True)
class Everything:
    """All jobs together."""

    chart: Any
    change: float | None
    """Of the runs against the time before: 0.1 is a tenth more; None when there is nothing to compare."""


def everything(period: str) -> Everything:
    """What the workers of this program ran in a period, in two round trips."""
    name, steps = CUT_FROM[period]
    found: Throughput = submodule("throughput").throughput(name, store=store())
    shown = found.points[-steps:]
    chart = _throughput(((each.begin, each.processed, each.failed) for each in shown), found.marks)
    if steps == len(found.points):
        return Everything(chart, found.change)
    return Everything(chart, _change(found.points, steps))


def _change(points: Sequence[Point], steps: int) -> float | None:
    """Complete steps against as many before."""
    now = sum(each.processed for each in points[-steps:-1])
    before = sum(each.processed for each in points[1 - 2 * steps : -steps])
    return now / before - 1 if before else None


def runs(job: JobFigures, marks: Mapping[datetime, str]) -> Any:
    """How many runs of a job went well, and how many did not, over time."""
    steps = ((begin, job.series.get(begin)) for begin in job.moments)
    return _throughput(((at, each.runs, each.failures) if each else (at, 0, 0) for at, each in steps), marks)


def _throughput(steps: Any, marks: Mapping[datetime, str]) -> Any:
    points = _fewer([charts.Point(at, runs - failures, failures) for at, runs, failures in steps])
    # A step goes by its begin: what was deployed within the last one stands there.
    shown = [charts.Mark(min(at, points[-1].at), label) for at, label in marks.items()]
    return charts.throughput(points, shown, key="metrics-runs")


def _fewer(points: Sequence[charts.Point]) -> Sequence[charts.Point]:
    """Two steps together, where there are too many."""
    if len(points) <= MOST_POINTS:
        return points
    pairs = zip(points[::2], points[1::2], strict=True)
    return [charts.Point(a.at, a.ok + b.ok, a.failed + b.failed) for a, b in pairs]


def heat(job: JobFigures, what: Literal["run", "wait"]) -> Any:
    """Run times or waits over time; None when nothing is known of them."""
    found = job.heat_map(what)
    if not found.most:
        return None
    steps = _wider(found.columns)
    rows = _rows(histogram.merge(counts for _at, counts in steps))
    columns = [charts.Column(at, tuple(counts[rows.start : rows.stop])) for at, counts in steps]
    title = _("Run time over time") if what == "run" else _("Wait in the queue over time")
    drawing = charts.heatmap(columns, [bucket(row) for row in rows], title, width=420, key=f"metrics-{what}")
    return _brief(drawing, steps)


def _brief(drawing: Any, steps: Sequence[Step]) -> Any:
    """A word of each step: its percentiles say more than the counts of two dozen buckets, and are shorter."""
    rows = tuple(
        (row[0], formats.number(sum(counts)), _percentile(counts, 0.5), _percentile(counts, 0.95))
        for row, (_at, counts) in zip(drawing.table.rows, steps, strict=True)
    )
    hits = (replace(hit, title=_words(*row)) for hit, row in zip(drawing.hits, rows, strict=True))
    return replace(drawing, hits=tuple(hits), table=charts.Table((_("Time"), _("Runs"), _("p50"), _("p95")), rows))


def _percentile(counts: Sequence[int], share: float) -> str:
    return milliseconds(histogram.percentile(counts, share) if any(counts) else None)


def _words(time: str, runs: str, p50: str, p95: str) -> str:
    told = {"time": time, "runs": runs, "p50": p50, "p95": p95}
    return _("%(time)s: runs %(runs)s, p50 %(p50)s, p95 %(p95)s") % told


def _wider(steps: Sequence[Step]) -> Sequence[Step]:
    """Some steps together, where there are too many."""
    together = ceil(len(steps) / MOST_COLUMNS)
    groups = (steps[first : first + together] for first in range(0, len(steps), together))
    return [(group[0][0], histogram.merge(counts for _at, counts in group)) for group in groups]


def spread(job: JobFigures) -> Any:
    """How long runs took; None when nothing is known of it."""
    if not any(job.run):
        return None
    rows = _rows(job.run)
    buckets = [(bucket(row), job.run[row]) for row in rows]
    return charts.histogram(buckets, _("Runs by run time"), list(_lines(job, rows).items()), key="metrics-spread")


def _lines(job: JobFigures, rows: range) -> dict[int, str]:
    """Where the percentiles lie; those in one bucket share a line."""
    found: dict[int, list[str]] = {}
    for share, name in PERCENTILES:
        # A percentile may be the very bound of its bucket, which belongs to the next one.
        place = histogram.index_of((job.run_time(share) or 0.0) - 1e-6) - rows.start
        found.setdefault(place, []).append(name)
    return {place: " ".join(names) for place, names in found.items()}


def _rows(counts: Sequence[int]) -> range:
    """The buckets worth showing: those with anything in them, one beside, and no fewer than a few."""
    used = [row for row, count in enumerate(counts) if count] or [0]
    first, end = max(0, used[0] - 1), min(histogram.SIZE, used[-1] + 2)
    first = max(0, min(first, end - FEWEST_ROWS))
    return range(first, min(histogram.SIZE, max(end, first + FEWEST_ROWS)))


def bucket(row: int) -> str:
    """What a bucket is called: by its upper bound, which is not in it; the last one has none."""
    if row < len(histogram.BOUNDS_MS):
        return _bound(histogram.BOUNDS_MS[row])
    return _("> %(time)s") % {"time": _bound(histogram.BOUNDS_MS[-1])}


def _bound(ms: int) -> str:
    """Exact and short, for it stands on an axis."""
    if ms < 1000:
        return _("%(number)s ms") % {"number": ms}
    seconds = f"{ms / 1000:g}"
    digits = len(seconds.partition(".")[2])
    return _("%(number)s s") % {"number": number_format(seconds, digits)}
