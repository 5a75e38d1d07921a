"""The real Sidekiq::Web on our data: each page, and each button followed by our worker doing the right thing."""

import html
import re
import time

import pytest

from kiq_django.api import DeadSet, ProcessSet, Queue, RetrySet, ScheduledSet, Stats
from tests.acceptance.process import effects
from tests.support import wait_for

pytestmark = pytest.mark.acceptance

FAR = 1000


@pytest.fixture
def visit(ruby):
    """Get a page, or post a form; answers the body of a page that must be good."""

    def visited(path, **fields):
        status = 302 if fields else 200
        [page] = ruby("web", [[path, fields] if fields else [path]])
        assert page["status"] == status, f"{path}: {page}"
        return html.unescape(page["body"])

    return visited


@pytest.fixture
def failed(push):
    """A job that has failed in our worker, and is in the retry set."""

    def pushed(number=1, **fields):
        job = push("MoodyWorker", number, **fields)
        return wait_for(lambda: RetrySet().find(job.jid))

    return pushed


def key_of(page, place, jid):
    """The name by which a page calls an entry: its score as Ruby writes it, and its jid."""
    return re.search(rf"{place}/([\d.]+-{jid})", page)[1]


def test_every_page_shows_our_values(visit, our_worker, push, failed, tmp_path):
    our_worker("-g", "shopfront").ready()
    retried = failed(11, tags=["billing"])
    dead = failed(12)
    dead.kill()
    later = push("HardWorker", 13, "später", at=time.time() + FAR)
    push("HardWorker", 14, queue="elsewhere")
    unbegun = push("HardWorker", 16, queue="elsewhere")
    Queue("elsewhere").find(unbegun.jid).kill()
    running = push("PatientWorker", 15)
    wait_for(lambda: [process for process in ProcessSet() if process.work])
    wait_for(lambda: Stats().processed == 2)

    home = visit("/")
    assert re.search(r"Busy.*Enqueued.*Retries.*Scheduled.*Dead", home, re.DOTALL)
    assert "elsewhere" in visit("/queues")
    assert "HardWorker" in visit("/queues/elsewhere")
    [process] = ProcessSet()
    busy = visit("/busy")
    assert process.identity in busy
    assert all(text in busy for text in ("shopfront", "PatientWorker", running.jid, "default"))
    retries = visit("/retries")
    assert all(text in retries for text in ("MoodyWorker", "billing", "ValueError", "number 11 é <b>"))
    entry = visit(f"/retries/{key_of(retries, 'retries', retried.jid)}")
    assert all(text in entry for text in (retried.jid, "moody_worker", "tests/interop/jobs.py"))
    scheduled = visit("/scheduled")
    assert '13, "später"' in scheduled
    assert later.jid in visit(f"/scheduled/{key_of(scheduled, 'scheduled', later.jid)}")
    morgue = visit("/morgue")
    assert "number 12" in morgue
    assert unbegun.jid in visit(f"/morgue/{key_of(morgue, 'morgue', unbegun.jid)}")
    assert "moody_worker" in visit(f"/morgue/{key_of(morgue, 'morgue', dead.jid)}")


def test_stats_for_monitoring(ruby, our_worker, push, failed):
    our_worker().ready()
    failed()
    push("HardWorker", 1, queue="elsewhere")
    wait_for(lambda: Stats().processed == 1)
    stats, queues, old, polled = ruby("web", [["/stats"], ["/stats/queues"], ["/queues/none"], ["/?days=90"]])
    assert [page["status"] for page in (stats, queues, old, polled)] == [200] * 4
    assert '"processed":1' in stats["body"]
    assert '"failed":1' in stats["body"]
    assert '"retries":1' in stats["body"]
    assert '"elsewhere":1' in queues["body"]


def test_a_form_without_token_changes_nothing(ruby, push):
    push("HardWorker", 1)
    [page] = ruby("web", [["/queues/default", {"forged": True}]])
    assert page["status"] == 403
    assert Queue("default").size == 1


def test_retry_one(visit, our_worker, failed, store, tmp_path):
    process = our_worker().ready()
    job = failed()
    key = key_of(visit("/retries"), "retries", job.jid)
    process.kill()
    visit(f"/retries/{key}", retry="Retry")
    assert (Queue("default").next.jid, Queue("default").next.retry_count) == (job.jid, -1)
    our_worker().ready()
    again = wait_for(lambda: RetrySet().find(job.jid))
    assert again.retry_count == 0
    page = visit("/retries")
    visit(f"/retries/{key_of(page, 'retries', job.jid)}")
    (tmp_path / "mended").touch()
    visit("/retries", key=[key_of(page, "retries", job.jid)], retry="Retry Now")
    wait_for(lambda: effects(tmp_path) == {"failed 1": 2, "mended 1": 1})


