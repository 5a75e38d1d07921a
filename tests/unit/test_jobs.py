import asyncio
import inspect
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction
from django.test import override_settings

from kiq_django import Discard, clock, job, registry
from kiq_django.exceptions import ArgumentError, ConfigurationError, DuplicateJobError
from tests.jobsapp import jobs

NOW = 1_795_318_639.0


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))


@pytest.fixture
def noon(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def last(adapter):
    return lambda: adapter.enqueued()[-1]


def test_a_plain_call(done):
    assert jobs.invoice(1, locale="de") == "1 de"
    assert jobs.HardWorker("a", 2) == "aa"
    assert asyncio.run(jobs.sync(4)) == 8
    assert len(done) == 3


def test_it_looks_like_the_function():
    assert jobs.invoice.__name__ == "invoice"
    assert jobs.HardWorker.__doc__.startswith("A class job")
    assert list(inspect.signature(jobs.invoice).parameters) == ["order_id", "locale"]
    assert repr(jobs.invoice) == "<Job tests.jobsapp.jobs.invoice>"


def test_enqueue(last, noon):
    handle = jobs.invoice.enqueue(42, locale="de")
    assert handle.job == "tests.jobsapp.jobs.invoice"
    assert last().document == {
        "retry": 5,
        "queue": "mail",
        "class": "tests.jobsapp.jobs.invoice",
        "args": [42],
        "kwargs": {"locale": "de"},
        "jid": handle.id,
        "created_at": NOW,
        "enqueued_at": NOW,
        "tags": ["billing"],
    }


def test_a_name_that_ruby_has_too(last):
    jobs.HardWorker.enqueue("bob", 5)
    assert last().name == "HardWorker"
    assert "kwargs" not in last().document


def test_aliases(last):
    jobs.record.delay(1)
    assert last().args == [1]
    jobs.record.perform_async(2)
    assert last().args == [2]


async def test_aenqueue(last):
    handle = await jobs.record.aenqueue(1)
    assert last().jid == handle.id


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "order_id"),
        ((1, "de", 3), {}, r"invoice\(\) takes at most 2 arguments \(order_id, locale\) but 3 were given"),
        ((1,), {"lang": "de"}, "the job was not enqueued"),
        ((1,), {"order_id": 1}, "twice"),
    ],
)
def test_the_signature_is_bound(adapter, args, kwargs, words):
    with pytest.raises(TypeError, match=words):
        jobs.invoice.enqueue(*args, **kwargs)
    assert adapter.enqueued() == []


def test_signatures_of_every_kind(adapter):
    @job(name="many")
    def many(*rows): ...

    @job(name="named")
    def named(first, /, *, second): ...

    many.enqueue()
    many.enqueue(1, 2, 3)
    named.enqueue(1, second=2)
    with pytest.raises(TypeError, match="second"):
        named.enqueue(1)
    assert len(adapter.enqueued()) == 3


def test_an_argument_that_cannot_travel_is_named(adapter):
    with pytest.raises(ArgumentError, match="argument 'value'"):
        jobs.record.enqueue(object())
    assert adapter.enqueued() == []


def test_rich_arguments(last):
    jobs.record.enqueue(date(2030, 1, 2))
    assert last().rich
    jobs.record.enqueue(1)
    assert "rich" not in last().document


# --- later ---


def test_enqueue_in(last, noon):
    jobs.record.enqueue_in(timedelta(hours=1), 42)
    assert last().at == NOW + 3600
    assert last().args == [42]
    jobs.record.enqueue_in(0.5, 42)
    assert last().at == NOW + 0.5
    jobs.record.enqueue_in(-5, 42)
    assert last().at is None


@pytest.mark.parametrize("delay", ["60", None, True, float("nan"), float("inf")])
def test_what_is_no_delay(delay):
    with pytest.raises(TypeError, match="not a timedelta or seconds"):
        jobs.record.enqueue_in(delay, 1)


def test_a_point_in_time_is_no_delay():
    with pytest.raises(ValueError, match="use enqueue_at"):
        jobs.record.enqueue_in(NOW, 1)


