"""How far to fetch ahead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django.worker.pace import MEMORY, MOST, WINDOW, Pace


def going(per_second, *, seconds=1.0, step=0.001, pace=None, start=100.0):
    """A pace after jobs ended at this rate for a while."""
    pace = pace or Pace()
    done = 0
    for number in range(1, int(seconds / step) + 1):
        due = int(per_second * number * step)
        pace.note(due - done, start + number * step)
        done = due
    return pace


def test_nothing_at_first():
    pace = Pace()
    assert pace.ahead == 0
    pace.note(1, 100.0)
    assert pace.ahead == 0


@pytest.mark.parametrize("rate", [1000, 10_000, 50_000])
def test_as_much_as_ends_within_the_window(rate):
    assert going(rate).ahead == pytest.approx(rate * WINDOW, rel=0.2, abs=1)


@pytest.mark.parametrize("rate", [1, 10, 100])
def test_nothing_ahead_of_slow_jobs(rate):
    pace, most = Pace(), 0
    for number in range(1, 101):
        pace.note(1, 100.0 + number / rate)
        most = max(most, pace.ahead)
    assert most == 0


def test_it_has_a_limit():
    assert going(1_000_000).ahead == MOST


def test_it_forgets_soon():
    pace = going(20_000)
    pace.note(0, 101.0 + 5 * MEMORY)
    assert pace.ahead == 0
    pace = going(20_000)
    going(0, seconds=5 * MEMORY, pace=pace, start=101.0)
    assert pace.ahead <= 1


def test_how_often_one_looks_does_not_matter():
    assert going(10_000, step=0.0005).ahead == pytest.approx(going(10_000, step=0.005).ahead, abs=5)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 100))))
def test_always_within_bounds(steps):
    pace, now = Pace(), 5.0
    for finished, elapsed in steps:
        now += elapsed
        pace.note(finished, now)
        assert 0 <= pace.ahead <= MOST
