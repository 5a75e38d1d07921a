"""Results of jobs, and how far they are: a real server, a real worker."""

import asyncio
import pickle
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from kiq_django import RetryOn, current_job, exceptions, results
from kiq_django import store as stores
from kiq_django.options import DAY
from kiq_django.payload import RESULT, Payload
from tests.support import round_trips, wait_for


def add(a, b):
    return a + b


def when():
    return {"at": datetime(2026, 1, 2, tzinfo=UTC), "by": [timedelta(days=1)]}


def fails(text="no luck"):
    raise ValueError(text)


def odd():
    return object()


def large():
    return "x" * 3_000


async def double(number):
    await current_job().aprogress(1, total=2, text="half")
    return number * 2


def make_group(name):
    return Group.objects.create(name=name)


def make_and_delete_group(name):
    group = make_group(name)
    Group.objects.filter(pk=group.pk).delete()
    return group


class TestResult:
    def test_what_it_returned(self, store, start, declare):
        start()
        assert declare(add, result=60).enqueue(1, 2).result(timeout=10) == 3
        assert declare(when, result=60).enqueue().result(timeout=10) == when()

    async def test_from_an_event_loop(self, store, start, declare):
        start()
        handle = await declare(double, result=True).aenqueue(4)
        assert await handle.aresult(timeout=10) == 8
        assert (await handle.aprogress()).text == "half"

    def test_it_comes_with_the_settle_and_expires(self, store, start, declare):
        handle = declare(add, result=timedelta(minutes=1)).enqueue(1, 2)
        key = store.keys.job("", handle.id)
        assert store.link.call("TTL", key) > 29 * DAY
        start()
        assert handle.result(timeout=10) == 3
        assert 0 < store.link.call("TTL", key) <= 60

    def test_a_failure_has_the_traceback_of_the_worker(self, store, start, declare):
        start()
        handle = declare(fails, result=60, retry=0).enqueue()
        with pytest.raises(exceptions.JobFailed, match="ValueError: no luck") as caught:
            handle.result(timeout=10)
        error = pickle.loads(pickle.dumps(caught.value))
        assert (error.job, error.jid, error.error_class, error.message) == ("fails", handle.id, "ValueError", "no luck")
        assert "raise ValueError(text)" in error.traceback

    def test_a_retry_is_waited_for(self, store, start, declare):
        runs = []

        def at_last():
            runs.append(1)
            if len(runs) < 3:
                raise ValueError
            return "at last"

        start()
        assert (
            declare(at_last, result=60, retry_on=RetryOn(ValueError, wait=0)).enqueue().result(timeout=10) == "at last"
        )

    @pytest.mark.parametrize(("function", "text"), [(odd, "cannot be kept"), (large, "Store the data")])
    def test_what_cannot_be_kept_is_a_failure_without_retries(self, store, start, declare, settings, function, text):
        settings.KIQ = {**settings.KIQ, "LIMITS": {"payload": 1_000}}
        start()
        with pytest.raises(exceptions.JobFailed, match=text):
            declare(function, result=60).enqueue().result(timeout=10)
        assert len(stores.get().sets.page("dead", 0, 9)) == 1

    def test_time_is_up(self, store, declare):
        handle = declare(add, result=60).enqueue(1, 2)
        with pytest.raises(exceptions.ResultTimeout, match="ask again later"):
            handle.result(timeout=0.05)

    def test_waiting_asks_little(self, store, declare):
        handle = declare(add, result=60).enqueue(1, 2)
        with round_trips() as sent, pytest.raises(exceptions.ResultTimeout):
            handle.result(timeout=1)
        assert len(sent) < 16

    def test_a_job_that_keeps_none(self, store, start, declare):
        handle = declare(add).enqueue(1, 2)
        with pytest.raises(exceptions.ResultNotKept, match="result="):
            handle.result()
        start()
        wait_for(lambda: not store.queues.page("default", 0, 9))
        assert store.link.call("EXISTS", store.keys.job("", handle.id)) == 0

    def test_expired_and_unknown(self, store, declare):
        job = declare(add, result=60)
        with pytest.raises(exceptions.ResultGone):
            job.handle("0" * 24).result(timeout=1)

    @pytest.mark.django_db(transaction=True)
    def test_nobody_waits_for_a_commit_that_waits_for_him(self, store, declare):
        with transaction.atomic(), pytest.raises(exceptions.ResultGone, match="not committed"):
            declare(add, result=60).enqueue(1, 2).result()

    def test_a_handle_from_another_process(self, store, start, declare):
        job = declare(add, result=60)
        start()
        jid = job.enqueue(1, 2).id
        assert job.handle(jid).result(timeout=10) == 3

    def test_a_call_may_want_it(self, store, start, declare):
        start()
        assert declare(add).using(result=60).enqueue(1, 2).result(timeout=10) == 3
        assert len(declare(add, result=60).enqueue_all([(1, 2), (3, 4)])) == 2

    def test_it_costs_no_round_trip_more(self, store, declare):
        job = declare(add, result=60)
        job.enqueue(0, 0)
        with round_trips() as sent:
            job.enqueue(1, 2)
        assert len(sent) == 1

    def test_a_damaged_record(self, store, declare):
        handle = declare(add, result=60).enqueue(1, 2)
        store.link.call("HSET", store.keys.job("", handle.id), "place", "done", "result", b"{", "progress", b"[]")
        with pytest.raises(exceptions.ResultGone, match="cannot be read"):
            handle.result(timeout=1)


