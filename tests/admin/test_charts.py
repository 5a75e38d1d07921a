"""Charts: where things lie, what is named, and that no data can break a drawing."""

import gzip
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.template.loader import render_to_string
from django.utils import timezone, translation
from hypothesis import given, settings
from hypothesis import strategies as st

from kiq_django.admin import charts
from kiq_django.admin.charts import scales
from kiq_django.templatetags.kiq import kiq_chart

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
anything = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(10**30), 10**30)


@pytest.fixture(autouse=True)
def _in_utc():
    with timezone.override(UTC):
        yield


def minutes(values, failed=None):
    """A point a minute, the last at noon."""
    failed = failed or [0] * len(values)
    begin = NOON - timedelta(minutes=len(values) - 1)
    pairs = enumerate(zip(values, failed, strict=True))
    return [charts.Point(begin + timedelta(minutes=i), ok, bad) for i, (ok, bad) in pairs]


def svg(drawing) -> str:
    """What the browser gets."""
    return kiq_chart(drawing)


class TestScales:
    def test_values_lie_between_the_ends(self):
        assert scales.place(5, 0, 10, 200) == 100
        assert scales.place(-5, 0, 10, 200) == 0
        assert scales.place(15, 0, 10, 200) == 200

    def test_one_value_lies_in_the_middle(self):
        assert scales.place(7, 7, 7, 200) == 100

    @pytest.mark.parametrize(
        ("highest", "expected"),
        [
            (0, [0, 1]),
            (0.4, [0, 1]),
            (3, [0, 1, 2, 3]),
            (4, [0, 1, 2, 3, 4]),
            (7, [0, 2, 4, 6, 8]),
            (390, [0, 100, 200, 300, 400]),
            (1_000_000, [0, 500_000, 1_000_000]),
        ],
    )
    def test_round_numbers_reach_the_highest(self, highest, expected):
        assert scales.round_ticks(highest) == expected

    @given(st.floats(0, 1e30))
    def test_few_numbers_are_named(self, highest):
        ticks = scales.round_ticks(highest)
        assert 2 <= len(ticks) <= 6
        assert ticks[-1] >= highest * 0.999


class TestTimes:
    def named(self, begin, end, zone=UTC, most=7):
        return [f"{moment:%d %H:%M}" for moment in scales.time_ticks(begin, end, zone, most)]

    def test_an_hour_is_named_every_ten_minutes(self):
        found = self.named(NOON - timedelta(hours=1), NOON)
        assert found == ["22 11:00", "22 11:10", "22 11:20", "22 11:30", "22 11:40", "22 11:50", "22 12:00"]

    def test_a_day_is_named_in_hours_of_the_zone(self):
        found = self.named(NOON - timedelta(days=1), NOON, ZoneInfo("Asia/Kathmandu"))
        assert found == ["21 18:00", "22 00:00", "22 06:00", "22 12:00"]

    def test_a_week_is_named_by_midnights(self):
        found = self.named(NOON - timedelta(days=7), NOON, BERLIN)
        assert [name[3:] for name in found] == ["00:00"] * 7

    def test_the_hour_that_spring_skips_is_not_named(self):
        begin = datetime(2026, 3, 29, 0, 0, tzinfo=BERLIN)
        found = self.named(begin, begin.astimezone(UTC) + timedelta(hours=5), BERLIN)
        assert found == ["29 00:00", "29 01:00", "29 03:00", "29 04:00", "29 05:00", "29 06:00"]

    def test_the_hour_that_autumn_repeats_is_named_once(self):
        begin = datetime(2026, 10, 25, 0, 0, tzinfo=BERLIN)
        found = self.named(begin, begin.astimezone(UTC) + timedelta(hours=5), BERLIN)
        assert found == ["25 00:00", "25 01:00", "25 02:00", "25 03:00", "25 04:00"]

    @given(st.integers(60, 20 * 365 * 86_400), st.integers(2, 9))
    def test_few_times_are_named_in_order_and_inside(self, seconds, most):
        begin = NOON - timedelta(seconds=seconds)
        found = scales.time_ticks(begin, NOON, BERLIN, most)
        assert len(found) <= most + 1
        assert found == sorted(found)
        assert all(begin <= moment <= NOON for moment in found)

    def test_no_time_at_all_is_one_name(self):
        assert len(scales.time_ticks(NOON, NOON, UTC)) == 1


