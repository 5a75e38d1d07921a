"""The testing kit in the hands of a project: expectations, draining, modes, time, mixin, fixtures."""

import subprocess
import sys
import time
import unittest
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import ANY

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import TestCase, TransactionTestCase
from django.utils import timezone

from kiq_django import adapters, clock, conf, job, registry
from kiq_django.testing import (
    JobsTestMixin,
    assert_enqueued,
    clear,
    collecting,
    drain,
    enqueued,
    inline,
    travel,
)
from tests.jobsapp import jobs


@pytest.fixture
def declare(monkeypatch):
    """Declare a job that the next test does not know."""
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))
    return lambda function: job(name=f"kit.{function.__name__}")(function)


def complaint(*args, act, **expected):
    with pytest.raises(AssertionError) as caught, assert_enqueued(*args, **expected):
        act()
    return str(caught.value)


# --- expectations ---


def test_arguments_in_any_form():
    today = timezone.localdate()
    with assert_enqueued(jobs.record, args=[(1, 2)]) as made:
        jobs.record.enqueue([1, 2])
    assert made.found == enqueued()
    with assert_enqueued(jobs.record, args=[today], kwargs={}):
        jobs.record.enqueue(today)
    with assert_enqueued(jobs.invoice, args=[ANY], kwargs={"locale": ANY}):
        jobs.invoice.enqueue(1, locale="de")
    with assert_enqueued(jobs.record, args=[{"deep": [ANY, today]}]):
        jobs.record.enqueue({"deep": [object, today][1:] and [1, today]})


def test_a_time():
    with assert_enqueued(jobs.record, at=timedelta(hours=1)):
        jobs.record.enqueue_in(3600, 1)
    with assert_enqueued(jobs.record, at=timezone.now() + timedelta(days=1)):
        jobs.record.enqueue_in(timedelta(days=1), 1)
    with assert_enqueued(jobs.record, at="now"):
        jobs.record.enqueue(1)
    text = complaint(jobs.record, at="now", act=lambda: jobs.record.enqueue_in(60, 1))
    assert "at: 2" in text
    assert "(+60 s) instead of without a time" in text
    text = complaint(jobs.record, at=timedelta(hours=1), act=lambda: jobs.record.enqueue(1))
    assert "at: without a time instead of 2" in text


def test_the_nearest_miss():
    def act():
        jobs.record.enqueue(8)
        jobs.invoice.using(queue="low").enqueue(9)
        jobs.invoice.enqueue(8, locale="de")

    text = complaint(jobs.invoice, args=[7], kwargs={"locale": "de"}, queue="mail", act=act)
    assert text == (
        "tests.jobsapp.jobs.invoice was to be enqueued at least once with args=[7], kwargs={'locale': 'de'}, "
        "queue='mail', was 0 times.\n"
        "The block enqueued:\n"
        "  tests.jobsapp.jobs.record(8) on default\n"
        "  tests.jobsapp.jobs.invoice(9) on low\n"
        "  tests.jobsapp.jobs.invoice(8, locale='de') on mail\n"
        "Nearest: tests.jobsapp.jobs.invoice(8, locale='de') on mail\n"
        "  args: [8] instead of [7]"
    )


def test_another_job_alone_is_the_nearest_too():
    text = complaint(jobs.invoice, act=lambda: jobs.record.enqueue(8))
    assert text.endswith("  job: tests.jobsapp.jobs.record instead of tests.jobsapp.jobs.invoice")


def test_too_often_has_no_nearest():
    text = complaint(jobs.record, count=1, act=lambda: jobs.record.enqueue_all([(1,)] * 30))
    assert "was to be enqueued once, was 30 times" in text
    assert text.endswith("  and 10 more")
    assert "Nearest" not in complaint(jobs.record, count=0, act=lambda: jobs.record.enqueue(1))


def test_an_error_of_the_block_comes_out():
    with pytest.raises(ZeroDivisionError), assert_enqueued(jobs.record):
        raise ZeroDivisionError


def test_without_with_it_complains():
    with pytest.warns(RuntimeWarning, match=r"has looked at nothing: say `with assert_enqueued"):
        assert_enqueued(jobs.record)


# --- draining ---


def test_a_limit(done):
    jobs.chain.enqueue(5)
    assert len(drain(limit=2)) == 2
    assert done == [5, 4]
    assert len(enqueued()) == 1


