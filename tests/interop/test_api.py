"""Sidekiq's API on our data: what it shows, and what it does."""

import signal
import time

import pytest

from kiq_django.api import DeadSet, ProcessSet, Queue, RetrySet, ScheduledSet, Stats
from tests.acceptance.process import effects
from tests.support import wait_for

pytestmark = pytest.mark.acceptance


def failing(push, **fields):
    """A job that has failed in our worker, and is in the retry set."""
    job = push("MoodyWorker", 1, **fields)
    return wait_for(lambda: RetrySet().find(job.jid))


def test_it_shows_what_we_show(ruby, our_worker, push, store, tmp_path):
    process = our_worker("-g", "shop").ready()
    retried = failing(push, tags=["a", "b"])
    killed = failing(push)
    killed.retry()
    killed = wait_for(lambda: RetrySet().find(killed.jid))
    killed.kill()
    later = push("HardWorker", 2, at=time.time() + 1000)
    waiting = push("HardWorker", 3, "é", queue="elsewhere")
    running = push("PatientWorker", 9)
    wait_for(lambda: [process for process in ProcessSet() if process.work])
    wait_for(lambda: Stats().processed == 3)

    shown = ruby("dump")
    stats = Stats()
    assert shown["stats"]["processed"] == stats.processed == 3
    assert shown["stats"]["failed"] == stats.failed == 3
    assert {name: shown["stats"][name] for name in ("enqueued", "scheduled", "retry", "dead", "processes")} == {
        "enqueued": 1,
        "scheduled": 1,
        "retry": 1,
        "dead": 1,
        "processes": 1,
    }
    assert next(iter(shown["history"]["processed"].values())) == 3
    assert next(iter(shown["history"]["failed"].values())) == 3

    [first] = shown["retry"]
    assert (first["jid"], first["tags"], first["error"], first["queue"]) == (retried.jid, ["a", "b"], True, "default")
    assert first["item"]["error_message"] == "number 1 é <b>"
    assert first["item"]["failed_at"] == retried.failed_at
    assert first["backtrace"] == retried.backtrace
    assert "moody_worker" in first["backtrace"][0]
    [dead] = shown["dead"]
    assert (dead["jid"], dead["item"]["retry_count"]) == (killed.jid, 0)
    [scheduled] = shown["scheduled"]
    assert (scheduled["jid"], scheduled["args"]) == (later.jid, [2])
    assert scheduled["at"] == pytest.approx(next(iter(ScheduledSet())).score, abs=1e-5)
    [queued] = shown["queues"]["elsewhere"]["jobs"]
    assert (queued["jid"], queued["args"]) == (waiting.jid, [3, "é"])
    assert 0 <= shown["queues"]["elsewhere"]["latency"] < 30

    [seen] = shown["processes"]
    [ours] = ProcessSet()
    assert (seen["identity"], seen["tag"], seen["concurrency"]) == (ours.identity, "shop", 3)
    assert (seen["queues"], seen["busy"], seen["quiet"], seen["pid"]) == (["default"], 1, "false", process.process.pid)
    assert seen["started_at"] == ours.started_at
    [[identity, _, work]] = shown["work"]
    assert (identity, work["queue"], work["payload"]["jid"]) == (ours.identity, "default", running.jid)
    assert isinstance(work["run_at"], int)
    process.send(signal.SIGTERM)
    process.wait()
    assert ruby("dump")["processes"] == []


def test_retry_leaves_a_count_of_minus_one_that_we_understand(ruby, our_worker, push, store, tmp_path):
    process = our_worker().ready()
    job = failing(push)
    process.kill()
    ruby("act", [["retry", "retry", job.jid]])
    assert Queue("default").next.retry_count == -1

    our_worker().ready()
    again = wait_for(lambda: RetrySet().find(job.jid))
    assert (again.retry_count, again.failed_at) == (0, job.failed_at)
    assert again.retried_at > job.failed_at
    (tmp_path / "mended").touch()
    ruby("act", [["retry", "retry", job.jid]])
    wait_for(lambda: effects(tmp_path) == {"failed 1": 2, "mended 1": 1})