def test_enqueue_at(last, noon):
    jobs.record.enqueue_at(NOW + 60, 1)
    assert last().at == NOW + 60
    jobs.record.enqueue_at(datetime.fromtimestamp(NOW + 90, UTC), 1)
    assert last().at == NOW + 90
    jobs.record.enqueue_at(NOW, 1)
    assert last().at is None


def test_naive_datetimes(last, noon):
    with pytest.raises(ValueError, match="make_aware"):
        jobs.record.enqueue_at(datetime(2030, 1, 1), 1)
    with override_settings(USE_TZ=False, TIME_ZONE="Europe/Berlin"):
        jobs.record.enqueue_at(datetime(2030, 1, 1), 1)
    assert last().at == datetime(2029, 12, 31, 23, tzinfo=UTC).timestamp()


def test_what_is_no_time():
    for when in ("tomorrow", date(2030, 1, 1), None, True):
        with pytest.raises(TypeError, match="not a datetime or epoch seconds"):
            jobs.record.enqueue_at(when, 1)


# --- using ---


def test_using(last, noon):
    changed = jobs.invoice.using(queue="low", retry=False, tags=["x"], at=NOW + 5, backtrace=10, dead=False)
    changed.enqueue(1)
    assert (
        last().document.items()
        >= {
            "queue": "low",
            "retry": False,
            "tags": ["x"],
            "at": NOW + 5,
            "backtrace": 10,
            "dead": False,
        }.items()
    )
    jobs.invoice.enqueue(1)
    assert (last().queue, last().at) == ("mail", None)
    changed.using(queue="lower").enqueue_in(60, 1)
    assert (last().queue, last().retry, last().at) == ("lower", False, NOW + 60)


def test_using_what_is_unknown():
    with pytest.raises(TypeError, match=r"using\(\) has no option 'queu'\. Did you mean 'queue'"):
        jobs.invoice.using(queu="low")
    with pytest.raises(TypeError, match="no option 'timeout'"):
        jobs.invoice.using(timeout=5)
    with pytest.raises(ConfigurationError, match="is not a queue name"):
        jobs.invoice.using(queue="a b")


@pytest.mark.django_db(transaction=True)
def test_on_commit_or_not(adapter):
    with transaction.atomic():
        jobs.record.enqueue(1)
        assert adapter.enqueued() == []
        jobs.record.using(on_commit=False).enqueue(2)
        assert [each.args for each in adapter.enqueued()] == [[2]]
    assert [each.args for each in adapter.enqueued()] == [[2], [1]]


# --- the settings ---


def test_defaults_come_from_the_settings(last, settings):
    @job(name="bare")
    def bare(): ...

    @job(name="own", queue="mail", retry=True)
    def own(): ...

    bare.enqueue()
    assert (last().queue, last().retry) == ("default", True)
    settings.KIQ = {**settings.KIQ, "DEFAULTS": {"queue": "slow", "retry": 3, "backtrace": True}}
    from kiq_django import adapters

    bare.enqueue()
    own.enqueue()
    first, second = adapters.get().enqueued()
    assert (first.queue, first.retry, first.document["backtrace"]) == ("slow", 3, True)
    assert (second.queue, second.retry) == ("mail", True)


# --- many ---


def test_enqueue_all(adapter, noon):
    ids = jobs.invoice.enqueue_all([(1,), [2, "de"], {"order_id": 3}])
    assert [(each.args, each.kwargs) for each in adapter.enqueued()] == [
        ([1], {}),
        ([2, "de"], {}),
        ([], {"order_id": 3}),
    ]
    assert [each.jid for each in adapter.enqueued()] == list(ids)
    assert len(set(ids)) == 3


@pytest.mark.parametrize("item", [7, "ab", None, {1}])
def test_an_item_that_is_no_arguments(item):
    with pytest.raises(TypeError, match=r"pass \[\(1,\), \(2,\)\]"):
        jobs.record.enqueue_all([item])


