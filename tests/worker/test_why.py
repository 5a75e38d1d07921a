"""The answers of the dashboard about a real worker, from its first job to its end."""

import pytest

from kiq_django.api import WorkSet
from kiq_django.api.attention import attention
from kiq_django.api.queues import Queue
from kiq_django.api.why import why_job, why_queue
from tests.support import wait_for


@pytest.fixture
def busy(start, declare, push, gate):
    """A worker whose only thread is at a job that does not end, while two jobs wait."""
    declare(lambda: gate.wait(), name="report")
    worker = start({"mail": 2, "default": 1}, concurrency=1)
    push("report", queue="mail")
    wait_for(lambda: WorkSet().size == 1)
    push("report", queue="mail")
    push("report", queue="default")
    return worker


def codes(answer):
    return {point.code for point in answer.points if point.state == "bad"}


def test_why_queues_wait_for_a_worker_that_is_busy(busy, gate):
    answer = why_queue("mail")
    assert answer.verdict.startswith("Queue “mail” waits: the only thread is busy: report for ")
    assert codes(answer) == {"threads_busy"}
    (work,) = WorkSet()
    assert why_job(work.record).verdict.startswith("The job has run for ")
    waiting = why_job(Queue("mail").next)
    assert waiting.verdict.startswith("The job is the next one of queue “mail”: the only thread is busy: report for ")
    gate.set()
    wait_for(lambda: why_queue("mail").verdict == "Queue “mail” is empty.")


def test_why_a_queue_waits_that_is_paused_or_has_lost_its_worker(busy):
    Queue("mail").pause("ann", "provider is down")
    assert "paused by ann now: provider is down" in [point.text for point in why_queue("mail").points]
    busy.quiet()
    wait_for(lambda: "only_quiet" in codes(why_queue("default")))
    assert "default" in attention().sentence
    busy.stop(0)
    assert why_queue("default").verdict == "Queue “default” does not move: no worker runs."


def test_all_is_well_with_an_idle_worker(start, store):
    store.link.call("CONFIG", "SET", "appendonly", "yes")
    try:
        start({"mail": 1}, concurrency=3)
        wait_for(lambda: attention().sentence.startswith("All is well: 1 process with 3 threads, "))
    finally:
        store.link.call("CONFIG", "SET", "appendonly", "no")
