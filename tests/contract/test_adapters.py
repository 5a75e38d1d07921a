"""What every adapter must do, whatever it does it with."""

import contextlib
import threading
from datetime import date

import pytest
from django.db import transaction

from kiq_django import adapters, clock, conf, execution
from kiq_django.exceptions import ConfigurationError, Unsupported
from kiq_django.payload import Payload
from tests.jobsapp import jobs
from tests.support import wait_for


class Inline:
    """Jobs have run when the push returns."""

    def run(self): ...


class Threads:
    def run(self):
        wait_for(adapters.get()._is_idle, what="all jobs of the threads adapter")


class Test:
    __test__ = False

    def run(self):
        adapters.get().drain()


class Redis:
    """A worker of five lines."""

    def run(self):
        from kiq_django import store

        found = store.get()
        for queue in found.queues.names():
            while raw := found.queues.oldest([queue])[queue]:
                found.queues.remove(queue, raw)
                payload = Payload.decode(raw)
                execution.run(payload, payload.queue, housekeeping=False)


RUNNERS = {"inline": Inline, "threads": Threads, "test": Test, "redis": Redis}


@pytest.fixture(params=RUNNERS)
def runner(request, settings):
    if request.param == "redis":
        request.getfixturevalue("store")
    worker = {"concurrency": 1, "shutdown_timeout": 5}  # one thread keeps the order
    settings.KIQ = {**settings.KIQ, "ADAPTER": request.param, "WORKER": worker}
    return RUNNERS[request.param]()


def test_it_says_what_it_can(runner):
    adapter = adapters.get()
    assert {adapter.persistent, adapter.schedules, adapter.bulk} <= {True, False}


def test_jobs_run_in_order(runner, done):
    for number in range(5):
        jobs.record.enqueue(number)
    runner.run()
    assert done == [0, 1, 2, 3, 4]


def test_many_at_once(runner, done):
    jobs.record.enqueue_all((number,) for number in range(1500))
    runner.run()
    assert done == list(range(1500))


def test_arguments_arrive(runner, done):
    jobs.invoice.enqueue(1, locale="dé\u2028")
    jobs.record.enqueue(date(2030, 1, 2))
    jobs.record.enqueue({"deep": [1.5, None, True, {"er": []}]})
    runner.run()
    by_type = sorted(done, key=lambda value: type(value).__name__)
    assert by_type == [date(2030, 1, 2), {"deep": [1.5, None, True, {"er": []}]}, (1, "dé\u2028")]


def test_what_is_enqueued_is_a_copy(runner, done):
    rows = [1]
    jobs.record.enqueue(rows)
    rows.append(2)
    runner.run()
    assert done == [[1]]
    assert done[0] is not rows


def test_classes_and_async_functions(runner, done):
    jobs.HardWorker.enqueue("a", 2)
    jobs.sync.enqueue(3)
    runner.run()
    assert sorted(done, key=str) == [("a", 2), 3]


def test_the_id_and_the_queue_are_those_of_the_run(runner, done):
    handle = jobs.who.using(queue="mail").enqueue()
    runner.run()
    assert done == [(handle.id, jobs.who.name, "mail", 1)]


def test_a_job_may_enqueue(runner, done):
    jobs.chain.enqueue(3)
    runner.run()
    assert done == [3, 2, 1, 0]


def test_a_failing_job_stops_no_other(runner, done):
    for step in (lambda: jobs.fail.enqueue("bad"), lambda: jobs.record.enqueue(1), runner.run, runner.run):
        with contextlib.suppress(ValueError):  # inline and test tell who enqueues, or drains
            step()
    assert done == [1]


@pytest.mark.django_db(transaction=True)
def test_after_the_commit(runner, done):
    with transaction.atomic():
        jobs.record.enqueue(1)
        runner.run()
        assert done == []
    runner.run()
    assert done == [1]
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        jobs.record.enqueue(2)
        1 / 0  # noqa: B018
    runner.run()
    assert done == [1]


def test_a_time_ahead(runner, done):
    if not adapters.get().schedules:
        with pytest.raises(Unsupported):
            jobs.record.enqueue_in(3600, 1)
        return
    jobs.record.enqueue_in(3600, 1)
    jobs.record.enqueue_in(-1, 2)
    runner.run()
    assert done == [2]


# --- each its own ---