def test_jobs_without_end(declare, monkeypatch):
    from kiq_django.testing import waiting

    monkeypatch.setattr(waiting, "ENDLESS", 50)

    @declare
    def again():
        again.enqueue()

    again.enqueue()
    with pytest.raises(AssertionError, match=r"has run 50 jobs and kit\.again still waits"):
        drain()


def test_until_takes_the_clock_along(done, declare):
    @declare
    def hourly(times):
        done.append((times, round(clock.now() - began), timezone.now().hour == datetime.now().hour))
        if times:
            hourly.enqueue_in(3600, times - 1)

    began = clock.now()
    hourly.enqueue_in(3600, 3)
    drain(until=timedelta(hours=3))
    assert [each[:2] for each in done] == [(3, 3600), (2, 7200), (1, 10800)]
    assert [each.args for each in enqueued()] == [[0]]
    assert clock.now() - began < 60


def test_until_does_not_count_the_time_that_runs_take(done, declare):
    @declare
    def hourly(times):
        done.append(times)
        if times:
            time.sleep(0.05)
            hourly.enqueue_in(3600, times - 1)

    hourly.enqueue_in(3600, 3)
    drain(until=timedelta(hours=3))
    assert done == [3, 2, 1]


def test_what_a_job_discards_is_no_failure(declare):
    from kiq_django import Discard

    @declare
    def give_up():
        raise Discard("not needed")

    give_up.enqueue()
    (outcome,) = drain()
    assert isinstance(outcome.error, Discard)


# --- modes and time ---


def test_modes_are_of_the_block(done):
    jobs.record.enqueue(0)
    with inline():
        jobs.record.enqueue(1)
        assert done == [1]
        with collecting():
            jobs.record.enqueue(2)
            assert [each.args for each in enqueued()] == [[2]]
    assert conf.get().adapter == "test"
    clear()


def test_travel():
    before = clock.now()
    with travel(timedelta(days=2)):
        assert clock.now() - before == pytest.approx(2 * 86_400, abs=10)
        assert abs(timezone.now().timestamp() - clock.now()) < 1
        jobs.record.enqueue_in(60, 1)
    assert enqueued()[0].at == pytest.approx(before + 2 * 86_400 + 60, abs=10)
    with travel(datetime(2030, 1, 1, tzinfo=timezone.get_default_timezone()), freeze=True):
        assert clock.now() == clock.now() == timezone.now().timestamp()
    assert abs(clock.now() - time.time()) < 1


def test_who_keeps_the_clock_of_a_travel_gets_the_real_one_back():
    with travel(timedelta(days=2), freeze=True):
        kept, moment = clock.now, timezone.now
    assert abs(kept() - time.time()) < 1
    assert abs(moment().timestamp() - time.time()) < 1


# --- the commit ---


class Committing:
    """What holds in both kinds of Django's tests."""

    def test_outside_of_a_block(self):
        jobs.record.enqueue(1)
        assert len(enqueued()) == 1

    def test_after_the_block(self):
        with transaction.atomic():
            with transaction.atomic():
                jobs.record.enqueue(1)
            assert enqueued() == []
        assert len(enqueued()) == 1

    def test_a_rollback_takes_it_along(self):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            jobs.record.enqueue(1)
            raise ZeroDivisionError
        jobs.record.enqueue(2)
        assert [each.args for each in enqueued()] == [[2]]

    def test_a_savepoint_takes_its_own_along(self):
        with transaction.atomic():
            jobs.record.enqueue(1)
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                jobs.record.enqueue(2)
                raise ZeroDivisionError
        assert [each.args for each in enqueued()] == [[1]]

    def test_inline_sees_the_committed_row(self):
        with inline(), transaction.atomic():
            group = Group.objects.create(name="a")
            jobs.record.enqueue(group.pk)
            assert jobs.done == []
        assert jobs.done == [group.pk]


class InTestCase(JobsTestMixin, Committing, TestCase):
    def test_captured_hooks_run_before_the_block_ends(self):
        with self.captureOnCommitCallbacks(execute=True) as callbacks, transaction.atomic():
            jobs.record.enqueue(1)
            transaction.on_commit(lambda: jobs.record.enqueue(2))
        assert len(callbacks) == 1  # ours needs no help
        assert [each.args for each in enqueued()] == [[1], [2]]

    def test_captured_hooks_of_a_rollback(self):
        with (
            self.captureOnCommitCallbacks(execute=True) as callbacks,
            pytest.raises(ZeroDivisionError),
            transaction.atomic(),
        ):
            jobs.record.enqueue(1)
            raise ZeroDivisionError
        assert callbacks == []
        assert enqueued() == []


