"""Ruby pushes, our worker runs."""

import json
import signal

import pytest

from kiq_django import activejob, clock
from kiq_django.api import DeadSet, Metrics, Queue, RetrySet, Stats
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry
from tests.acceptance.process import effects
from tests.support import wait_for

pytestmark = pytest.mark.acceptance

MANY = 10_000
ORDER = {"_aj_globalid": "gid://shop/Shop::Order/42"}


def wrapped(name, arguments, wrapper="Sidekiq::ActiveJob::Wrapper"):
    """What Rails 7.1 hands to Sidekiq's client for `name.perform_later(...)`."""
    job = {
        "job_class": name,
        "job_id": "a2f6a8b2-5a3e-4c39-b9f0-d6a5a9f1a7d0",
        "provider_job_id": None,
        "queue_name": "default",
        "priority": None,
        "arguments": arguments,
        "executions": 0,
        "exception_executions": {},
        "locale": "en",
        "timezone": "UTC",
        "enqueued_at": "2026-02-03T04:05:06.123456789Z",
        "scheduled_at": None,
    }
    return {"class": wrapper, "wrapped": name, "queue": "default", "args": [job]}


def test_every_way_in(ruby, our_worker, tmp_path):
    queue = {"queue": "default"}
    calls = [
        ["perform_async", queue, [1, "é", None, {"a": [1.5]}]],
        ["perform_in", queue, 0.5, [2]],
        ["push", {**queue, "class": "HardWorker", "args": [3]}],
        ["push_bulk", {**queue, "class": "HardWorker", "args": [[4], [5]]}],
    ]
    jids = ruby("client", calls)
    assert all(len(jid) == 24 for jid in [*jids[:3], *jids[3]])
    our_worker().ready()
    wait_for(lambda: effects(tmp_path).total() == 5)
    expected = {"python 1 é None {'a': [1.5]}", "python 2", "python 3", "python 4", "python 5"}
    assert set(effects(tmp_path)) == expected
    assert max(effects(tmp_path).values()) == 1


def test_fields_that_we_do_not_know_survive_failure_and_retry(ruby, our_worker, tmp_path):
    strange = {"cattr": {"user": 7}, "locale": "de", "tags": ["x"], "log_level": "info", "anything": [{"b": 1}]}
    item = {"class": "MoodyWorker", "args": [1], "queue": "default", "backtrace": 3, **strange}
    [jid] = ruby("client", [["push", item]])
    our_worker().ready()
    job = wait_for(lambda: RetrySet().find(jid))
    assert {name: job.payload.document[name] for name in strange} == strange
    assert "failed_at" in job.payload.document
    assert 1 <= len(job.backtrace) <= 3
    (tmp_path / "mended").touch()
    job.retry()
    wait_for(lambda: effects(tmp_path)["mended 1"])
    assert RetrySet().size == 0


def test_an_unknown_class_is_kept_with_its_reason(ruby, our_worker):
    jobs = [{"class": "Acme::Unheard", "args": [1], "queue": "default"}]
    jobs.append({**jobs[0], "retry": False})
    first, second = ruby("client", [["push", job] for job in jobs])
    process = our_worker().ready()
    for jid in (first, second):
        parked = wait_for(lambda jid=jid: RetrySet().find(jid))
        assert "'Acme::Unheard'" in parked.error_message
    assert process.process.poll() is None
    for shown in ruby("dump")["retry"]:
        assert shown["item"]["error_class"] == "kiq_django.exceptions.UnknownJob"
        assert shown["item"]["retry_count"] == 0