class TestThroughput:
    def test_lines_run_from_the_left_to_the_right_edge(self):
        done, failed = charts.throughput(minutes([0, 100], [0, 50]), height=136).series
        assert (done.name, failed.name) == ("done", "failed")
        assert done.line == "M0 100L1000 0"
        assert done.area == "M0 100L1000 0V100H0z"
        assert failed.line == "M0 100L1000 50"

    def test_axes_are_named(self):
        drawing = charts.throughput(minutes([350] * 61))
        assert [tick.label for tick in drawing.y_ticks] == ["0", "100", "200", "300", "400"]
        assert [tick.label for tick in drawing.x_ticks][:2] == ["11 a.m.", "11:10 a.m."]
        assert drawing.x_ticks[0].place == 0
        assert [drawing.x_ticks[i].anchor for i in (0, 1, -1)] == ["start", "", "end"]
        assert [tick.minor for tick in drawing.x_ticks][:3] == [False, True, False]

    def test_axes_speak_the_language_and_zone_in_force(self):
        with translation.override("de"), timezone.override(BERLIN):
            drawing = charts.throughput(minutes([12_500] * 61))
        assert drawing.x_ticks[0].label == "12:00"
        assert drawing.table.rows[0][1] == "12.500"

    def test_numbers_are_told_and_tabled(self):
        drawing = charts.throughput(minutes([1200, 34], [5, 0]))
        assert drawing.description.endswith("1,234 done, 5 failed.")
        assert [row[1:] for row in drawing.table.rows] == [("1,200", "5"), ("34", "0")]
        assert drawing.hits[0].title == "11:59 a.m.: 1,200 done, 5 failed"

    def test_strips_to_point_at_cover_everything(self):
        hits = charts.throughput(minutes([1, 2, 3])).hits
        assert [(hit.x, hit.width) for hit in hits] == [(0, 250), (250, 500), (750, 250)]

    def test_a_strip_tells_the_sum_where_points_are_many(self):
        hits = charts.throughput(minutes([2] * 150, [1] * 150)).hits
        assert len(hits) == 50
        assert hits[0].title.endswith("6 done, 3 failed")
        assert sum(hit.width for hit in hits) == 1000

    def test_days_are_days_of_utc_in_every_zone(self):
        point = charts.Point(datetime(2026, 11, 22, tzinfo=UTC), 1, 0)
        later = charts.Point(datetime(2026, 11, 23, tzinfo=UTC), 1, 0)
        with timezone.override(ZoneInfo("America/Chicago")):
            assert charts.throughput([point, later]).table.rows[0][0] == "Nov. 22, 2026"

    def test_deploys_are_marked(self):
        marks = [charts.Mark(NOON - timedelta(minutes=30), "3f2a91c a long label")]
        (mark,) = charts.throughput(minutes([1] * 61), marks).marks
        assert (mark.x, mark.label) == (50, "3f2a91c a l…")
        assert mark.title.startswith("Deploy 3f2a91c a long label")

    def test_deploys_that_lie_close_share_the_place_of_one_label(self):
        marks = [charts.Mark(NOON - timedelta(minutes=30 - i), f"v{i}") for i in range(3)]
        assert [mark.label for mark in charts.throughput(minutes([1] * 61), marks).marks] == ["v0", "", ""]

    def test_deploys_of_other_times_are_left_out(self):
        marks = [charts.Mark(NOON + timedelta(days=1), "later"), charts.Mark(NOON - timedelta(days=9), "before")]
        assert charts.throughput(minutes([1, 2]), marks).marks == ()

    def test_nothing_is_drawn_of_nothing(self):
        drawing = charts.throughput([])
        assert drawing.description == "Nothing was counted."
        assert (drawing.hits, drawing.x_ticks, drawing.table.rows) == ((), (), ())
        assert "kiq-series" not in svg(drawing)

    def test_what_never_happened_is_not_drawn(self):
        done, failed = charts.throughput(minutes([5, 6, 7])).series
        assert (bool(done.line), failed.line, failed.area) == (True, "", "")

    def test_one_point_is_a_dot(self):
        drawing = charts.throughput(minutes([5]))
        assert drawing.series[0].line.endswith("h0")
        assert drawing.series[0].area == ""
        assert (drawing.hits[0].x, drawing.hits[0].width) == (0, 1000)

    @settings(max_examples=30)
    @given(st.lists(st.tuples(anything, anything), max_size=5))
    def test_no_number_breaks_it(self, pairs):
        points = minutes([ok for ok, _ in pairs], [failed for _, failed in pairs])
        assert not re.search(r"nan|inf|\de[+-]\d", svg(charts.throughput(points)).replace("info", ""), re.IGNORECASE)


class TestSparkline:
    def test_bars_are_relative_to_the_highest(self):
        drawing = charts.sparkline([0, 5, 10], "15 in 3 h")
        assert drawing.path == "M4 20v-10h3v10zM8 20v-20h3v20z"
        assert drawing.width == 12

    def test_little_is_still_seen(self):
        assert "M0 20v-1h3" in charts.sparkline([1, 100_000], "x").path

    def test_nothing_is_an_empty_picture(self):
        assert charts.sparkline([], "nothing").path == ""
        assert charts.sparkline([0] * 24, "nothing").path == ""

    @given(st.lists(anything, max_size=30))
    def test_no_number_breaks_it(self, values):
        assert not re.search("nan|inf|e", charts.sparkline(values, "x").path)


