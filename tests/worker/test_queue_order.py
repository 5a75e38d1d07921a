"""In which order a capsule looks at its queues."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django.worker.queue_order import QueueOrder

DRAWS = 20_000


def firsts(weights):
    """How often each queue came first, as a share."""
    order = QueueOrder(weights, random.Random(7))
    counted = Counter(order.draw()[0] for _ in range(DRAWS))
    return {name: counted[name] / DRAWS for name in weights}


def test_strict_order_is_always_the_same():
    order = QueueOrder({"c": 0, "a": 0, "b": 0})
    assert {tuple(order.draw()) for _ in range(100)} == {("c", "a", "b")}


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ({"a": 6, "b": 3, "c": 1}, [0.6, 0.3, 0.1]),
        ({"a": 1, "b": 1}, [0.5, 0.5]),
        ({"a": 3, "b": 0}, [0.75, 0.25]),  # one weight makes all weighted
        ({"a": 5}, [1.0]),
    ],
)
def test_who_is_first_goes_by_weight(weights, shares):
    assert list(firsts(weights).values()) == pytest.approx(shares, abs=0.015)


def test_who_is_second_goes_by_the_weights_that_are_left():
    order = QueueOrder({"a": 6, "b": 3, "c": 1}, random.Random(7))
    after_a = Counter(second for first, second, _ in (order.draw() for _ in range(DRAWS)) if first == "a")
    assert after_a["b"] / after_a.total() == pytest.approx(0.75, abs=0.02)


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 20), min_size=1, max_size=8))
def test_every_queue_is_in_every_draw(weights):
    order = QueueOrder(weights)
    assert order.names == list(weights)
    for _ in range(5):
        assert sorted(order.draw()) == sorted(weights)


def test_no_draw_changes_the_names():
    order = QueueOrder({"a": 2, "b": 1})
    order.draw().clear()
    assert order.names == ["a", "b"]
