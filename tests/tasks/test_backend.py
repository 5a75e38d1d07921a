"""What `django.tasks` promises, without Redis."""

import pickle
from datetime import timedelta
from importlib import import_module

import django
import pytest
from django.db import transaction
from django.utils import timezone

from kiq_django import registry
from kiq_django.task_backend import KiqBackend, KiqTask, framework
from kiq_django.task_backend.framework import InvalidTask, TaskResultDoesNotExist
from kiq_django.testing import drain, enqueued
from tests.tasks import sample

PATH = "tests.tasks.sample"


def test_all_abilities(backend):
    flags = ("supports_defer", "supports_async_task", "supports_get_result", "supports_priority")
    assert [getattr(backend, flag) for flag in flags] == [True] * 4


def test_a_declared_task_is_a_job_of_the_registry():
    definition = registry.find(f"{PATH}.add")
    assert definition is not None
    assert definition.sender is sample.add
    assert isinstance(sample.add, KiqTask)


def test_it_can_be_called_as_a_function():
    assert sample.add(1, b=2) == 3
    assert sample.add.call(1, 2) == 3


def test_a_result_from_ready_to_successful(backend, heard):
    result = sample.add.enqueue(1, b=2)
    assert (str(result.status), result.attempts, result.args, result.kwargs) == ("READY", 0, [1], {"b": 2})
    assert result.enqueued_at is not None
    (payload,) = enqueued()
    assert (payload.name, payload.jid, payload.queue) == (f"{PATH}.add", result.id, "default")
    assert sample.add.get_result(result.id) == result
    drain()
    result.refresh()
    assert (str(result.status), result.return_value, result.attempts) == ("SUCCESSFUL", 3, 1)
    assert result.enqueued_at <= result.started_at <= result.last_attempted_at <= result.finished_at
    assert [each.name for each in heard] == ["task_enqueued", "task_started", "task_finished"]
    assert {each.sender for each in heard} == {KiqBackend}
    assert [each.status for each in heard] == ["READY", "RUNNING", "SUCCESSFUL"]


def test_context():
    result = sample.tell.enqueue("hello")
    drain()
    assert sample.seen == [("hello", 1, "RUNNING", result.id, 0)]
    assert sample.tell.get_result(result.id).return_value == ["hello", 1]


@pytest.mark.parametrize(("task", "args", "value"), [(sample.double, [4], 8), (sample.atell, [], 1)])
def test_async_tasks(task, args, value):
    result = task.enqueue(*args)
    drain()
    result.refresh()
    assert result.return_value == value


async def test_the_async_side():
    result = await sample.double.aenqueue(3)
    assert (await sample.double.aget_result(result.id)).id == result.id
    await result.arefresh()
    assert str(result.status) == "READY"


def test_a_failure_has_its_error(heard):
    sample.fail_times["Ann"] = 1
    result = sample.unlucky.enqueue("Ann")
    with pytest.raises(ValueError, match="no luck"):
        drain()
    result.refresh()
    assert str(result.status) == "FAILED"
    (error,) = result.errors
    assert error.exception_class is ValueError
    assert "no luck, Ann" in error.traceback
    assert heard[-1].status == "FAILED"
    with pytest.raises(ValueError, match="Task failed"):
        _ = result.return_value


def test_system_exit_is_a_failure():
    result = sample.exits.enqueue()
    with pytest.raises(SystemExit):
        drain()
    result.refresh()
    assert result.errors[0].exception_class is SystemExit


def test_an_unknown_id(backend):
    with pytest.raises(TaskResultDoesNotExist):
        backend.get_result("123")


@pytest.mark.parametrize("args", [[{1: 2}], [float("nan")], [{1, 2}], [b"\xff"]])
def test_arguments_that_would_not_come_back_as_they_were(args):
    with pytest.raises((TypeError, ValueError)):
        sample.nothing.enqueue(*args)
    assert enqueued() == []


def test_arguments_become_json():
    result = sample.nothing.enqueue((1, b"two"))
    assert result.args == [[1, "two"]]
    drain()
    assert sample.seen == [[1, "two"]]


def test_arguments_are_bound_at_once():
    with pytest.raises(TypeError, match="the job was not enqueued"):
        sample.add.enqueue(1, 2, 3)
    with pytest.raises(TypeError, match="the job was not enqueued"):
        sample.tell.enqueue()


@pytest.mark.parametrize("later", [timedelta(minutes=5), "datetime"])
def test_run_after(later):
    when = timezone.now() + timedelta(minutes=5) if later == "datetime" else later
    result = sample.add.using(run_after=when).enqueue(1)
    (payload,) = enqueued()
    assert payload.at == pytest.approx(timezone.now().timestamp() + 300, abs=5)
    assert sample.add.get_result(result.id).task.run_after.timestamp() == pytest.approx(payload.at, abs=0.001)
    assert drain() == []
    drain(until=payload.at)
    assert sample.add.get_result(result.id).return_value == 1


def test_what_a_copy_says_comes_back_with_the_result(settings):
    settings.TASKS = {
        "default": settings.TASKS["default"],
        "other": {**settings.TASKS["default"], "OPTIONS": {"retry": 7}},
    }
    task = sample.add.using(priority=10, queue_name="mail", backend="other", tags=["x"])
    found = task.get_result(task.enqueue(1).id)
    assert (found.task.priority, found.task.queue_name, found.backend) == (10, "mail", "other")
    (payload,) = enqueued()
    assert (payload.queue, payload.retry, payload.tags) == ("mail", 7, ["x"])