def test_a_job_of_a_pro_batch_is_refused_and_kept(ruby, our_worker, tmp_path):
    batched = {"class": "HardWorker", "args": [1], "queue": "default", "bid": "b-XyzBatch42"}
    kept, final = ruby("client", [["push", batched], ["push", {**batched, "retry": False}]])
    our_worker().ready()
    job = wait_for(lambda: RetrySet().find(kept))
    assert job.error_class == "kiq_django.exceptions.ForeignBatch"
    assert "'b-XyzBatch42' (its field 'bid')" in job.error_message
    assert job.payload.document["bid"] == "b-XyzBatch42"
    assert wait_for(lambda: DeadSet().find(final))
    assert effects(tmp_path).total() == 0


@pytest.mark.parametrize("wrapper", sorted(activejob.WRAPPERS))
def test_a_job_of_rails_runs_decoded_and_is_retried_as_it_came(ruby, our_worker, store, tmp_path, wrapper):
    arguments = [
        ORDER,
        {"_aj_serialized": "ActiveJob::Serializers::DateSerializer", "value": "2026-02-03"},
        {"locale": "de", "_aj_ruby2_keywords": ["locale"]},
    ]
    item = wrapped("Shop::GreetingJob", arguments, wrapper)
    [jid] = ruby("client", [["push", item]])
    process = our_worker().ready()
    job = wait_for(lambda: RetrySet().find(jid))
    assert job.error_message == "not yet"
    assert job.payload.args == item["args"]
    assert (job.name, job.display_name) == (wrapper, "Shop::GreetingJob")
    (tmp_path / "mended").touch()
    assert ruby("act", [["retry", "retry", jid]]) == [True]
    line = "greeting gid://shop/Shop::Order/42 (datetime.date(2026, 2, 3),) [('locale', 'de')]"
    wait_for(lambda: effects(tmp_path)[line] == 2)
    process.send(signal.SIGTERM)
    process.wait()
    assert Metrics().for_job("Shop::GreetingJob").runs == 2
    assert [figures.name for figures in Metrics().top_jobs()] == ["Shop::GreetingJob"]
    assert "class=Shop::GreetingJob" in process.output


def test_an_async_job_of_rails(ruby, our_worker, tmp_path):
    arguments = ["Eve", {"locale": "fr", "_aj_ruby2_keywords": ["locale"]}]
    ruby("client", [["push", wrapped("Shop::AsyncGreetingJob", arguments)]])
    our_worker().ready()
    wait_for(lambda: effects(tmp_path)["async Eve fr"] == 1)


def test_a_job_of_rails_that_cannot_run_says_why(ruby, our_worker):
    odd = {"_aj_serialized": "MoneySerializer", "value": 1}
    unheard, strange = ruby(
        "client", [["push", wrapped("Shop::Unheard", [])], ["push", wrapped("Shop::GreetingJob", [odd])]]
    )
    our_worker().ready()
    assert "'Shop::Unheard'" in wait_for(lambda: RetrySet().find(unheard)).error_message
    assert "'MoneySerializer'" in wait_for(lambda: RetrySet().find(strange)).error_message


def test_ten_thousand_pushed_while_we_drain(ruby, our_worker, store, tmp_path):
    process = our_worker("-v", "0", WORKER={"poll_interval": 0.5}).ready()
    assert ruby("flood", {"queue": "default", "class": "HardWorker", "count": MANY}) == MANY
    wait_for(lambda: effects(tmp_path).total() >= MANY, 25)
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    assert effects(tmp_path) == {f"python {number}": 1 for number in range(MANY)}
    assert (Stats().processed, Stats().failed, Stats().enqueued) == (MANY, 0, 0)


MOMENT = 1_795_318_639.913464


def writers(now):
    """One payload of each writer of a mixed cluster, pushed ten seconds ago; the last was promoted by 8.1."""
    then, milliseconds = now - 10, int((now - 10) * 1000)
    plain = {"retry": True, "queue": "default", "class": "MoodyWorker", "jid": "", "args": [1]}
    return {
        "6.4": {**plain, "created_at": then, "enqueued_at": then},
        "7.3": {**plain, "retry_for": 3600, "created_at": then, "enqueued_at": then},
        "8.1": {**plain, "retry_for": 3600, "created_at": milliseconds, "enqueued_at": milliseconds},
        "mixed": {**plain, "created_at": then - 5, "enqueued_at": milliseconds},
    }


