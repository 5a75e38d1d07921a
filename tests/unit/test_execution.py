import asyncio
import gc
import threading
import traceback
import weakref
from datetime import date

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections

from kiq_django import databases, execution, job, registry, signals, transactions
from kiq_django.context import current_job
from kiq_django.exceptions import JobTimeout, MalformedPayload, UnknownJob
from kiq_django.payload import Payload
from tests.jobsapp import jobs
from tests.support import wait_for


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))


def payload(name, *args, **fields):
    return Payload.new(name, args, fields.pop("kwargs", {}), queue="default", retry=True, now=1.0, **fields)


def run(declared, *args, **kwargs):
    return execution.run(payload(declared.name, *args), "default", **kwargs)


def test_a_job_that_returns():
    outcome = run(jobs.record, 7)
    assert (outcome.state, outcome.result, outcome.error) == ("done", 7, None)
    assert outcome.definition is jobs.record.definition
    assert outcome.queue == "default"
    assert outcome.elapsed >= 0
    assert outcome.started_at > 1_000_000_000
    assert "done" in repr(outcome)


def test_arguments_by_name():
    outcome = execution.run(payload(jobs.invoice.name, 1, kwargs={"locale": "de"}), "mail")
    assert outcome.result == "1 de"


def test_a_class_job():
    assert run(jobs.HardWorker, "a", 3).result == "aaa"


def test_a_job_that_raises():
    outcome = run(jobs.fail, "bad")
    assert outcome.state == "failed"
    assert isinstance(outcome.error, ValueError)
    assert traceback.extract_tb(outcome.error.__traceback__)[-1].name == "fail"


def test_a_failed_outcome_is_no_reference_cycle():
    class Failure(Exception):
        pass

    @job(name="fails")
    def fails():
        raise Failure

    gc.collect()
    gc.disable()
    try:
        outcome = run(fails)
        gone = weakref.ref(outcome.error)
        del outcome
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("error", [SystemExit(1), MemoryError(), GeneratorExit(), asyncio.CancelledError()])
def test_what_would_end_a_thread_ends_the_job_only(error):
    @job(name="raises")
    def raises():
        raise error

    assert run(raises).error is error


def test_ctrl_c_ends_the_process():
    @job(name="raises")
    def raises():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(raises)
    assert current_job() is None


def test_an_unknown_job():
    outcome = execution.run(payload("tests.jobsapp.jobs.recrod"), "default")
    assert isinstance(outcome.error, UnknownJob)
    assert "Did you mean 'tests.jobsapp.jobs.record'?" in str(outcome.error)
    assert outcome.definition is None


def test_the_context():
    outcome = run(jobs.who)
    assert outcome.result == outcome.payload.jid
    assert jobs.done == [(outcome.payload.jid, jobs.who.name, "default", 1)]
    assert current_job() is None


def test_jobs_in_jobs_have_a_context_each():
    seen = []

    @job(name="inner")
    def inner():
        seen.append(current_job().name)

    @job(name="outer")
    def outer():
        inner.perform_now()
        seen.append(current_job().name)

    assert run(outer).state == "done"
    assert seen == ["inner", "outer"]


def test_the_stop_flag():
    flag = threading.Event()
    flag.set()

    @job(name="looks")
    def looks():
        return current_job().interrupted

    assert execution.run(payload("looks"), "default", flag).result is True
    assert execution.run(payload("looks"), "default").result is False


def test_arguments_of_rich_types():
    outcome = jobs.record.perform_now(date(2030, 1, 2))
    assert outcome == date(2030, 1, 2)


def test_arguments_that_cannot_be_read_fail_the_job():
    outcome = execution.run(payload(jobs.record.name, {"$kiq": "nonsense"}, rich=True), "default")
    assert isinstance(outcome.error, MalformedPayload)


def test_server_links_change_and_veto(settings):
    settings.KIQ = {"MIDDLEWARE": {"server": [f"{__name__}.doubling"]}, "FEATURES": []}
    assert run(jobs.record, 2).result == "linked 4"
    settings.KIQ = {"MIDDLEWARE": {"server": [f"{__name__}.refusing"]}, "FEATURES": []}
    outcome = run(jobs.record, 3)
    assert (outcome.state, outcome.result) == ("done", None)
    assert jobs.done == [4]


def doubling(payload, proceed):
    return f"linked {proceed(payload.evolve(args=[payload.args[0] * 2]))}"


def refusing(payload, proceed):
    return None


def test_signals_around_a_job():
    seen = []

    def started(sender, running, **_):
        seen.append(("started", sender, running.id, current_job() is running))

    def finished(sender, outcome, **_):
        seen.append(("finished", sender, outcome.state))

    signals.job_started.connect(started, sender=jobs.record)
    signals.job_finished.connect(finished)
    try:
        outcome = run(jobs.record, 1)
        unknown = execution.run(payload("nobody"), "default")
    finally:
        signals.job_started.disconnect(started, sender=jobs.record)
        signals.job_finished.disconnect(finished)
    assert unknown.state == "failed"
    assert seen == [
        ("started", jobs.record, outcome.payload.jid, True),
        ("finished", jobs.record, "done"),
        ("finished", None, "failed"),
    ]


