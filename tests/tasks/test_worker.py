"""Tasks on a real server, run by a real worker."""

from dataclasses import replace
from datetime import timedelta

import pytest
from asgiref.sync import SyncToAsync, async_to_sync
from django.db import transaction

from kiq_django import client, registry
from kiq_django import store as stores
from kiq_django.api import history
from kiq_django.options import RetryOn
from kiq_django.payload import Payload
from kiq_django.store import tasks as stored
from kiq_django.store.queues import Entry
from kiq_django.task_backend import KiqBackend, runner
from kiq_django.task_backend.framework import TaskResultDoesNotExist
from tests.jobsapp.jobs import record
from tests.support import round_trips, wait_for
from tests.tasks import sample

PATH = "tests.tasks.sample"


@pytest.fixture
def _own_jobs(monkeypatch):
    """What a test declares is unknown to the next."""
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))


def finished(result):
    """The result, once it is over."""

    def look():
        result.refresh()
        return result.is_finished

    wait_for(look, what=f"the end of {result.task.module_path}")
    return result


def arguments(store, queue="default"):
    """First arguments of what waits, the next to run first."""
    return [Payload.decode(raw).args[0] for raw in store.queues.page(queue, 0, 10_000)]


@pytest.mark.parametrize(
    ("task", "args", "value"),
    [
        (sample.add, [1, 2], 3),
        (sample.tell, ["hello"], ["hello", 1]),
        (sample.double, [21], 42),
        (sample.atell, [], 1),
        (sample.nothing, [{"ä": [1.5, None, "x"]}], {"ä": [1.5, None, "x"]}),
        (sample.nothing, [], None),
    ],
)
def test_a_worker_runs_it(store, start, heard, task, args, value):
    result = task.enqueue(*args)  # before there is a worker: it may be quicker than the signal of the enqueueing
    launcher = start()
    finished(result)
    assert (str(result.status), result.return_value) == ("SUCCESSFUL", value)
    assert result.worker_ids == [launcher.config.identity]
    assert result.started_at <= result.last_attempted_at <= result.finished_at
    assert [each.name for each in heard] == ["task_enqueued", "task_started", "task_finished"]
    assert {(each.sender, each.id) for each in heard} == {(KiqBackend, result.id)}
    assert task.get_result(result.id).args == args


def test_enqueue_and_get_result_are_one_round_trip_each(store):
    sample.add.enqueue(0)
    with round_trips() as sent:
        result = sample.add.enqueue(1)
    assert len(sent) == 1
    with round_trips() as sent:
        result.refresh()
    assert len(sent) == 1


def refuse_ours(init):
    """Threads are for receivers of signals that are no coroutine functions."""

    def refusing(self, func, *args, **kwargs):
        assert func.__module__ == "django.dispatch.dispatcher", func
        init(self, func, *args, **kwargs)

    return refusing


async def test_an_event_loop_needs_no_thread(store, start, heard, monkeypatch):
    start()
    warm = await sample.double.aenqueue(0)  # the first call of a loop takes one
    await warm.arefresh()
    monkeypatch.setattr("asyncio.to_thread", None)
    monkeypatch.setattr("asgiref.sync.SyncToAsync.__init__", refuse_ours(SyncToAsync.__init__))
    result = await sample.double.aenqueue(4)
    while not result.is_finished:
        await result.arefresh()
    assert (result.return_value, result.attempts) == (8, 1)
    assert {each.name for each in heard if each.id == result.id} == {"task_enqueued", "task_started", "task_finished"}
    with pytest.raises(TaskResultDoesNotExist):
        await sample.double.aget_result("unknown")


@pytest.mark.django_db(transaction=True)
def test_an_event_loop_waits_for_the_commit_of_the_thread_that_it_stands_for(store):
    with transaction.atomic():
        result = async_to_sync(sample.add.aenqueue)(1)
        assert result.enqueued_at is None
        assert store.queues.page("default", 0, 9) == []
    assert [Payload.decode(raw).jid for raw in store.queues.page("default", 0, 9)] == [result.id]


def test_running(store, start):
    launcher = start()
    result = sample.wait_at_gate.enqueue()
    wait_for(lambda: sample.seen)
    result.refresh()
    assert (str(result.status), result.worker_ids) == ("RUNNING", [launcher.config.identity])
    assert result.started_at is not None
    assert result.finished_at is None
    sample.gate.set()
    assert finished(result).return_value == "through"


def test_a_run_whose_worker_is_gone_is_ready_again(store):
    result = sample.add.enqueue(1)
    store.tasks.begin(result.id, b"", 1.5, "host:1:gone")
    result.refresh()
    assert (str(result.status), result.worker_ids) == ("READY", [])


@pytest.mark.usefixtures("_own_jobs")
def test_a_retry_is_ready_with_growing_errors(store, start):
    definition = registry.find(f"{PATH}.unlucky")
    registry.register(replace(definition, options=replace(definition.options, retry_on=(RetryOn(ValueError, wait=0),))))
    sample.fail_times["Ann"] = 2
    result = sample.unlucky.enqueue("Ann")
    start()
    finished(result)
    assert (result.return_value, result.attempts, len(result.errors)) == ("Ann", 3, 2)
    assert {error.exception_class for error in result.errors} == {ValueError}
    assert "no luck, Ann" in result.errors[0].traceback
    assert 'raise ValueError(f"no luck, {name}")' in result.errors[0].traceback
    assert result.errors[0].traceback.endswith("ValueError: no luck, Ann\n")
    assert result.started_at < result.last_attempted_at


def test_waiting_for_a_retry_is_ready(store, start):
    sample.fail_times["Bob"] = 1
    result = sample.unlucky.enqueue("Bob")
    start()
    wait_for(lambda: history(result.id))
    result.refresh()
    assert (str(result.status), len(result.errors), result.attempts) == ("READY", 1, 1)
    assert result.finished_at is None