class TestHistogram:
    def test_bars_stand_on_the_axis(self):
        drawing = charts.histogram([("20 ms", 10), ("30 ms", 0), ("45 ms", 5)], "Run time", height=136)
        assert [bar.y + bar.height for bar in drawing.bars] == [100, 100]
        assert drawing.bars[0].height == 100
        assert drawing.description == "15 in all."
        assert drawing.table.rows[2] == ("45 ms", "5")

    def test_percentiles_are_marked(self):
        drawing = charts.histogram([("a", 1), ("b", 1)], "x", [(1, "p95"), (9, "no such bucket")])
        assert [(line.place, line.label) for line in drawing.lines] == [(75, "p95")]

    def test_many_buckets_are_not_all_named(self):
        drawing = charts.histogram([(str(i), i) for i in range(26)], "x")
        assert len(drawing.x_ticks) == 7

    def test_nothing_is_an_empty_picture(self):
        assert charts.histogram([], "x").bars == ()
        assert "<svg" in svg(charts.histogram([], "x"))


class TestHeatmap:
    def columns(self, *counts):
        return [charts.Column(NOON + timedelta(minutes=i), each) for i, each in enumerate(counts)]

    def test_the_most_is_the_darkest_and_nothing_is_not_drawn(self):
        drawing = charts.heatmap(self.columns((0, 10), (1, 0)), ["fast", "slow"], "x")
        assert [shade.level for shade in drawing.shades] == [0, 4]
        assert drawing.shades[0].path == "M0 0h470v11H0z"
        assert drawing.hits[0].title == "noon: slow: 10"

    def test_all_buckets_of_a_moment_are_in_the_table(self):
        drawing = charts.heatmap(self.columns((2, 10)), ["fast", "slow"], "x")
        assert drawing.table.rows[0][1:] == ("12", "fast: 2, slow: 10")

    @pytest.mark.parametrize("columns", [[], [charts.Column(NOON, ())], [charts.Column(NOON, (float("nan"), -1))]])
    def test_nothing_is_an_empty_picture(self, columns):
        drawing = charts.heatmap(columns, ["a", "b"], "x")
        assert drawing.shades == ()
        assert "nan" not in svg(drawing).lower()

    def test_counts_without_a_name_are_left_out(self):
        assert charts.heatmap(self.columns((1, 2, 3)), ["a"], "x").description == "1 in all."


class TestShare:
    def test_parts_fill_the_bar(self):
        drawing = charts.share([charts.Part("a", 3), charts.Part("b", 1), charts.Part("bad", 0, "bad")], "x")
        assert [(part.x, part.width, part.percent) for part in drawing.parts] == [
            (0, 75, "75%"),
            (75, 25, "25%"),
            (100, 0, "0%"),
        ]
        assert [(part.tone, part.level) for part in drawing.parts] == [("main", 0), ("main", 1), ("bad", 0)]

    def test_nothing_is_an_empty_bar(self):
        assert [part.width for part in charts.share([charts.Part("a", 0)], "x").parts] == [0]
        assert charts.share([], "x").parts == ()


DRAWINGS = [
    charts.throughput(minutes([1.5, 2000, 30]), [charts.Mark(NOON, "<b>v1</b>")]),
    charts.histogram([("<b>", 1234.5)], "<b>x</b>"),
    charts.sparkline([1, 2000], "<b>"),
    charts.share([charts.Part("<b>", 1234)], "<b>"),
    charts.heatmap([charts.Column(NOON, (1,))], ["<b>"], "<b>x</b>"),
]


@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda drawing: type(drawing).__name__)
class TestMarkup:
    def test_coordinates_are_the_same_in_every_language(self, drawing):
        def geometry(language):
            with translation.override(language):
                return re.findall(r' (?:x|y|d|x1|width|height|viewBox)="[^"]*"', svg(drawing))

        assert geometry("de") == geometry("en")

    def test_nothing_is_styled_or_scripted_in_place(self, drawing):
        assert not re.search(r"style=|<style|<script| on\w+=", svg(drawing))

    def test_texts_are_escaped(self, drawing):
        assert "<b>" not in svg(drawing)

    def test_it_has_a_name(self, drawing):
        assert "aria-label" in svg(drawing)

    def test_the_table_can_be_left_out(self, drawing):
        assert "<table" not in kiq_chart(drawing, table=False)


def test_a_chart_of_an_hour_is_a_small_part_of_a_page():
    drawing = charts.throughput(minutes([1234] * 60, [56] * 60))
    markup = render_to_string(drawing.template, {"drawing": drawing, "table": None})
    assert len(markup) < 10_000
    assert len(gzip.compress(markup.encode())) < 2_000
