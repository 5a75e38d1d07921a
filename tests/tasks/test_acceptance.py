"""What users of `django.tasks` may rely on, each on a real server with a real worker. No row is skipped.

The rows are those in which backends differ; peers fail from one to a dozen of them.
"""

import pickle
import subprocess
import sys
import textwrap
from datetime import datetime, timedelta
from importlib import import_module

import django
import pytest
from django.db import transaction
from django.utils import timezone

from kiq_django import registry
from kiq_django.payload import Payload
from kiq_django.task_backend import KiqBackend, framework
from kiq_django.task_backend.framework import InvalidTask, TaskContext, TaskError, TaskResultDoesNotExist
from tests.support import round_trips, wait_for
from tests.tasks import sample
from tests.tasks.test_worker import finished

TASKS = import_module(framework.NAME)


@pytest.fixture
def ran(store, start):
    """Enqueue, let a worker run it, and answer the final result."""
    start()
    return lambda task, *args, **kwargs: finished(task.enqueue(*args, **kwargs))


class TestEnqueue:
    def test_01_the_flags(self, backend):
        assert backend.supports_defer
        assert backend.supports_async_task
        assert backend.supports_get_result
        assert backend.supports_priority

    def test_02_the_result_is_ready(self, store):
        result = sample.add.enqueue(1, b=2)
        assert (result.status, result.is_finished) == (TASKS.TaskResultStatus.READY, False)
        assert (result.args, result.kwargs, result.backend, result.task) == ([1], {"b": 2}, "default", sample.add)

    def test_03_the_id_is_a_short_text(self, store):
        jid = sample.add.enqueue(1).id
        assert isinstance(jid, str)
        assert 0 < len(jid) < 64

    def test_04_it_costs_one_round_trip(self, store):
        sample.add.enqueue(0)
        with round_trips() as sent:
            sample.add.enqueue(1)
        assert len(sent) == 1

    def test_05_exceptions_are_djangos(self, backend):
        exceptions = import_module(f"{framework.NAME}.exceptions")
        with pytest.raises(exceptions.TaskResultDoesNotExist):
            backend.get_result("unknown")
        with pytest.raises(InvalidTask):
            sample.add.using(priority=101)

    def test_06_wrong_arguments_are_refused_at_once(self, store):
        with pytest.raises(TypeError):
            sample.add.enqueue(1, 2, 3)
        assert store.queues.names() == []

    @pytest.mark.parametrize("value", [{1: 2}, float("nan"), float("inf"), object()])
    def test_07_what_json_would_change_is_refused_at_once(self, store, value):
        with pytest.raises((TypeError, ValueError)):
            sample.nothing.enqueue(value)
        assert store.queues.names() == []

    @pytest.mark.django_db(transaction=True)
    def test_08_a_rollback_removes_it(self, store):
        with pytest.raises(KeyError), transaction.atomic():
            sample.add.enqueue(1)
            raise KeyError
        assert store.queues.names() == []

    def test_09_unknown_queues_are_refused(self, settings):
        settings.TASKS = {"default": {**settings.TASKS["default"], "QUEUES": ["default"]}}
        with pytest.raises(InvalidTask):
            sample.add.using(queue_name="other")


class TestOrder:
    def test_10_priorities(self, store, start):
        for priority in (0, -100, 100, 1, -1):
            sample.nothing.using(priority=priority).enqueue(priority)
        start(concurrency=1)
        wait_for(lambda: len(sample.seen) == 5)
        assert sample.seen == [100, 1, 0, -1, -100]

    def test_11_run_after_a_datetime(self, store, start):
        when = timezone.now() + timedelta(seconds=0.3)
        start()
        result = finished(sample.add.using(run_after=when).enqueue(1))
        assert result.started_at >= when
        assert result.task.run_after == when

    def test_12_run_after_a_timedelta(self, store, start):
        start()
        result = finished(sample.add.using(run_after=timedelta(seconds=0.3)).enqueue(1))
        assert result.started_at - result.enqueued_at >= timedelta(seconds=0.29)

    def test_13_a_naive_run_after_is_refused(self):
        with pytest.raises(InvalidTask):
            sample.add.using(run_after=datetime.now())