def test_without_retries_it_is_failed(store, start, heard):
    sample.fail_times["Eve"] = 1
    start()
    result = finished(sample.unlucky.using(retry=0).enqueue("Eve"))
    assert (str(result.status), result.errors[0].exception_class) == ("FAILED", ValueError)
    assert heard[-1].status == "FAILED"
    dropped = finished(sample.exits.using(retry=False).enqueue())
    assert dropped.errors[0].exception_class is SystemExit
    assert finished(sample.add.enqueue(1)).return_value == 1, "the worker lives"


def test_a_result_that_cannot_be_stored_is_a_failure_without_retries(store, start):
    start()
    result = finished(sample.unusable.enqueue())
    assert (str(result.status), sample.seen) == ("FAILED", ["ran"])
    assert result.errors[0].exception_class is TypeError
    assert "Return plain JSON" in result.errors[0].traceback


def test_a_record_lives_as_long_as_it_is_told(store, start, settings):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"history_seconds": 0}}
    default = settings.TASKS["default"]
    settings.TASKS = {"default": {**default, "OPTIONS": {"result_ttl": 60}}}
    result = sample.add.enqueue(1)
    key = store.keys.job("", result.id)
    assert stores.get().link.call("TTL", key) > stored.WAITING - 60
    start()
    finished(result)
    assert 0 < stores.get().link.call("TTL", key) <= 60


def test_a_task_for_later(store, start):
    result = sample.add.using(run_after=timedelta(seconds=0.3), queue_name="later").enqueue(1)
    assert str(sample.add.get_result(result.id).status) == "READY"
    start({"later": 0})
    finished(result)
    assert result.started_at >= result.task.run_after
    assert sample.add.get_result(result.id).task.queue_name == "later"


def test_an_unknown_id(store, backend):
    for jid in ("", "0" * 24, "x" * 1000):
        with pytest.raises(TaskResultDoesNotExist):
            backend.get_result(jid)


def test_plain_jobs_have_no_record(store, start, done):
    start()
    handle = record.enqueue(1)
    wait_for(lambda: done)
    wait_for(lambda: not store.queues.page("default", 0, 1))
    assert store.link.call("EXISTS", store.keys.job("", handle.id)) == 0


# --- priorities ---


def put(*priorities):
    for priority in priorities:
        sample.nothing.using(priority=priority).enqueue(priority)


def test_higher_priorities_run_first_and_equal_ones_in_their_order(store):
    put(0, -5, 10, 0, 100, -100, 10, -5, 1)
    assert arguments(store) == [100, 10, 10, 1, 0, 0, -5, -5, -100]
    ids = [Payload.decode(raw).jid for raw in store.queues.page("default", 0, 100)]
    assert ids[1] < ids[2]
    assert ids[4] < ids[5]


def test_a_plain_job_counts_as_0_but_passes_nothing(store):
    put(-1)
    record.enqueue("plain")
    put(5, -2, 0)
    assert arguments(store) == [5, -1, "plain", 0, -2]


@pytest.mark.parametrize("new", [50, 0, -50])
def test_a_long_queue_is_not_walked(store, monkeypatch, new):
    monkeypatch.setattr(stored, "REACH", 3)
    put(*[100] * 5, *[0] * 5, *[-100] * 5)
    put(new)
    waiting = arguments(store)
    assert sorted(waiting) == sorted([*[100] * 5, *[0] * 5, *[-100] * 5, new])
    assert waiting.index(new) in {3, 5, 10}


def test_no_byte_of_what_it_passes_changes(store):
    sample.nothing.using(priority=-3).enqueue({"big": 2**63, "f": 1e-7, "ä": "\u2028"})
    before = store.queues.page("default", 0, 9)
    put(3)
    assert before[0] in store.queues.page("default", 0, 9)


def test_the_worker_calls_what_was_declared():
    assert runner.signature_of(sample.tell).parameters.keys() == {"word"}


# --- what others put there ---


def test_a_task_that_somebody_pushes_as_a_plain_job(store, start):
    raw = Payload.new(f"{PATH}.tell", ["hi"], {}, queue="default", retry=True, now=1.5)
    store.queues.push([Entry("default", raw.encode())])
    start()
    wait_for(lambda: sample.seen)
    wait_for(lambda: not store.queues.page("default", 0, 1))
    assert sample.seen == [("hi", 1, "RUNNING", raw.jid, 0)]
    assert store.link.call("EXISTS", store.keys.job("", raw.jid)) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"task": b"x"},
        {"running": b"[]"},
        {"running": b'{"started_at":"x","worker":5}'},
        {"result": b"{", "place": b"done", "end": b"nothing"},
        {"place": b"dead", "run:1": b"{}", "failures": b"x"},
    ],
)
def test_a_damaged_record_is_no_accident(store, backend, fields):
    result = sample.add.enqueue(1)
    for name, value in fields.items():
        store.link.call("HSET", store.keys.job("", result.id), name, value)
    if fields.get("task"):
        with pytest.raises(TaskResultDoesNotExist):
            backend.get_result(result.id)
    else:
        assert backend.get_result(result.id).id == result.id


@pytest.mark.parametrize("told", [5, {}, {"priority": "x", "run_after": 1e300, "backend": 3, "result_ttl": -1}])
def test_a_task_that_tells_nonsense_runs(store, start, told):
    payload = Payload.new(f"{PATH}.add", [1], {}, queue="default", retry=True, now=1.5, django_task=told)
    client.push(payload, on_commit=False)
    start()
    wait_for(lambda: sample.seen)
    wait_for(lambda: str(sample.add.get_backend().get_result(payload.jid).status) == "SUCCESSFUL")
