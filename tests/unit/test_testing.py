import pytest
from django.db import transaction
from django.test import TestCase

from kiq_django import clock
from kiq_django.exceptions import ConfigurationError
from kiq_django.testing import assert_enqueued, clear, drain, enqueued
from tests.jobsapp import jobs


class OrderTests(TestCase):
    """As a project would write it."""

    def test_a_block_that_enqueues(self):
        with assert_enqueued(jobs.invoice, args=[7], queue="mail"), transaction.atomic():
            jobs.invoice.enqueue(7)
        assert [outcome.result for outcome in drain()] == ["7 en"]
        assert enqueued() == []


def test_enqueued():
    jobs.invoice.enqueue(1)
    jobs.record.enqueue(2)
    jobs.record.using(queue="mail").enqueue(3)
    assert [each.args for each in enqueued()] == [[1], [2], [3]]
    assert [each.args for each in enqueued(jobs.record)] == [[2], [3]]
    assert [each.args for each in enqueued(queue="mail")] == [[1], [3]]
    clear()
    assert enqueued() == []


def test_drain_goes_on_until_nothing_is_left(done):
    jobs.chain.enqueue(2)
    drain()
    assert done == [2, 1, 0]


def test_drain_one_queue(done):
    jobs.record.enqueue(1)
    jobs.record.using(queue="mail").enqueue(2)
    drain(queue="mail")
    assert done == [2]


def test_drain_up_to_a_time(done):
    now = clock.now()
    jobs.record.enqueue_at(now + 7200, 3)
    jobs.record.enqueue_at(now + 3600, 2)
    jobs.record.enqueue_at(now + 9999, 4)
    jobs.record.enqueue(1)
    drain()
    assert done == [1]
    drain(until=now + 7200)
    assert done == [1, 2, 3]


def test_drain_raises_what_a_job_raises(done):
    jobs.fail.enqueue("bad")
    jobs.record.enqueue(1)
    with pytest.raises(ValueError, match="bad"):
        drain()
    drain()
    assert done == [1]


def test_assert_enqueued_says_what_was_instead():
    jobs.invoice.enqueue(7)
    with (
        pytest.raises(AssertionError, match=r"invoice was to be enqueued at least once(.|\n)*nothing"),
        assert_enqueued(jobs.invoice),
    ):
        pass
    with (
        pytest.raises(AssertionError, match=r"invoice\(8, locale='de'\) on mail"),
        assert_enqueued(jobs.invoice, args=[7]),
    ):
        jobs.invoice.enqueue(8, locale="de")
    with pytest.raises(AssertionError, match="2 times"), assert_enqueued(jobs.invoice, count=2):
        jobs.invoice.enqueue(8)
    with assert_enqueued(jobs.invoice, kwargs={"order_id": 8}):
        jobs.invoice.enqueue(order_id=8)
    with assert_enqueued(jobs.invoice, count=0):
        pass


def test_another_adapter_keeps_nothing_for_tests(settings):
    settings.KIQ = {"ADAPTER": "inline"}
    with pytest.raises(ConfigurationError, match="'inline', which keeps nothing for tests"):
        enqueued()