def test_redis_stores_what_sidekiq_stores(store, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: 1795318639.5)
    now = jobs.invoice.enqueue(1)
    later = jobs.invoice.enqueue_in(60, 2)
    assert store.queues.names() == ["mail"]
    head = '{"retry":5,"queue":"mail","class":"tests.jobsapp.jobs.invoice","args":['
    assert store.link.call("LRANGE", "queue:mail", 0, -1) == [
        f'{head}1],"jid":"{now.id}","created_at":1795318639.5,"tags":["billing"],"enqueued_at":1795318639.5}}'.encode()
    ]
    ((raw, score),) = store.sets.page("schedule", 0, 9)
    assert raw == f'{head}2],"jid":"{later.id}","created_at":1795318639.5,"tags":["billing"]}}'.encode()
    assert score == 1795318699.5


def test_threads_run_side_by_side(settings, done):
    settings.KIQ = {**settings.KIQ, "ADAPTER": "threads", "WORKER": {"concurrency": 2}}
    barrier = threading.Barrier(2, timeout=10)
    from kiq_django import job, registry

    before = dict(registry._jobs)
    try:

        @job(name="meets")
        def meets():
            barrier.wait()
            done.append(threading.current_thread())

        meets.enqueue_all([(), ()])
        wait_for(lambda: len(done) == 2)
    finally:
        registry._jobs.clear()
        registry._jobs.update(before)
    assert len(set(done)) == 2


def test_threads_wait_for_the_time(settings, done):
    settings.KIQ = {**settings.KIQ, "ADAPTER": "threads"}
    jobs.record.enqueue_in(0.05, "later")
    jobs.record.enqueue("now")
    wait_for(lambda: done == ["now", "later"])


def test_threads_try_again_and_give_up(settings, done, monkeypatch):
    from kiq_django import retry, signals

    settings.KIQ = {**settings.KIQ, "ADAPTER": "threads"}
    monkeypatch.setattr(retry, "delay", lambda count, chance: 0.01)
    dead = []

    def receiver(sender, payload, error, **_):
        dead.append((sender, payload.retry_count, str(error)))

    signals.job_dead.connect(receiver)
    try:
        jobs.fail.using(retry=2).enqueue("bad")
        wait_for(lambda: dead)
    finally:
        signals.job_dead.disconnect(receiver)
    assert dead == [(jobs.fail, 2, "bad")]


def test_threads_finish_what_is_due_when_they_close(settings, done):
    settings.KIQ = {**settings.KIQ, "ADAPTER": "threads", "WORKER": {"concurrency": 1}}
    for number in range(100):
        jobs.record.enqueue(number)
    jobs.record.enqueue_in(3600, "lost")
    threads = adapters.get()._threads
    conf.reset()
    assert done == list(range(100))
    wait_for(lambda: not any(thread.is_alive() for thread in threads))


def test_inline_lets_errors_out_but_not_what_the_job_discards(settings):
    from kiq_django import Discard, job, registry

    settings.KIQ = {**settings.KIQ, "ADAPTER": "inline"}
    before = dict(registry._jobs)
    try:

        @job(name="gives_up", discard_on=KeyError)
        def gives_up(error):
            raise {"discard": Discard, "key": KeyError, "value": ValueError}[error]

        assert gives_up.enqueue("discard")
        assert gives_up.enqueue("key")
        with pytest.raises(ValueError):  # noqa: PT011
            gives_up.enqueue("value")
    finally:
        registry._jobs.clear()
        registry._jobs.update(before)


# --- the choice ---


class Own(adapters.Adapter):
    persistent = schedules = bulk = False
    closed = 0

    def push(self, payloads): ...

    def close(self):
        type(self).closed += 1


def test_an_adapter_of_somebody_else(settings):
    settings.KIQ = {"ADAPTER": f"{__name__}.Own"}
    assert isinstance(adapters.get(), Own)
    assert adapters.get() is adapters.get()
    before = Own.closed
    settings.KIQ = {"ADAPTER": "test"}
    assert Own.closed == before + 1
    assert not isinstance(adapters.get(), Own)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("redsi", "Did you mean 'redis'"),
        ("nowhere.Adapter", "is not an adapter"),
        (f"{__name__}.RUNNERS", "is not a subclass"),
        (f"{__name__}.Inline", "is not a subclass"),
    ],
)
def test_what_is_no_adapter(settings, name, words):
    settings.KIQ = {"ADAPTER": name}
    with pytest.raises(ConfigurationError, match=words):
        adapters.get()