def test_a_copy_takes_no_option_of_the_declaration():
    with pytest.raises(TypeError, match="timeout"):
        sample.add.using(timeout=3)


@pytest.mark.parametrize("priority", [-101, 101, 1.5])
def test_priorities_out_of_range(priority):
    with pytest.raises(InvalidTask):
        sample.add.using(priority=priority)


def test_a_task_of_another_backend_is_refused(settings, backend):
    usual = {"priority": 0, "backend": "default", "queue_name": "default", "run_after": None}
    foreign = framework.Task(func=sample.add.func, **usual)
    with pytest.raises(InvalidTask, match="declared for another backend"):
        backend.enqueue(foreign, [1], {})


def test_queues_are_those_of_kiq_unless_told(settings):
    settings.KIQ = {**settings.KIQ, "QUEUES": ["default", "mail"]}
    made = KiqBackend(alias="x", params={})
    assert made.queues == {"default", "mail"}


def test_the_result_of_a_task_that_is_gone(monkeypatch):
    result = sample.add.enqueue(1)
    monkeypatch.setattr(registry, "_jobs", {})
    found = sample.add.get_backend().get_result(result.id)
    assert found.task.module_path == f"{PATH}.add"
    assert str(found.status) == "READY"


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_the_commit(heard, backend):
    with transaction.atomic():
        result = sample.add.enqueue(1)
        assert result.enqueued_at is None
        assert enqueued() == []
        assert heard == []
        with pytest.raises(TaskResultDoesNotExist):
            backend.get_result(result.id)
    result.refresh()
    assert [payload.jid for payload in enqueued()] == [result.id]
    assert [each.id for each in heard] == [result.id]


def _refusing(payload, proceed):
    if payload.args == [1]:
        raise ZeroDivisionError
    return proceed(payload)


@pytest.mark.django_db(transaction=True)
def test_a_link_that_fails_for_one_after_the_commit_costs_the_others_nothing(settings):
    settings.KIQ = {**settings.KIQ, "MIDDLEWARE": {"client": [f"{__name__}._refusing"]}}
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        sample.add.enqueue(1)
        sample.add.enqueue(2)
    assert [payload.args for payload in enqueued()] == [[2]]


def test_what_a_test_may_look_at(backend):
    result = sample.add.enqueue(1)
    assert backend.results == [result]
    backend.clear()
    assert (backend.results, enqueued()) == ([], [])


@pytest.mark.skipif(framework.NAME == "django_tasks", reason="it is the only one there")
def test_code_for_the_backport_hears_and_catches_as_well(backend):
    old = pytest.importorskip("django_tasks.exceptions")
    signals = import_module("django_tasks.signals")
    heard = []
    listen = lambda sender, task_result, **_: heard.append(task_result.id)  # noqa: E731
    signals.task_enqueued.connect(listen)
    result = sample.add.enqueue(1)
    signals.task_enqueued.disconnect(listen)
    assert heard == [result.id]
    with pytest.raises(old.TaskResultDoesNotExist):
        backend.get_result("unknown")


@pytest.mark.django_db(transaction=True)
def test_a_rollback_takes_it():
    with pytest.raises(KeyError), transaction.atomic():
        sample.add.enqueue(1)
        raise KeyError
    assert enqueued() == []


@pytest.mark.django_db(transaction=True)
def test_it_need_not_wait():
    with transaction.atomic():
        sample.add.using(on_commit=False).enqueue(1)
        assert len(enqueued()) == 1


def test_inline_answers_the_end(settings):
    settings.KIQ = {**settings.KIQ, "ADAPTER": "inline"}
    assert sample.add.enqueue(2, 3).return_value == 5
    sample.fail_times["Bob"] = 1
    result = sample.unlucky.enqueue("Bob")
    assert (str(result.status), len(result.errors)) == ("FAILED", 1)
    assert sample.exits.enqueue().errors[0].exception_class is SystemExit


@pytest.mark.skipif(django.VERSION < (6, 1), reason="new in Django 6.1")
def test_options_of_the_decorator(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))
    module = import_module(framework.NAME)
    made = module.task(retry=3, timeout=5, tags=["slow"])(plain_function)
    assert registry.find(made.module_path).options.timeout == 5
    made.enqueue()
    (payload,) = enqueued()
    assert (payload.retry, payload.tags) == (3, ["slow"])


def plain_function() -> None: ...


@pytest.mark.skipif(django.VERSION < (6, 1), reason="new in Django 6.1")
def test_tasks_and_results_can_be_pickled():
    result = sample.add.enqueue(1)
    assert pickle.loads(pickle.dumps(result)) == result


@pytest.mark.skipif(django.VERSION < (6, 0), reason="there it is the only one")
def test_the_decorator_of_the_backport_makes_the_same_tasks(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))
    made = pytest.importorskip("django_tasks").task(plain_function)
    result = made.enqueue()
    drain()
    assert str(made.get_result(result.id).status) == "SUCCESSFUL"
