"""Which jobs a filter means, and that what it passes over by bytes alone never is one of them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django.api.filters import EVERYTHING, Filter
from kiq_django.api.operation import NAMES, Operation
from kiq_django.api.records import JobRecord
from kiq_django.exceptions import ConfigurationError

FIELDS = {
    "class": "shop.jobs.pay",
    "jid": "a" * 24,
    "args": [1, "Zoë"],
    "queue": "mail",
    "error_class": "ValueError",
    "error_message": "no",
}


def job(place="retry", at=100.0, queue=None, **fields):
    return JobRecord(json.dumps({**FIELDS, **fields}).encode(), place, at=at, queue=queue)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, True),
        ({"text": "pay"}, True),
        ({"text": '"queue": "mail"'}, True),
        ({"text": "Zoë"}, True),
        ({"text": "PAY"}, False),
        ({"text": "p*y"}, False),
        ({"name": "shop.jobs.pay"}, True),
        ({"name": "shop.jobs"}, False),
        ({"name": "a" * 24}, False),
        ({"queue": "mail"}, True),
        ({"queue": "default"}, False),
        ({"error_class": "ValueError"}, True),
        ({"error_class": "Value"}, False),
        ({"error_class": "no"}, False),
        ({"fingerprint": job().fingerprint}, True),
        ({"fingerprint": "0" * 12}, False),
        ({"due_from": 100.0}, True),
        ({"due_to": 100.0}, True),
        ({"due_from": 100.5}, False),
        ({"due_to": 99.5}, False),
        ({"name": "shop.jobs.pay", "queue": "mail", "text": "1", "due_from": 5.0, "due_to": 500.0}, True),
        ({"name": "shop.jobs.pay", "queue": "default"}, False),
    ],
)
def test_what_matches(asked, wanted):
    assert Filter(**asked).matches(job()) is wanted
    if wanted:
        assert Filter(**asked).sieve()(job().raw)


def test_a_job_inside_of_another_systems_job_has_two_names():
    wrapped = job(**{"class": "Wrapper", "wrapped": "Shop::Pay"})
    for name in ("Wrapper", "Shop::Pay"):
        assert Filter(name=name).matches(wrapped)
        assert Filter(name=name).sieve()(wrapped.raw)


def test_a_job_that_was_moved_is_in_the_queue_where_it_is():
    moved = job("queue", None, queue="bulk")
    assert Filter(queue="bulk").matches(moved)
    assert Filter(queue="bulk").sieve()(moved.raw)
    assert not Filter(queue="mail").matches(moved)


def test_times_are_for_sets():
    assert Filter(due_from=5.0).matches(job("queue", None))


def test_what_cannot_be_read_matches_by_bytes_and_time():
    junk = JobRecord(b"\xffjunk", "dead", at=100.0)
    assert Filter().matches(junk)
    assert Filter(text="junk", due_from=50.0).matches(junk)
    assert not Filter(text="junk", due_from=150.0).matches(junk)
    assert not Filter(name="junk").matches(junk)


TEXTS = st.one_of(
    st.just(""), st.text(max_size=4), st.sampled_from([*map(str, FIELDS.values()), "pay", 'a"b', "é", "<"])
)


@given(name=TEXTS, error=TEXTS, argument=TEXTS, asked=st.builds(Filter, text=TEXTS, name=TEXTS, error_class=TEXTS))
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_sieve_lets_through_all_that_match(ascii_only, name, error, argument, asked):
    fields = {**FIELDS, "class": name or "x", "error_class": error, "args": [argument]}
    try:
        raw = json.dumps(fields, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        return
    record = JobRecord(raw, "dead", at=1.0)
    assert asked.sieve()(raw) or not asked.matches(record)


def test_bounds():
    assert (EVERYTHING.low, EVERYTHING.high, EVERYTHING.is_empty) == (-math.inf, math.inf, True)
    assert (Filter(due_from=1.0).low, Filter(due_to=2.0).high, Filter(due_to=2.0).is_empty) == (1.0, 2.0, False)


@given(st.builds(Filter, text=st.text(max_size=5), queue=st.text(max_size=5), due_from=st.none() | st.floats(0, 1e12)))
def test_there_and_back(asked):
    assert Filter.from_json(asked.to_json()) == asked
    assert Filter.from_json(asked.to_json(), strict=False) == asked


def test_what_a_later_version_asks_is_no_question_of_ours():
    with pytest.raises(ConfigurationError, match=r"colour, tag.*update"):
        Filter.from_json('{"tag": "x", "text": "y", "colour": 1}')
    assert Filter.from_json('{"tag": "x", "text": "y"}', strict=False) == Filter(text="y")


# --- operations as they are stored ---


def test_an_operation_there_and_back():
    every = Operation(
        id="o", verb="reschedule", place="queue", queue="mail", where=Filter(text="é"), when=5.5, spread=1.5, total=0,
        by="ada", reason="x", started_at=1.001, size=9, state="failed", error="e", begun_at=2.0, finished_at=3.0,
    )  # fmt: skip
    fields = every.to_fields()
    assert set(fields) <= set(NAMES)
    assert all(isinstance(value, str) for value in fields.values())
    assert Operation.from_fields("o", fields) == every
    bare = Operation(id="o", verb="delete", place="dead")
    assert Operation.from_fields("o", bare.to_fields()) == bare


def test_progress():
    half = Operation(id="o", verb="delete", place="dead", size=100, looked_at=50, begun_at=10.0, heartbeat=20.0)
    assert (half.percent, half.seconds, half.rate, half.remaining) == (50, 10, 5, 10)
    beyond = Operation(id="o", verb="delete", place="dead", size=100, looked_at=150, begun_at=10.0, heartbeat=20.0)
    assert (beyond.percent, beyond.remaining) == (100, 0)
    empty = Operation(id="o", verb="delete", place="dead")
    assert (empty.percent, empty.rate, empty.remaining) == (0, 0, None)


@given(st.lists(st.text(max_size=8), min_size=1, unique=True))
def test_a_spread_is_the_same_each_time_and_within_its_time(jids):
    operation = Operation(id="o", verb="retry", place="dead", spread=60.0, started_at=1000.0)
    due = [operation.due(jid) for jid in jids]
    assert due == [operation.due(jid) for jid in jids]
    assert all(1000 <= each <= 1060 for each in due)