class TestRun:
    def test_14_it_succeeds(self, ran):
        result = ran(sample.add, 1, 2)
        assert (result.status, result.return_value) == (TASKS.TaskResultStatus.SUCCESSFUL, 3)
        assert result.enqueued_at <= result.started_at <= result.last_attempted_at <= result.finished_at

    def test_15_async_tasks(self, ran):
        assert ran(sample.double, 4).return_value == 8

    def test_16_the_context(self, ran):
        assert ran(sample.tell, "x").return_value == ["x", 1]
        assert TaskContext.__name__ == "TaskContext"

    def test_17_an_error_is_told(self, ran):
        sample.fail_times["Ann"] = 1
        result = ran(sample.unlucky.using(retry=0), "Ann")
        assert (result.status, len(result.errors)) == (TASKS.TaskResultStatus.FAILED, 1)
        assert isinstance(result.errors[0], TaskError)
        assert result.errors[0].exception_class is ValueError
        assert result.errors[0].traceback.endswith("ValueError: no luck, Ann\n")
        with pytest.raises(ValueError, match="Task failed"):
            _ = result.return_value

    def test_18_system_exit_ends_the_task_alone(self, ran):
        result = ran(sample.exits.using(retry=0))
        assert result.errors[0].exception_class is SystemExit
        assert ran(sample.add, 1).return_value == 1

    def test_19_a_result_that_is_no_json_is_a_failure(self, ran):
        result = ran(sample.unusable)
        assert (result.status, result.errors[0].exception_class) == (TASKS.TaskResultStatus.FAILED, TypeError)
        assert sample.seen == ["ran"]

    def test_20_arguments_and_what_ran_agree(self, ran):
        result = ran(sample.nothing, (1, (2,)))
        assert result.args == [[1, [2]]]
        assert sample.seen == [[1, [2]]]
        assert result.return_value == [1, [2]]

    def test_21_worker_ids_and_attempts(self, store, start):
        launcher = start()
        result = finished(sample.add.enqueue(1))
        assert (result.worker_ids, result.attempts) == ([launcher.config.identity], 1)

    def test_22_retries_are_ready_with_growing_errors(self, store, start):
        sample.fail_times["Bob"] = 1
        result = sample.unlucky.enqueue("Bob")
        start()

        def failed_once():
            result.refresh()
            return result.errors

        wait_for(failed_once)
        assert (result.status, result.attempts) == (TASKS.TaskResultStatus.READY, 1)

    def test_23_running_is_seen(self, store, start):
        start()
        result = sample.wait_at_gate.enqueue()
        wait_for(lambda: sample.seen)
        result.refresh()
        sample.gate.set()
        assert result.status == TASKS.TaskResultStatus.RUNNING
        assert finished(result).return_value == "through"


class TestResults:
    def test_24_signals_have_the_backend_as_sender(self, store, start, heard):
        result = sample.add.enqueue(1)
        start()
        finished(result)
        assert [(each.name, each.sender) for each in heard] == [
            ("task_enqueued", KiqBackend),
            ("task_started", KiqBackend),
            ("task_finished", KiqBackend),
        ]

    def test_25_queue_priority_and_backend_come_back(self, store):
        task = sample.add.using(queue_name="mail", priority=7)
        found = task.get_result(task.enqueue(1).id)
        assert (found.task.queue_name, found.task.priority, found.backend) == ("mail", 7, "default")

    def test_26_another_task_is_a_mismatch(self, store):
        exceptions = import_module(f"{framework.NAME}.exceptions")
        with pytest.raises((getattr(exceptions, "TaskResultMismatch", TaskResultDoesNotExist), TaskResultDoesNotExist)):
            sample.add.get_result(sample.double.enqueue(1).id)

    def test_27_results_can_be_pickled(self, ran):
        result = ran(sample.add, 1)
        if django.VERSION >= (6, 1):  # Django's own tasks cannot, before
            assert pickle.loads(pickle.dumps(result)) == result

    def test_28_a_result_outlives_its_function(self, ran, monkeypatch, backend):
        result = ran(sample.add, 1)
        monkeypatch.setattr(registry, "_jobs", {})
        found = backend.get_result(result.id)
        assert (found.return_value, found.task.module_path) == (1, "tests.tasks.sample.add")

    def test_29_a_result_expires(self, store, start, settings, backend):
        settings.TASKS = {"default": {**settings.TASKS["default"], "OPTIONS": {"result_ttl": 1}}}
        start()
        result = finished(sample.add.enqueue(1))

        def gone():
            try:
                return not backend.get_result(result.id)
            except TaskResultDoesNotExist:
                return True

        wait_for(gone)

    def test_30_another_process_reads_it(self, ran, server_url):
        result = ran(sample.add, 20, 22)
        code = f"""
            import django
            from django.conf import settings
            from tests.settings import *
            settings.configure(
                KIQ={{"REDIS": {server_url!r}, "FEATURES": []}}, TASKS=TASKS, USE_TZ=True,
                INSTALLED_APPS=["kiq_django"],
            )
            django.setup()
            from tests.tasks import sample
            print(sample.add.get_result({result.id!r}).return_value)
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
        assert done.stdout.strip() == "42", done.stderr


def test_the_queue_holds_what_sidekiq_reads(store):
    result = sample.add.enqueue(1)
    (raw,) = store.queues.page("default", 0, 9)
    assert Payload.decode(raw).jid == result.id