# --- async ---


def test_an_async_job_from_a_plain_thread():
    assert run(jobs.sync, 4).result == 8


async def test_an_async_job_on_this_loop():
    loop = asyncio.get_running_loop()

    @job(name="where")
    async def where():
        return asyncio.get_running_loop() is loop, current_job().name

    outcome = await execution.arun(payload("where"), "default")
    assert outcome.result == (True, "where")
    assert current_job() is None


async def test_many_async_jobs_at_once_keep_their_contexts_apart():
    @job(name="waits")
    async def waits(number):
        before = current_job().id
        await asyncio.sleep(0)
        return number, before == current_job().id

    outcomes = await asyncio.gather(*(execution.arun(payload("waits", n), "default") for n in range(50)))
    assert [outcome.result for outcome in outcomes] == [(n, True) for n in range(50)]


async def test_an_async_job_that_fails():
    @job(name="fails")
    async def fails():
        raise SystemExit(1)

    assert isinstance((await execution.arun(payload("fails"), "default")).error, SystemExit)
    assert isinstance((await execution.arun(payload("nobody"), "default")).error, UnknownJob)


async def test_an_async_job_has_time():
    @job(name="slow", timeout=0.01)
    async def slow():
        await asyncio.sleep(60)

    outcome = await execution.arun(payload("slow"), "default")
    assert isinstance(outcome.error, JobTimeout)
    assert str(outcome.error) == "slow ran longer than its timeout of 0.01 s"


async def test_a_timeout_of_its_own_is_not_ours():
    @job(name="own", timeout=60)
    async def own():
        raise TimeoutError("its own")

    assert type((await execution.arun(payload("own"), "default")).error) is TimeoutError


async def test_cancelled_by_a_stopping_worker():
    flag, began = threading.Event(), asyncio.Event()

    @job(name="long")
    async def long():
        began.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(execution.arun(payload("long"), "default", flag))
    await asyncio.wait_for(began.wait(), 10)
    flag.set()
    task.cancel()
    outcome = await task
    assert (outcome.state, outcome.error) == ("interrupted", None)


async def test_cancelled_by_somebody_else():
    began = asyncio.Event()

    @job(name="long")
    async def long():
        began.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(execution.arun(payload("long"), "default"))
    await asyncio.wait_for(began.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_inside_the_job_is_a_failure():
    @job(name="cancels")
    async def cancels():
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    assert isinstance((await execution.arun(payload("cancels"), "default")).error, asyncio.CancelledError)


async def test_the_plain_parts_of_async_jobs_run_side_by_side_and_disconnect(transactional_db):
    barrier = threading.Barrier(2, timeout=10)
    used = []

    def query():
        barrier.wait()  # both jobs are here at once, so each has a thread of its own
        connection.ensure_connection()
        used.append((threading.current_thread(), connections["default"].connection))

    @job(name="asks")
    async def asks():
        await sync_to_async(query)()

    outcomes = await asyncio.gather(*(execution.arun(payload("asks"), "default") for _ in range(2)))
    assert [outcome.state for outcome in outcomes] == ["done", "done"]
    assert len({thread for thread, _ in used}) == 2
    wait_for(lambda: not any(thread.is_alive() for thread, _ in used))


async def test_a_connection_that_cannot_be_closed_does_not_make_a_job_fail(transactional_db, monkeypatch, caplog):
    def fail():
        raise OSError("gone")

    @job(name="asks")
    async def asks():
        await sync_to_async(connection.ensure_connection)()

    monkeypatch.setattr(databases.connections, "close_all", fail)
    outcome = await execution.arun(payload("asks"), "default")
    assert outcome.state == "done"
    assert "cannot be closed" in caplog.text


# --- database housekeeping ---


class FakeConnection:
    alias = "default"
    connection = object()

    def __init__(self):
        self.checked = 0
        self.queries_log = ["SELECT 1"]

    def close_if_unusable_or_obsolete(self):
        self.checked += 1


def test_connections_are_looked_after_in_the_jobs_own_thread(monkeypatch):
    fake = FakeConnection()
    monkeypatch.setattr(transactions, "initialised", lambda: [fake])
    run(jobs.record, 1)
    assert fake.checked == 2
    assert fake.queries_log == []
    run(jobs.record, 1, housekeeping=False)
    assert fake.checked == 2


def test_a_connection_that_does_not_even_close_fails_no_job(monkeypatch, caplog):
    class Broken(FakeConnection):
        def close_if_unusable_or_obsolete(self):
            raise OSError("broken pipe")

    monkeypatch.setattr(transactions, "initialised", lambda: [Broken()])
    assert run(jobs.record, 1).state == "done"
    assert "broken pipe" in caplog.text
