import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django import histogram

durations = st.lists(st.floats(0, 1e7), min_size=1)


@pytest.mark.parametrize(
    ("ms", "index"),
    [(-1, 0), (0, 0), (19.999, 0), (20, 1), (280, 7), (334999, 24), (335000, 25), (1e12, 25)],
)
def test_the_bucket_of_a_duration(ms, index):
    assert histogram.index_of(ms) == index


def test_sidekiq_has_26_buckets():
    assert histogram.SIZE == 26
    assert len(histogram.empty()) == 26
    assert list(histogram.BOUNDS_MS) == sorted(histogram.BOUNDS_MS)


def test_merge_takes_counts_of_any_length():
    assert histogram.merge([]) == histogram.empty()
    assert histogram.merge([[1, 2], [1] * 30])[:4] == [2, 3, 1, 1]
    assert len(histogram.merge([[1] * 30])) == 26


def test_percentile_is_linear_inside_a_bucket():
    counts = histogram.empty()
    histogram.add(counts, 25, times=10)
    assert histogram.percentile(counts, 0) == 20
    assert histogram.percentile(counts, 0.5) == 25
    assert histogram.percentile(counts, 1) == 30


def test_the_last_bucket_has_only_a_lower_bound():
    counts = histogram.empty()
    histogram.add(counts, 1e9)
    assert histogram.percentile(counts, 0.99) == 335000


def test_nothing_ran():
    assert histogram.percentile(histogram.empty(), 0.5) == 0


@pytest.mark.parametrize("q", [-0.1, 95, float("nan")])
def test_a_share_is_no_percentage(q):
    with pytest.raises(ValueError, match=r"0\.95"):
        histogram.percentile(histogram.empty(), q)


@given(durations, durations)
def test_merging_is_counting_together(some, more):
    counts, others, together = histogram.empty(), histogram.empty(), histogram.empty()
    for ms in some:
        histogram.add(counts, ms)
        histogram.add(together, ms)
    for ms in more:
        histogram.add(others, ms)
        histogram.add(together, ms)
    assert histogram.merge([counts, others]) == together


@given(durations, st.floats(0, 1), st.floats(0, 1))
def test_percentiles_grow_and_stay_in_the_bucket_of_a_real_run(times, q, p):
    counts = histogram.empty()
    for ms in times:
        histogram.add(counts, ms)
    low, high = sorted((q, p))
    assert histogram.percentile(counts, low) <= histogram.percentile(counts, high)
    assert histogram.percentile(counts, q) <= max(30, 2 * max(times))
