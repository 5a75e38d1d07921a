"""What is known of a job that has failed, while workers run it and after."""

import pytest

from kiq_django import clock
from kiq_django.api import FailureGroups, RetrySet, history, locate
from kiq_django.exceptions import Discard, Kill
from kiq_django.options import RetryOn
from kiq_django.store import scripts
from tests.support import wait_for

AT_ONCE = {"retry_on": RetryOn(ValueError, wait=0, attempts=4)}


@pytest.fixture
def failing(declare):
    """A job that fails so many times and then succeeds."""

    def declared(times, error=ValueError, **options):
        left = [times]

        def pay(number):
            if left[0]:
                left[0] -= 1
                raise error(f"gateway {number} said no")

        declare(pay, **{**AT_ONCE, **options})

    return declared


def known(jid, place):
    """The history of a job, once it says that the job is there."""
    return wait_for(lambda: (found := history(jid)) and found.place == place and found, what=f"{jid} in {place}")


def test_a_job_that_fails_three_times_and_then_succeeds(failing, push, start):
    failing(3)
    before = clock.now()
    launcher = start()
    push("pay", 7, jid="j")
    found = known("j", "done")
    assert [attempt.number for attempt in found.attempts] == [1, 2, 3]
    assert found.failures == 3
    assert found.left_out == 0
    for attempt in found.attempts:
        assert attempt.worker == launcher.config.identity
        assert (attempt.error_class, attempt.message) == ("ValueError", "gateway 7 said no")
        assert attempt.frame.startswith("tests/worker/test_attempts.py:")
        assert attempt.frame.endswith("in failing.<locals>.declared.<locals>.pay")
        assert attempt.backtrace[0].endswith("pay`")
        assert before <= attempt.started_at <= clock.now()
        assert 0 <= attempt.seconds < 10
    assert found.is_over
    assert found.attempts[-1].ended_at <= found.finished_at <= clock.now()
    assert (found.name, found.queue, found.worker) == ("pay", "default", launcher.config.identity)
    assert found.seconds < 10
    assert locate(found) is None


def test_a_job_that_never_fails_is_not_remembered(declare, push, start, done, store):
    declare(done.append, name="note")
    push("note", 1, jid="j")
    launcher = start()
    wait_for(lambda: launcher.managers[0].fetcher.settler.processed == 1)
    assert history("j") is None
    assert store.link.call("KEYS", "kiq:job:*") == []


def test_while_it_waits_for_its_retry(failing, push, start):
    failing(1, retry_on=())
    push("pay", 7, jid="j")
    start()
    found = known("j", "retry")
    assert (found.is_over, found.finished_at, found.seconds, found.worker) == (False, None, None, "")
    job = locate(found)
    assert (job.jid, job.at) == ("j", found.score)
    assert job.frame == found.attempts[0].frame
    assert found.written_at < found.score
    job.delete()
    assert locate(found) is None


def test_a_retry_by_hand_makes_the_place_old(failing, push, start):
    failing(1, retry_on=())
    push("pay", 7, jid="j")
    start()
    found = known("j", "retry")
    assert locate(found).retry()
    assert locate(found) is None
    assert [attempt.number for attempt in known("j", "done").attempts] == [1]


def test_dead(failing, push, start):
    failing(9)
    push("pay", 7, jid="j")
    start()
    found = known("j", "dead")
    assert [attempt.number for attempt in found.attempts] == [1, 2, 3, 4]
    assert locate(found).jid == "j"
    assert not found.is_over


@pytest.mark.parametrize(
    ("error", "options", "place"),
    [
        (Discard, {}, "discarded"),
        (KeyError, {"discard_on": [KeyError]}, "discarded"),
        (KeyError, {"retry": False}, "dropped"),
        (KeyError, {"retry": 0, "dead": False}, "dropped"),
        (Kill, {}, "dead"),
    ],
)
def test_other_ends(failing, push, start, store, error, options, place):
    failing(1, error, **options)
    push("pay", 7, jid="j", **{name: value for name, value in options.items() if name in ("retry", "dead")})
    start()
    found = known("j", place)
    assert found.is_over is (place != "dead")
    if found.is_over:
        assert found.finished_at == found.attempts[0].ended_at
        assert found.worker == found.attempts[0].worker
        assert store.sets.count("dead") == store.sets.count("retry") == 0