class InTransactionTestCase(JobsTestMixin, Committing, TransactionTestCase):
    pass


class PlainUnittest(JobsTestMixin, unittest.TestCase):
    def test_each_begins_empty(self):
        assert self.enqueued() == []
        with self.assertEnqueued(jobs.record, args=[1]):
            jobs.record.enqueue(1)
        assert [outcome.result for outcome in self.drain()] == [1]

    test_each_begins_empty_again = test_each_begins_empty

    def test_time(self):
        self.travel(timedelta(hours=1))
        assert clock.now() > time.time() + 3000


class Inline(JobsTestMixin, unittest.TestCase):
    kiq_inline = True

    def test_runs_at_once(self):
        jobs.record.enqueue(1)
        assert jobs.done == [1]


# --- fixtures ---


def test_the_fixture(kiq, done):
    assert kiq.enqueued() == []
    with kiq.assert_enqueued(jobs.record):
        jobs.record.enqueue(1)
    kiq.drain()
    assert done == [1]


def test_the_fixture_inline(kiq_inline, done):
    jobs.record.enqueue(1)
    assert done == [1]


@pytest.mark.django_db(transaction=True)
def test_the_fixture_with_a_real_server(kiq_redis, done):
    assert adapters.get().persistent
    jobs.record.enqueue(1)
    jobs.invoice.enqueue(2)
    assert [each.args for each in kiq_redis.enqueued("mail")] == [[2]]
    assert [each.args for each in kiq_redis.enqueued()] == [[1], [2]]
    kiq_redis.work()
    assert sorted(done, key=str) == [(2, "en"), 1]
    assert kiq_redis.enqueued() == []


def test_the_fixture_where_a_queue_has_partitions(kiq_place, settings, done):
    from kiq_django.testing import server

    settings.KIQ = {**settings.KIQ, "QUEUES": {"default": {"partitions": 3}}}
    with server.real_jobs(kiq_place) as real:
        for number in range(6):
            jobs.record.enqueue(number)
        assert sorted(each.args[0] for each in real.enqueued()) == list(range(6))
        assert len(real.enqueued("default")) == 6
        real.work()
        assert sorted(done) == list(range(6))


def test_each_test_has_an_empty_server(kiq_redis):
    assert kiq_redis.enqueued() == []
    jobs.record.enqueue(1)


def test_a_server_of_somebody_else_keeps_what_it_has(server_url, monkeypatch):
    from kiq_django import store
    from kiq_django.testing import server

    monkeypatch.setenv("KIQ_TEST_REDIS_URL", server_url)
    with server.place("gw7") as where:
        assert "gw7" in where.prefix
        with server.real_jobs(server.Place(server_url, "")):
            call = store.get().link.call
            call("SET", "theirs", "1")
            with server.real_jobs(where):
                jobs.record.enqueue(1)
                assert call("EXISTS", f"{where.prefix}queue:default") == 1
            assert call("KEYS", "*") == [b"theirs"]


# --- the plugin ---


def run_pytest(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments], cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_a_project_without_us_notices_nothing(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import sys\n\n\ndef test_it():\n"
        "    loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "    assert 'redis' not in loaded\n"
        "    assert {name for name in sys.modules if name.startswith('kiq_django')} <= "
        "{'kiq_django', 'kiq_django.version', 'kiq_django.pytest_plugin'}\n"
    )
    done = run_pytest(tmp_path, "-p", "no:django")
    assert done.returncode == 0, done.stdout


def test_every_process_of_xdist_has_its_own_server(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "from django.conf import settings\n"
        "settings.configure(INSTALLED_APPS=['kiq_django', 'tests.jobsapp'], KIQ={'ADAPTER': 'test'})\n"
        "import django\ndjango.setup()\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import pytest\nfrom tests.jobsapp.jobs import record\n\n\n"
        "@pytest.mark.parametrize('number', range(20))\ndef test_it(kiq_redis, number):\n"
        "    assert kiq_redis.enqueued() == []\n"
        "    record.enqueue_all([(number,)] * 5)\n"
        "    assert [each.args for each in kiq_redis.enqueued()] == [[number]] * 5\n"
    )
    done = run_pytest(tmp_path, "-n2", "-p", "no:django", "-o", f"pythonpath={Path.cwd()}")
    assert done.returncode == 0, done.stdout
    assert "20 passed" in done.stdout
