"""A bulk that is written without making its payloads: the same bytes, errors and ids as one by one."""

import logging
import tracemalloc
from datetime import date
from itertools import count

import pytest
from django.utils import translation
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from kiq_django import adapters, clock, delivery, jids, job, registry, signals, transactions
from kiq_django.exceptions import ArgumentError, PayloadError, StoreError
from kiq_django.payload import Payload
from tests.jobsapp import jobs

NOW = 1_795_318_639.123_456
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.characters()
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
things = plain | st.dates() | st.decimals(allow_nan=False) | st.tuples(st.integers())
items = st.lists(st.lists(things, max_size=3) | st.dictionaries(st.text(max_size=4), things, max_size=2), max_size=8)
usual = st.lists(st.tuples(st.integers(0, 9) | st.text(max_size=9) | st.lists(st.floats(0, 1), max_size=2)), max_size=8)
options = st.fixed_dictionaries(
    {},
    optional={
        "queue": st.sampled_from(["default", "low", "mail"]),
        "retry": st.sampled_from([True, False, 3]),
        "tags": st.lists(st.text(min_size=1, max_size=5), max_size=2),
        "expires_in": st.integers(1, 99),
        "expires_at": st.just(NOW + 5),
        "dead": st.booleans(),
        "result": st.just(60),
        "partition_key": st.just("k"),
        "at": st.sampled_from([NOW - 5, NOW + 5]),
        "outbox": st.just(False),
    },
)


