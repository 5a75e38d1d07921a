"""The sorted sets: pages, searches, and actions on all jobs while others act on them too."""

import threading

import pytest

from kiq_django import clock, signals
from kiq_django.api import Budget, DeadSet, RetrySet, ScheduledSet, find_job
from kiq_django.payload import Payload

SETS = {"schedule": ScheduledSet, "retry": RetrySet, "dead": DeadSet}


@pytest.mark.parametrize("name", SETS)
def test_reads(put, name):
    late, early = put(name, 60).jid, put(name, 30).jid
    job_set = SETS[name]()
    assert job_set.size == len(job_set) == 2
    assert [job.jid for job in job_set.page()] == [early, late]
    assert [job.jid for job in job_set.page(latest_first=True)] == [late, early]
    assert [job.jid for job in job_set.page(1, 5)] == [late]
    assert job_set.page(2, 5) == []
    assert {job.jid for job in job_set} == {early, late}
    assert {job.place for job in job_set} == {name}


def test_an_empty_set_is_a_set():
    assert RetrySet()
    assert (RetrySet().size, list(RetrySet()), RetrySet().clear(), RetrySet().retry_all()) == (0, [], 0, 0)


@pytest.mark.parametrize("number", [1, 129, 1_500])
def test_iterating_sees_all_even_while_all_are_deleted(put_many, number):
    made = put_many("retry", number)
    seen = {job.jid for job in RetrySet() if job.delete()}
    assert seen == {payload.jid for payload in made}
    assert RetrySet().size == 0


def test_find(put, put_many):
    put_many("dead", 1_000)
    wanted = put("dead", jid="f" * 24)
    assert DeadSet().find("f" * 24).payload == wanted
    assert DeadSet().find("e" * 24) is None
    put("retry", args=["e" * 24])
    assert RetrySet().find("e" * 24) is None


def test_find_ends_with_its_budget(put_many):
    put_many("dead", 5_000)
    budget = Budget(jobs=1_000)
    assert DeadSet().find("e" * 24, budget) is None
    assert budget.exhausted


def test_find_by_score(put):
    first = put("retry", 10)
    second = put("retry", 20)
    job = RetrySet().find(first.jid)
    assert [found.payload for found in RetrySet().find_by_score(job.score)] == [first]
    assert RetrySet().find_by_score(job.score, second.jid) == []
    assert RetrySet().find_by_score(1.0) == []


@pytest.mark.parametrize("text", ["*", "?", "[a]", "\\", "^", "a-z", "é", "50%", "\ud800"])
def test_scan_takes_every_text_literally(put, text):
    stored = "plain" if text == "\ud800" else text
    put("dead", name=f"shop.{stored}")
    put("dead", name="shop.other")
    found = [job.name for job in DeadSet().scan(text)]
    expected = [] if text == "\ud800" else [f"shop.{stored}"]
    assert found == expected


def test_scan_within_a_budget(put_many):
    put_many("dead", 5_000)
    budget = Budget(jobs=1_000)
    found = list(DeadSet().scan("shop", budget))
    assert budget.exhausted
    assert 0 < len(found) < 5_000


def test_delete_and_delete_all_and_clear(put):
    for name in ("a", "a", "b", "c"):
        put("dead", name=name)
    dead = DeadSet()
    assert dead.delete_all('"class":"a"') == 2
    job = next(iter(dead))
    assert dead.delete([job, job]) == 1
    assert dead.delete([job]) == 0
    assert dead.delete([]) == 0
    assert dead.clear() == 1
    assert dead.size == 0


def test_reschedule(put):
    put("schedule", 60)
    job = ScheduledSet().page()[0]
    assert ScheduledSet().reschedule(job, 2_000_000_000) is True
    assert ScheduledSet().page()[0].score == 2_000_000_000


@pytest.mark.parametrize("name", SETS)
def test_retry_all(put_many, in_queue, name):
    made = put_many(name, 350, retry_count=2)
    told = []
    assert SETS[name]().retry_all(progress=told.append) == 350
    assert {job.jid for job in in_queue()} == {payload.jid for payload in made}
    assert {job.retry_count for job in in_queue()} == {1}
    assert told[-1] == 350
    assert sorted(told) == told
    assert SETS[name]().size == 0