def test_a_job_that_failed_in_ruby_before(failing, push, start):
    failing(1, retry_on=RetryOn(ValueError, wait=0, attempts=9))
    ruby = {"retry_count": 2, "failed_at": 1.5, "retried_at": 2.5, "error_class": "RuntimeError", "error_message": "x"}
    push("pay", 7, jid="j", **ruby)
    start()
    found = known("j", "done")
    assert [attempt.number for attempt in found.attempts] == [4]
    assert (found.failures, found.left_out) == (4, 3)


@pytest.mark.parametrize("jid", ["", "x" * 2000, "a b\n{}*"])
def test_odd_ids_keep_no_job_from_its_end(failing, push, start, store, jid):
    failing(1, retry_on=())
    push("pay", 7, jid=jid)
    start()
    wait_for(lambda: store.sets.count("retry") == 1)
    assert (history(jid) is None) is (not 0 < len(jid) <= 128)


def test_answers_of_settles_that_are_lost(failing, push, start, store, proxy):
    failing(3)
    sha = scripts.load("settle", store.link.info().supports_shebang).sha.encode()
    launcher = start()
    for number in range(1, 4):
        proxy.drop_replies(1, to=sha)
        if number == 1:
            push("pay", 7, jid="j")
        wait_for(lambda number=number: proxy.dropped == number)
    found = known("j", "done")
    assert [attempt.number for attempt in found.attempts] == [1, 2, 3]
    assert launcher.managers[0].fetcher.settler.stolen == 0


def test_a_worker_that_dies_leaves_no_attempt(failing, push, start, store):
    """Nobody knows how such a run went. What failed before stays known, once."""
    failing(2)
    push("pay", 7, jid="j", retry_count=0, failed_at=1.5)
    store.working.register("dead:1:a", ["default"], 30)
    assert len(store.working.turn([], "dead:1:a", ["default"], 1).taken) == 1
    store.working.register("dead:1:a", ["default"], 0)
    start()
    found = known("j", "done")
    assert [attempt.number for attempt in found.attempts] == [2, 3]


def test_a_run_that_was_taken_back_is_not_remembered(start, declare, push, store, gate):
    declare(lambda number: gate.wait() and 1 / 0, name="stay", retry=5)
    launcher = start(heartbeat=0.05, concurrency=1)
    push("stay", 1, jid="j")
    settler = launcher.managers[0].fetcher.settler
    wait_for(lambda: any(store.working.held(owner, ["default"]) for owner in store.working.owners("default")))
    wait_for(lambda: not store.link.client.info("clients")["blocked_clients"])
    [old] = store.working.owners("default")
    store.queues.pause("default", {})
    assert launcher.reaper.reap("default", old, force=True) == 1
    gate.set()
    wait_for(lambda: settler.stolen == 1)
    assert history("j") is None
    store.queues.resume("default")
    assert [attempt.number for attempt in known("j", "retry").attempts] == [1]


def test_failures_of_one_place_are_one_group(failing, push, start, store):
    failing(99, retry_on=())
    for number in range(5):
        push("pay", number)
    start()
    wait_for(lambda: store.sets.count("retry") == 5)
    [group] = FailureGroups("retry").count().groups
    assert (group.count, group.pattern) == (5, "gateway # said no")
    assert {job.fingerprint for job in RetrySet()} == {group.fingerprint}


def test_without_history(failing, push, start, settings, store):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"history_seconds": 0}}
    failing(2)
    push("pay", 7, jid="j")
    launcher = start()
    wait_for(lambda: launcher.managers[0].fetcher.settler.processed == 3)
    assert history("j") is None


def test_async_jobs(declare, push, start):
    async def fetch(number):
        raise ConnectionError("nobody there")

    declare(fetch)
    push("fetch", 1, jid="j")
    start()
    [attempt] = known("j", "retry").attempts
    assert attempt.frame.startswith("tests/worker/test_attempts.py:")