def test_enqueue_all_at_a_time(adapter, noon):
    jobs.record.enqueue_all([(1,), (2,)], at=NOW + 5)
    jobs.record.enqueue_all([(3,), (4,)], at=[NOW + 6, datetime.fromtimestamp(NOW + 7, UTC)])
    jobs.record.using(at=NOW + 8).enqueue_all([(5,)])
    assert [each.at - NOW for each in adapter.enqueued()] == [5, 5, 6, 7, 8]


def test_the_number_of_times_must_fit(adapter, noon):
    with pytest.raises(ValueError, match="1 items but 2 times"):
        jobs.record.enqueue_all([(1,)], at=[NOW, NOW])
    with pytest.raises(ValueError, match=r"longer|shorter"):
        jobs.record.enqueue_all(((n,) for n in range(3)), at=[NOW, NOW])
    assert adapter.enqueued() == []


def test_enqueue_all_over_a_window(adapter, noon):
    jobs.record.enqueue_all(((n,) for n in range(200)), spread=timedelta(minutes=1))
    times = [(each.at or NOW) - NOW for each in adapter.enqueued()]
    assert 0 <= min(times) < 15
    assert 45 < max(times) < 60
    adapter.clear()
    jobs.record.enqueue_all(((n,) for n in range(200)), spread=0)
    assert 4 < max((each.at or NOW) - NOW for each in adapter.enqueued()) < 5


def test_a_window_and_a_time():
    with pytest.raises(ValueError, match="not both"):
        jobs.record.enqueue_all([(1,)], at=NOW, spread=5)


def test_lazily(settings):
    """What stands before a bad item in an earlier slice is pushed: nobody can know of an item that was not read."""
    from kiq_django import adapters

    def items():
        for number in range(1500):
            yield (number,)
        yield (1, 2)

    with pytest.raises(TypeError):
        jobs.record.enqueue_all(items())
    assert len(adapters.get().enqueued()) == 1000


# --- now ---


def test_perform_now(done, adapter):
    assert jobs.invoice.perform_now(1, locale="de") == "1 de"
    assert jobs.sync.perform_now(4) == 8
    assert jobs.HardWorker.perform_now("a", count=2) == "aa"
    assert jobs.record.perform_now({"a": [1]}) == {"a": [1]}
    with pytest.raises(ValueError, match="bad"):
        jobs.fail.perform_now("bad")
    with pytest.raises(TypeError):
        jobs.invoice.perform_now()
    assert adapter.enqueued() == []


def test_perform_now_goes_through_json():
    rows = [1]

    @job(name="appends")
    def appends(found):
        found.append(2)

    appends.perform_now(rows)
    assert rows == [1]


# --- declaring ---


def test_options_are_checked_at_once():
    with pytest.raises(ConfigurationError, match="retry"):
        job(name="x", retry="often")(lambda: None)
    with pytest.raises(ConfigurationError, match="is not a queue name"):
        job(name="x", queue="a b")(lambda: None)


def test_a_job_twice():
    with pytest.raises(ConfigurationError, match="is a job already"):
        job(jobs.record)


def test_two_of_one_name():
    with pytest.raises(DuplicateJobError):

        @job(name="HardWorker")
        def worker(): ...


def test_hooks_of_a_class_job():
    @job(name="hooked", retry=3)
    class Hooked:
        def perform(self): ...

        def retry_in(self, count, error):
            return 7

        def retries_exhausted(self, payload, error):
            return Discard

    options = Hooked.definition.options
    assert options.retry_in(0, ValueError()) == 7
    assert options.retries_exhausted(None, ValueError()) is Discard
    assert options.retry == 3


def test_options_of_features_travel_if_they_are_json(last, settings):
    settings.KIQ = {**settings.KIQ, "FEATURES": ["tests.unit.test_plugins.first"]}
    from kiq_django import adapters

    @job(name="unique", unique_for=60)
    def unique(): ...

    @job(name="called", unique_for=len)
    def called(): ...

    unique.enqueue()
    unique.using(unique_for=5).enqueue()
    called.enqueue()
    assert [each.document.get("unique_for") for each in adapters.get().enqueued()] == [60, 5, None]
    assert called.definition.options.extra == {"unique_for": len}