@pytest.mark.django_db(transaction=True)
class TestRows:
    """A result that is a row travels as a reference, which is followed where it is asked for."""

    async def test_from_an_event_loop(self, store, start, declare):
        start()
        handle = await declare(make_group, result=60).aenqueue("a")
        assert (await handle.aresult(timeout=10)).name == "a"

    def test_a_row_that_is_gone(self, store, start, declare):
        start()
        handle = declare(make_group, result=60).enqueue("a")
        handle.result(timeout=10)
        Group.objects.all().delete()
        assert handle.progress() is None
        with pytest.raises(exceptions.ReferenceGone):
            handle.result()

    def test_a_thread_outlives_it(self, settings, declare):
        settings.KIQ = {**settings.KIQ, "ADAPTER": "threads", "WORKER": {"concurrency": 1}}
        handle = declare(make_and_delete_group, result=60).enqueue("a")
        assert declare(add, result=60).enqueue(1, 2).result(timeout=5) == 3
        with pytest.raises(exceptions.ReferenceGone):
            handle.result()


class TestProgress:
    def test_it_is_seen_while_the_job_runs(self, store, start, declare):
        told, go_on = threading.Event(), threading.Event()

        def long():
            current_job().progress(37, total=100, text="37 pages")
            told.set()
            assert go_on.wait(10)

        start()
        handle = declare(long, result=60).enqueue()
        assert told.wait(10)
        found = handle.progress()
        go_on.set()
        assert (found.done, found.total, found.share, found.text, found.attempt) == (37, 100, 0.37, "37 pages", 1)
        assert handle.result(timeout=10) is None

    def test_many_words_are_few_round_trips(self, store, start, declare):
        counted = []

        def chatty():
            current_job().progress(0, total=1_000)
            with round_trips() as sent:
                for row in range(1, 1_001):
                    current_job().progress(row, total=1_000)
            counted.extend(sent)

        start()
        handle = declare(chatty, result=60).enqueue()
        handle.result(timeout=10)
        assert handle.progress().share == 1.0
        assert len(counted) < 30

    def test_a_job_without_a_record_leaves_none_for_long(self, store, start, declare):
        def plain():
            current_job().progress(1)

        start()
        handle = declare(plain).enqueue()
        wait_for(lambda: store.link.call("EXISTS", store.keys.job("", handle.id)))
        assert 0 < store.link.call("TTL", store.keys.job("", handle.id)) <= DAY

    @pytest.mark.parametrize(
        "raw", [b"", b"{", b"[]", b'{"done":"x"}', b'{"done":1e999,"total":1,"text":"","at":1,"attempt":1}']
    )
    def test_nonsense_is_nothing(self, raw):
        assert results.read_progress(raw) is None


class TestOtherAdapters:
    @pytest.fixture(autouse=True)
    def _clean(self):
        yield
        results._memory.clear()

    def test_inline(self, settings, declare):
        settings.KIQ = {**settings.KIQ, "ADAPTER": "inline"}
        assert declare(add, result=60).enqueue(1, 2).result() == 3

    def test_threads(self, settings, declare):
        settings.KIQ = {**settings.KIQ, "ADAPTER": "threads"}
        assert declare(add, result=60).enqueue(1, 2).result(timeout=10) == 3
        with pytest.raises(exceptions.JobFailed, match="no luck"):
            declare(fails, result=60, retry=0).enqueue().result(timeout=10)

    def test_the_adapter_of_tests_says_what_to_do(self, settings, declare):
        from kiq_django.testing import drain

        handle = declare(add, result=60).enqueue(1, 2)
        with pytest.raises(exceptions.ResultTimeout, match="drain"):
            handle.result()
        drain()
        assert handle.result() == 3

    def test_async(self, settings, declare):
        settings.KIQ = {**settings.KIQ, "ADAPTER": "inline"}
        assert asyncio.run(declare(add, result=60).enqueue(1, 2).aresult()) == 3


@pytest.mark.parametrize("value", [0, -1, "x", 10**10])
def test_unusable_options(declare, value):
    with pytest.raises(exceptions.ConfigurationError, match="result"):
        declare(add, result=value)


def test_what_travels(adapter, settings, declare):
    handle = declare(add, result=True).enqueue(1, 2)
    (payload,) = adapter.enqueued()
    assert isinstance(payload, Payload)
    assert (payload.document[RESULT], handle.keeps) == (DAY, DAY)
    assert RESULT not in declare(fails)._planned().fields