def test_retry_all_that_match(put, in_queue):
    wanted = put("dead", name="shop.pay")
    put("dead", name="shop.mail")
    assert DeadSet().retry_all("shop.pay") == 1
    assert [job.jid for job in in_queue()] == [wanted.jid]
    assert DeadSet().size == 1


def test_retry_all_leaves_what_it_cannot_read(store, put):
    put("dead")
    store.sets.add("dead", b"junk", 1.0)
    assert DeadSet().retry_all() == 1
    assert [job.raw for job in DeadSet()] == [b"junk"]


def test_retry_all_spread_over_a_time(put_many, in_set):
    put_many("dead", 200, retry_count=25)
    before = clock.now()
    assert DeadSet().retry_all(spread=600) == 200
    scores = [score for _, score in in_set("retry")]
    assert before <= min(scores) < before + 200
    assert before + 400 < max(scores) <= clock.now() + 600
    assert {job.retry_count for job, _ in in_set("retry")} == {24}
    assert DeadSet().size == 0


def test_spread_within_the_same_set_forgives_each_once(put_many, in_set):
    put_many("retry", 1_500, retry_count=5)
    assert RetrySet().retry_all(spread=60) == 1_500
    assert {job.retry_count for job, _ in in_set("retry")} == {4}
    assert len(in_set("retry")) == 1_500


def test_retry_all_ends_although_every_job_fails_at_once_again(store, put_many):
    put_many("retry", 600, retry_count=0)
    key = store.keys.queue("default")

    def fail_all(_done):
        while raw := store.link.call("RPOP", key):
            job = Payload.decode(raw)
            store.sets.add("retry", job.evolve(retry_count=job.retry_count + 1).encode(), clock.now() + 15)

    assert RetrySet().retry_all(progress=fail_all) == 600
    assert RetrySet().size == 600


def test_two_at_once_move_each_job_once(put_many, in_queue):
    made = put_many("dead", 1_500)
    counts = []
    threads = [threading.Thread(target=lambda: counts.append(DeadSet().retry_all())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(counts) == len(in_queue()) == 1_500
    assert {job.jid for job in in_queue()} == {payload.jid for payload in made}


def test_kill_all(put_many, in_set):
    made = put_many("retry", 250)
    heard = []
    signals.job_dead.connect(lambda payload, **_: heard.append(payload.jid), weak=False, dispatch_uid="test")
    try:
        assert RetrySet().kill_all() == 250
    finally:
        signals.job_dead.disconnect(dispatch_uid="test")
    assert {job.jid for job, _ in in_set("dead")} == set(heard) == {payload.jid for payload in made}
    assert RetrySet().size == 0


def test_kill_all_takes_the_unreadable_along(store, put):
    store.sets.add("schedule", b"\xff", 1.0)
    put("schedule", name="other")
    assert ScheduledSet().kill_all("other") == 1
    assert ScheduledSet().kill_all() == 1
    assert DeadSet().size == 2


class TestFindJob:
    @pytest.mark.parametrize("place", ["queue", "schedule", "retry", "dead"])
    def test_wherever_it_is(self, put, place):
        payload = put(place, 60)
        put()
        assert find_job(payload.jid).payload == payload
        assert find_job(payload.jid).place == place

    def test_running(self, put, beat, running):
        payload, work = running()
        beat(work={"t1": work})
        job = find_job(payload.jid)
        assert (job.place, job.queue) == ("running", "mail")
        assert job.actions == frozenset()

    def test_nowhere(self, put):
        put()
        budget = Budget()
        assert find_job("0" * 23 + "f", budget) is None
        assert not budget.exhausted

    def test_not_within_the_budget(self, put_many, put):
        put_many("dead", 3_000)
        put(jid="f" * 24)
        budget = Budget(jobs=600)
        assert find_job("e" * 24, budget) is None
        assert budget.exhausted