def test_a_mixed_cluster_of_writers(ruby, our_worker, store, tmp_path):
    now = clock.now()
    for number, (version, document) in enumerate(writers(now).items()):
        document.update(jid=f"{number:024x}", args=[version])
        store.queues.push([_entry(document)])
    assert [round(job.latency) for job in Queue("default").page()] == [10, 10, 10, 10]
    assert round(Queue("default").latency) == 10
    assert ruby("dump")["queues"]["default"]["size"] == 4  # 6.4 misreads the times of 8.1, and says so nowhere

    our_worker().ready()
    wait_for(lambda: RetrySet().size == 4)
    for job in RetrySet():
        assert job.retry_count == 0
        assert now <= job.failed_at <= clock.now()
        assert abs(job.created_at - (now - 10)) < 5.1
    ages = sorted(round(now - job.enqueued_at) for job in RetrySet())
    assert ages == [10, 10, 10, 10]

    for job in RetrySet():
        job.retry()
    wait_for(lambda: RetrySet().size == 4)
    assert all(job.retried_at >= job.failed_at for job in RetrySet())
    (tmp_path / "mended").touch()
    RetrySet().retry_all()
    wait_for(lambda: {f"mended {version}": 1 for version in writers(now)}.items() <= effects(tmp_path).items())
    assert (RetrySet().size, DeadSet().size) == (0, 0)


@pytest.mark.parametrize(
    ("failed_at", "dies"),
    [(MOMENT, True), (int(MOMENT * 1000), True), (None, False)],
)
def test_retry_for_counts_from_a_failure_that_another_version_noted(our_worker, store, failed_at, dies):
    """In 8.1 the first failure stands in milliseconds; 7.3 would read it as the year 58861."""
    now = clock.now()
    failed_at = int(now * 1000) if failed_at is None else failed_at - 10 * 86_400 * (1000 if failed_at > 1e11 else 1)
    document = {**writers(now)["8.1"], "jid": "a" * 24, "retry_count": 0, "failed_at": failed_at}
    document["retried_at"] = failed_at
    store.queues.push([_entry(document)])
    our_worker().ready()
    place = DeadSet() if dies else RetrySet()
    job = wait_for(lambda: place.find("a" * 24))
    assert job.payload.document["failed_at"] == failed_at
    assert job.retry_count == 1


def test_integer_times_are_written_everywhere_when_wanted(our_worker, store, tmp_path):
    """For a cluster of Sidekiq 8 alone."""
    store.queues.push([_entry({**writers(clock.now())["8.1"], "jid": "c" * 24})])
    our_worker(SIDEKIQ={"integer_times": True}).ready()
    names = ["created_at", "enqueued_at", "failed_at"]
    job = wait_for(lambda: RetrySet().find("c" * 24))
    assert {type(job.payload.document[name]) for name in names} == {int}
    job.reschedule(clock.now() - 1)
    again = wait_for(lambda: next((job for job in RetrySet() if job.retry_count == 1), None))
    assert {type(again.payload.document[name]) for name in [*names, "retried_at"]} == {int}
    assert again.enqueued_at > job.enqueued_at
    assert again.retried_at >= again.failed_at == job.failed_at


def _entry(document):
    return Entry("default", json.dumps(document, separators=(",", ":")).encode())


def test_a_stored_at_does_not_survive_a_failure(our_worker, store):
    """Left inside, Sidekiq's "Retry" would send the job to the schedule."""
    store.queues.push([_entry({**writers(clock.now())["6.4"], "jid": "b" * 24, "at": 1.5})])
    our_worker().ready()
    job = wait_for(lambda: RetrySet().find("b" * 24))
    assert "at" not in Payload.decode(job.raw).document