def passing(payload, proceed):
    """A client link of which nobody knows what it looks at."""
    return proceed(payload)


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """The same time and chance in both ways, and no transaction of the test's own."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(jids, "_first_of_a_range", lambda: 0xA0000000 << 64)
    monkeypatch.setattr(transactions, "open_connections", list)


@pytest.fixture
def kiq(settings):
    def change(**values):
        settings.KIQ = {**settings.KIQ, **values}

    return change


@pytest.fixture
def unseen(monkeypatch):
    """Whether each slice was pushed without making its payloads."""
    told, way = [], delivery.Convoy.deliver

    def noted(convoy, part):
        told.append(way(convoy, part))
        return told[-1]

    monkeypatch.setattr(delivery.Convoy, "deliver", noted)
    return told


@pytest.fixture(scope="module")
def anything():
    """A job that any call fits."""
    yield job(name="anything")(lambda *args, **kwargs: None)
    del registry._jobs["anything"]


def everything(store):
    """All that lies in Redis, and nothing any more."""
    client = store.link.client
    read = {b"list": lambda k: client.lrange(k, 0, -1), b"zset": lambda k: client.zrange(k, 0, -1, withscores=True)}
    read |= {b"set": client.smembers, b"hash": client.hgetall}
    found = {key: read[client.type(key)](key) for key in sorted(client.keys())}
    client.flushall()
    return found


def outcome(store, function):
    """What came of a call: ids or the error, and all that it stored."""
    try:
        told = list(function())
    except Exception as error:
        told = (type(error), str(error))
    return told, everything(store)


@budget(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=usual | items, chosen=options, milliseconds=st.booleans(), language=st.sampled_from(["en", "de"]))
def test_both_ways_come_to_the_same(store, anything, kiq, calls, chosen, milliseconds, language):
    found = []
    for links in ([], [f"{__name__}.passing"]):
        kiq(MIDDLEWARE={"client": links}, SIDEKIQ={"integer_times": milliseconds})
        with translation.override(language):
            found.append(outcome(store, lambda: anything.using(**chosen).enqueue_all(calls)))
    assert found[0] == found[1]


def test_a_plain_bulk_makes_no_payloads(store, unseen):
    ids = jobs.record.enqueue_all([(1,), ([1.5, None, {"a": "ä"}],), [True]])
    assert unseen == [True]
    stored = store.queues.page("default", 0, 3)
    assert stored[1] == (
        b'{"retry":true,"queue":"default","class":"tests.jobsapp.jobs.record","args":[[1.5,null,{"a":"\xc3\xa4"}]],'
        b'"jid":"%b","created_at":1795318639.123456,"enqueued_at":1795318639.123456}' % ids[1].encode()
    )


@pytest.mark.parametrize("items", [[(1,), {"value": 2}], [(1,), (date(2026, 1, 1),)]], ids=["by name", "a rich one"])
def test_one_of_another_shape(store, unseen, items):
    jobs.record.enqueue_all(items)
    assert unseen == [False]
    assert store.queues.sizes(["default"]) == {"default": 2}


def test_whoever_asks_sees_each(store, unseen, kiq):
    seen = []

    def receiver(payload, **_):
        seen.append(payload.args)

    signals.job_enqueued.connect(receiver)
    jobs.record.enqueue_all([(1,), (2,)])
    signals.job_enqueued.disconnect(receiver)
    kiq(FEATURES=["kiq_django.features.seal"])
    jobs.record.enqueue_all([(1,), (2,)])
    kiq(FEATURES=[], ADAPTER="test")
    jobs.record.enqueue_all([(1,), (2,)])
    assert (seen, unseen) == ([[1], [2]], [False] * 3)
    assert len(adapters.get().enqueued()) == 2


def test_jobs_that_keep_a_result_have_their_records(store, unseen):
    jobs.record.using(result=60).enqueue_all([(1,), (2,)])
    assert unseen == [False]
    assert len(store.link.client.keys("*kiq:job:*")) == 2


def test_too_large(store, kiq, caplog):
    kiq(LIMITS={"payload": 2_000, "payload_warning": 1_000})
    with caplog.at_level(logging.WARNING, "kiq_django.client"):
        jobs.record.enqueue_all([(1,), ("x" * 1_000,)])
    assert "The payload of tests.jobsapp.jobs.record has" in caplog.text
    with pytest.raises(PayloadError, match="more than"):
        jobs.record.enqueue_all([("x" * 2_000,), (2,)])
    assert store.queues.sizes(["default"]) == {"default": 3}


def test_an_error_names_the_argument(store):
    with pytest.raises(ArgumentError, match="argument 'value'"):
        jobs.record.enqueue_all([(1,), (float("nan"),)])
    assert store.queues.sizes(["default"]) == {"default": 0}


def test_arguments_are_those_of_the_moment_in_which_they_came(store, unseen):
    def rows():
        row, inner = [None], []
        for number in range(3):
            inner[:] = [number]
            row[0] = inner
            yield row

    jobs.record.enqueue_all(rows())
    assert unseen == [True]
    assert [b'"args":[[%d]]' % n in raw for n, raw in enumerate(store.queues.page("default", 0, 3))] == [True] * 3


def test_memory_stays_flat(store, unseen):
    def peak(number):
        tracemalloc.start()
        numbers = count()
        jobs.record.enqueue_all((next(numbers),) for _ in range(number))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        store.link.client.flushall()
        return most

    peak(1_000)
    assert peak(20_000) < 1.2 * peak(2_000)
    assert all(unseen)


# --- on the way ---


class Stopped(Exception):
    pass


def test_a_slice_is_under_way_while_the_next_is_written(store, monkeypatch):
    told, launch = [], type(store.link).launch

    def noted(link, commands):
        land = launch(link, commands)
        told.append("sent")
        return lambda: (land(), told.append("landed"))

    def rows():
        for number in range(2_500):
            if number % 1_000 == 0:
                told.append(number)
            yield (number,)

    monkeypatch.setattr(type(store.link), "launch", noted)
    jobs.record.enqueue_all(rows())
    assert told == [0, "sent", 1000, "landed", "sent", 2000, "landed", "sent", "landed"]


def test_what_stands_in_slices_before_an_error_is_pushed(store):
    def rows():
        yield from ((number,) for number in range(2_000))
        raise Stopped

    with pytest.raises(Stopped):
        jobs.record.enqueue_all(rows())
    assert store.queues.sizes(["default"]) == {"default": 2_000}
    assert store.link.call("ECHO", "own") == b"own"


def test_slices_of_both_kinds_keep_their_order(store, unseen):
    """The second has a call that is no plain one: its payloads are made."""
    rows = [(number,) for number in range(1_000)] + [{"value": 1_000}] + [(number,) for number in range(1_001, 3_000)]
    jobs.record.enqueue_all(rows)
    assert unseen == [True, False, True]
    found = [Payload.decode(raw) for raw in store.queues.page("default", 0, 3_000)]
    assert [each.args[0] if each.args else each.kwargs["value"] for each in found] == list(range(3_000))


def test_a_refusal_comes_out_and_nothing_more_is_sent(store):
    store.link.call("SET", store.keys.queue("default"), "of somebody else")
    asked = []

    def rows():
        for number in range(5_000):
            asked.append(number)
            yield (number,)

    with pytest.raises(StoreError, match="WRONGTYPE"):
        jobs.record.enqueue_all(rows())
    assert len(asked) == 2_000  # while the first was under way the second was written
    store.link.call("DEL", store.keys.queue("default"))
    jobs.record.enqueue_all([(1,)])
    assert store.queues.sizes(["default"]) == {"default": 1}


def test_a_refusal_of_the_last_comes_out_too(store):
    store.link.call("SET", store.keys.queue("default"), "of somebody else")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        jobs.record.enqueue_all([(1,)])
