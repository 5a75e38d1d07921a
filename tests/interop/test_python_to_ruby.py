"""Our client pushes, a Ruby worker runs."""

import base64
import json
import zlib

import pytest

from kiq_django import clock, jids, job, registry
from kiq_django.api import DeadSet, ProcessSet, Queue, RetrySet, ScheduledSet, Stats, WorkSet
from tests.acceptance.process import effects
from tests.support import wait_for

pytestmark = pytest.mark.acceptance

MANY = 10_000


@pytest.fixture
def declare(monkeypatch):
    """Declare a job of Ruby's, so that our client can push it; the body is Ruby's."""
    monkeypatch.setattr(registry, "_jobs", {})

    def declared(name, **options):
        @job(name=name, queue="ruby", **options)
        def stub(*args, **kwargs):
            raise AssertionError("Ruby runs it")

        return stub

    return declared


def test_every_way_out(declare, ruby_worker, store, tmp_path):
    hard = declare("HardWorker")
    hard.enqueue(1, "é", None)
    hard.enqueue_in(0.5, 2)
    hard.enqueue_all([(3,), (4,)])
    hard.using(tags=["a"], retry=3).enqueue(5, ignored="by Ruby")
    ruby_worker("-q", "ruby", "-c", "2").ready()
    expected = {"ruby 1 é ", "ruby 2", "ruby 3", "ruby 4", "ruby 5"}
    wait_for(lambda: set(effects(tmp_path)) == expected, 20)
    assert max(effects(tmp_path).values()) == 1


def test_failures_of_ruby_as_we_see_them(declare, ruby, ruby_worker, tmp_path):
    handle = declare("FailingWorker", backtrace=5, tags=["x"], retry=1).enqueue(7)
    worker = ruby_worker("-q", "ruby", "-c", "1").ready()
    found = wait_for(lambda: RetrySet().find(handle.id))
    assert (found.error_class, found.error_message, found.retry_count) == ("ArgumentError", "number 7", 0)
    assert (found.tags, found.queue) == (["x"], "ruby")
    assert len(found.backtrace) == 5
    assert "worker.rb" in found.backtrace[0]
    assert abs(found.failed_at - clock.now()) < 5
    found.retry()
    again = wait_for(lambda: RetrySet().find(handle.id))
    assert (again.retry_count, again.retried_at >= again.failed_at) == (0, True)
    assert effects(tmp_path) == {"ruby failed 7": 2}
    assert again.kill()
    [shown] = ruby("dump")["dead"]
    assert shown["jid"] == handle.id
    worker.stop()
    assert (Stats().processed, Stats().failed) == (2, 2)


def test_a_ruby_process_as_we_see_it(declare, ruby_worker, tmp_path):
    declare("SlowWorker").enqueue(60)
    worker = ruby_worker("-q", "ruby,2", "-q", "other,1", "-c", "3", "-g", "shop").ready()
    [process] = wait_for(lambda: [each for each in ProcessSet() if each.busy and each.work], 20)
    [work] = WorkSet()
    assert (process.tag, process.concurrency, process.busy, process.is_quiet) == ("shop", 3, 1, False)
    assert (set(process.queues), process.pid) == ({"ruby", "other"}, worker.process.pid)
    assert (work.queue, work.record.name, work.record.args) == ("ruby", "SlowWorker", [60])
    assert clock.now() - 30 < work.run_at <= clock.now()
    process.stop()
    assert worker.process.wait(20) == 0
    assert Queue("ruby").next.name == "SlowWorker"
    assert effects(tmp_path) == {"ruby began": 1}


def test_ten_thousand_of_ours(declare, ruby_worker, store, tmp_path):
    hard = declare("HardWorker")
    worker = ruby_worker("-q", "ruby", "-c", "10").ready()
    found = hard.enqueue_all((number,) for number in range(MANY))
    assert len(set(found)) == MANY
    wait_for(lambda: Queue("ruby").size == 0 and effects(tmp_path).total() >= MANY, 25)
    assert worker.stop() == 0
    assert effects(tmp_path) == {f"ruby {number}": 1 for number in range(MANY)}
    assert (Stats().processed, Stats().failed) == (MANY, 0)


def test_the_poller_of_ruby_moves_what_we_scheduled(declare, ruby_worker, store, tmp_path):
    """It pushes our jobs through its own client: fields of ours survive, and `at` stands nowhere."""
    hard = declare("HardWorker", tags=["t"])
    handle = hard.enqueue_in(0.3, 1, word="w")
    [raw] = [scheduled.raw for scheduled in ScheduledSet()]
    assert {"at", "enqueued_at"}.isdisjoint(json.loads(raw))
    ruby_worker("-q", "elsewhere", "-c", "1").ready()
    moved = wait_for(lambda: Queue("ruby").find(handle.id), 20)
    assert (moved.args, moved.kwargs, moved.tags) == ([1], {"word": "w"}, ["t"])
    assert abs(moved.enqueued_at - clock.now()) < 5


def test_a_backtrace_with_line_breaks_is_read(store):
    """Sidekiq up to 7.2.0 breaks the base64 text every 60 characters."""
    lines = [f"/srv/app/worker.rb:{number}:in `perform'" for number in range(40)]
    packed = base64.encodebytes(zlib.compress(json.dumps(lines).encode())).decode()
    assert packed.count("\n") > 1
    document = {"class": "A", "args": [], "jid": jids.new_jid(), "queue": "q", "error_backtrace": packed}
    store.sets.add("dead", json.dumps(document).encode(), 1.5)
    assert next(iter(DeadSet())).backtrace == lines