def test_kill_and_delete_retries(visit, our_worker, failed):
    our_worker().ready()
    jobs = [failed(number) for number in range(4)]
    page = visit("/retries")
    keys = [key_of(page, "retries", job.jid) for job in jobs]
    visit(f"/retries/{keys[0]}", kill="Kill")
    visit("/retries", key=[keys[1]], kill="Kill")
    visit(f"/retries/{keys[2]}", delete="Delete")
    visit("/retries", key=[keys[3]], delete="Delete")
    assert RetrySet().size == 0
    assert {job.raw for job in DeadSet()} == {jobs[0].raw, jobs[1].raw}


def test_all_retries_at_once(visit, our_worker, failed, tmp_path):
    our_worker().ready()
    failed(1)
    visit("/retries/all/kill", kill="Kill All")
    assert (RetrySet().size, DeadSet().size) == (0, 1)
    failed(2)
    visit("/retries/all/delete", delete="Delete All")
    assert (RetrySet().size, DeadSet().size) == (0, 1)
    failed(3), failed(4)
    (tmp_path / "mended").touch()
    visit("/retries/all/retry", retry="Retry All")
    wait_for(lambda: effects(tmp_path)["mended 3"] == effects(tmp_path)["mended 4"] == 1)
    assert RetrySet().size == 0


def test_the_dead(visit, our_worker, failed, tmp_path):
    our_worker().ready()
    jobs = [failed(number) for number in range(4)]
    for job in jobs:
        job.kill()
    page = visit("/morgue")
    keys = [key_of(page, "morgue", job.jid) for job in jobs]
    (tmp_path / "mended").touch()
    visit(f"/morgue/{keys[0]}", delete="Delete")
    visit(f"/morgue/{keys[1]}", retry="Retry")
    visit("/morgue", key=[keys[2]], retry="Retry Now")
    wait_for(lambda: effects(tmp_path)["mended 1"] == effects(tmp_path)["mended 2"] == 1)
    assert [job.jid for job in DeadSet()] == [jobs[3].jid]
    visit("/morgue/all/retry", retry="Retry All")
    wait_for(lambda: effects(tmp_path)["mended 3"])
    assert DeadSet().size == 0


def test_delete_all_dead(visit, our_worker, failed):
    our_worker().ready()
    failed().kill()
    visit("/morgue/all/delete", delete="Delete All")
    assert DeadSet().size == 0


def test_scheduled(visit, our_worker, push, tmp_path):
    our_worker().ready()
    jobs = [push("HardWorker", number, at=time.time() + FAR + number) for number in range(4)]
    page = visit("/scheduled")
    keys = [key_of(page, "scheduled", job.jid) for job in jobs]
    visit(f"/scheduled/{keys[0]}", add_to_queue="Add")
    visit("/scheduled", key=[keys[1]], add_to_queue="Add to queue")
    visit(f"/scheduled/{keys[2]}", delete="Delete")
    visit("/scheduled", key=[keys[3]], delete="Delete")
    wait_for(lambda: effects(tmp_path) == {"python 0": 1, "python 1": 1})
    assert ScheduledSet().size == 0


def test_queues(visit, push, our_worker, tmp_path):
    gone, kept = push("HardWorker", 1, "é <&> \u2028", [{"a": None}]), push("HardWorker", 2)
    visit("/queues/default/delete", key_val=gone.encode().decode())
    assert [job.jid for job in Queue("default").page()] == [kept.jid]
    push("HardWorker", 3, queue="elsewhere")
    visit("/queues/elsewhere", delete="Delete")
    assert {queue.name for queue in Queue.all()} == {"default"}
    our_worker("-q", "elsewhere").ready()
    push("HardWorker", 4, queue="elsewhere")
    wait_for(lambda: effects(tmp_path) == {"python 2": 1, "python 4": 1})


def test_quiet_and_stop_one(visit, our_worker, push, tmp_path):
    process = our_worker().ready()
    push("PatientWorker", 1)
    [found] = wait_for(lambda: [each for each in ProcessSet() if each.work])
    assert found.identity in visit("/busy")
    visit("/busy", identity=found.identity, quiet="Quiet")
    wait_for(lambda: ProcessSet().find(found.identity).is_quiet)
    assert "quiet" in visit("/busy")
    push("HardWorker", 2)
    visit("/busy", identity=found.identity, stop="Stop")
    assert process.wait() == 0
    assert effects(tmp_path) == {"began 1": 1, "ended 1": 1}


def test_quiet_and_stop_all(visit, our_worker):
    processes = [our_worker().ready() for _ in range(2)]
    wait_for(lambda: ProcessSet().size == 2)
    visit("/busy", quiet="1")
    wait_for(lambda: all(process.is_quiet for process in ProcessSet()))
    visit("/busy", stop="1")
    assert [process.wait() for process in processes] == [0, 0]
    assert ProcessSet().size == 0