def test_kill_and_bring_back_from_the_dead(ruby, our_worker, push, tmp_path):
    our_worker().ready()
    job = failing(push)
    ruby("act", [["retry", "kill", job.jid]])
    assert (RetrySet().size, DeadSet().find(job.jid).raw) == (0, job.raw)
    (tmp_path / "mended").touch()
    ruby("act", [["dead", "retry", job.jid]])
    wait_for(lambda: effects(tmp_path)["mended 1"])
    assert DeadSet().size == 0


def test_delete_everywhere(ruby, push, store):
    waiting, later = push("HardWorker", 1), push("HardWorker", 2, "é\u2028\x01", at=time.time() + 100)
    dead = push("HardWorker", 3)
    Queue("default").find(dead.jid).kill()
    steps = [
        ["queue", "delete", "default", waiting.jid],
        ["schedule", "delete", later.jid],
        ["dead", "delete", dead.jid],
    ]
    ruby("act", steps)
    assert (Queue("default").size, ScheduledSet().size, DeadSet().size) == (0, 0, 0)


def test_add_to_queue_and_reschedule(ruby, our_worker, push, tmp_path):
    our_worker().ready()
    now, later = push("HardWorker", 1, at=time.time() + 1000), push("HardWorker", 2, 1.5, "é", at=time.time() + 1000)
    due = time.time() + 1
    ruby("act", [["schedule", "add_to_queue", now.jid], ["schedule", "reschedule", later.jid, due]])
    assert ScheduledSet().size <= 1  # one that is not found byte by byte would stand there twice
    wait_for(lambda: effects(tmp_path) == {"python 1": 1, "python 2 1.5 é": 1})
    assert time.time() >= due


def test_reschedule_a_retry(ruby, our_worker, push, tmp_path):
    our_worker().ready()
    job = failing(push, tags=["x"])
    (tmp_path / "mended").touch()
    ruby("act", [["retry", "reschedule", job.jid, time.time() + 0.3]])
    wait_for(lambda: effects(tmp_path)["mended 1"])
    assert RetrySet().size == 0


def test_retry_all_and_clear(ruby, our_worker, push, tmp_path):
    process = our_worker().ready()
    for _ in range(3):
        failing(push)
    (tmp_path / "mended").touch()
    ruby("act", [["retry", "retry_all"]])
    wait_for(lambda: effects(tmp_path)["mended 1"] == 3)
    push("HardWorker", 1, queue="elsewhere")
    ruby("act", [["queue", "clear", "elsewhere"]])
    assert Queue("elsewhere").size == 0
    assert "elsewhere" not in {queue.name for queue in Queue.all()}
    push("HardWorker", 5)
    wait_for(lambda: effects(tmp_path)["python 5"])
    assert process.process.poll() is None


def test_kill_all(ruby, our_worker, push):
    our_worker().ready()
    jids = {failing(push).jid for _ in range(2)}
    ruby("act", [["retry", "kill_all"]])
    assert {job.jid for job in DeadSet()} == jids
    assert RetrySet().size == 0


def test_quiet_and_stop(ruby, our_worker, push, tmp_path):
    process = our_worker().ready()
    push("PatientWorker", 1)
    wait_for(lambda: [each for each in ProcessSet() if each.work])
    ruby("act", [["processes", "quiet!"]])
    wait_for(lambda: [each for each in ProcessSet() if each.is_quiet])
    push("HardWorker", 2)
    assert ruby("dump")["processes"][0]["stopping"] is True
    ruby("act", [["processes", "stop!"]])
    assert process.wait() == 0
    assert effects(tmp_path) == {"began 1": 1, "ended 1": 1}
    assert Queue("default").size == 1


def test_dump_threads(ruby, our_worker):
    process = our_worker().ready()
    wait_for(lambda: list(ProcessSet()))
    ruby("act", [["processes", "dump_threads"]])
    wait_for(lambda: "kiq-fetcher" in process.output)
    assert process.process.poll() is None
