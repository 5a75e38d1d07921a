"""Durations for people."""

import math

import pytest
from django.utils import translation

from kiq_django.durations import human, relative


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.0004, "0 s"),
        (0.003, "3 ms"),
        (0.085, "85 ms"),
        (0.0996, "0.1 s"),
        (0.4, "0.4 s"),
        (5, "5 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (42.4, "42 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (250, "4 min 10 s"),
        (3599.7, "1 h"),
        (3600 + 59, "1 h 1 min"),
        (5 * 3600 + 12 * 60, "5 h 12 min"),
        (86_399, "1 d"),
        (3 * 86_400, "3 d"),
        (3 * 86_400 + 5 * 3600, "3 d 5 h"),
        (1234 * 86_400, "1,234 d"),
        (math.inf, "11,574,074 d 2 h"),
        (math.nan, "0 s"),
    ],
)
def test_two_units_say_enough(seconds, text):
    assert human(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0.4 s"),
        (60, "60 s"),
        (119.4, "119 s"),
        (119.6, "2 min"),
        (90 * 60, "90 min"),
        (22 * 3600, "22 h"),
        (36 * 3600, "36 h"),
        (3 * 86_400 + 5 * 3600, "3 d"),
    ],
)
def test_or_one(seconds, text):
    assert human(seconds, parts=1) == text


@pytest.mark.parametrize(
    ("ahead", "text"),
    [
        (0, "now"),
        (-0.9, "now"),
        (0.9, "now"),
        (250, "in 4 min"),
        (-3 * 86_400, "3 d ago"),
        (18_000, "in 5 h"),
        (-42, "42 s ago"),
    ],
)
def test_before_and_after_now(ahead, text):
    assert relative(ahead) == text


def test_both_units_of_a_moment():
    assert relative(250, parts=2) == "in 4 min 10 s"


def test_numbers_are_written_as_the_language_writes_them():
    with translation.override("de"):
        assert human(0.4) == "0,4 s"
        assert human(1234 * 86_400) == "1.234 d"
