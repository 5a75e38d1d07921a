"""Queues: figures, pages and walks over lists that move, pause, clear, move."""

import pytest

from kiq_django import clock
from kiq_django.api import Budget, Queue
from kiq_django.exceptions import ConfigurationError


def test_figures(put):
    put(enqueued_at=clock.now() - 7)
    put()
    queue = Queue("default")
    assert queue.size == 2
    assert queue.latency == pytest.approx(7, abs=2)
    assert queue.next.latency == queue.latency or abs(queue.next.latency - queue.latency) < 1
    assert (Queue("empty").size, Queue("empty").latency, Queue("empty").next) == (0, 0.0, None)


def test_all_knows_pushed_and_paused_queues(put):
    put(queue="mail")
    put(queue="default")
    Queue("idle").pause()
    assert [queue.name for queue in Queue.all()] == ["default", "idle", "mail"]
    assert [(each.name, each.size, each.paused) for each in Queue.summaries()] == [
        ("default", 1, False),
        ("idle", 0, True),
        ("mail", 1, False),
    ]


def test_pause_and_resume():
    queue = Queue("mail")
    assert queue.resume() is False
    queue.pause(by="ann", reason="provider is down")
    assert queue.paused
    note = queue.summary().pause_note
    assert (note["by"], note["reason"]) == ("ann", "provider is down")
    assert note["at"] == pytest.approx(clock.now(), abs=5)
    assert queue.resume() is True
    assert not queue.paused
    assert queue.summary().pause_note == {}


def test_a_pause_of_another_program_has_no_note(store):
    store.link.call("SADD", store.keys.paused("mail"), "mail")
    assert Queue("mail").summary().paused
    assert Queue("mail").summary().pause_note == {}


def test_pages_in_the_order_of_running_or_the_other_way(put):
    jids = [put().jid for _ in range(5)]
    queue = Queue("default")
    assert [job.jid for job in queue.page(0, 2)] == jids[:2]
    assert [job.jid for job in queue.page(3, 10)] == jids[3:]
    assert queue.page(5, 10) == []
    assert [job.jid for job in queue.page(0, 2, newest_first=True)] == jids[:2:-1]


@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 350])
def test_iterates_over_all(put_many, number):
    made = put_many("queue", number)
    assert [job.jid for job in Queue("default")] == [payload.jid for payload in reversed(made)]


def test_iterating_while_every_job_is_deleted_misses_none(put_many):
    put_many("queue", 350)
    queue = Queue("default")
    assert sum(job.delete() for job in queue) == 350
    assert queue.size == 0


def test_iterating_while_some_are_deleted_misses_none(put_many):
    made = put_many("queue", 500)
    seen = []
    for number, job in enumerate(Queue("default")):
        seen.append(job.jid)
        if number % 3:
            job.delete()
    assert sorted(seen) == sorted(payload.jid for payload in made)


def test_iterating_while_others_push_and_fetch_sees_each_once(store, put, put_many):
    made = put_many("queue", 450)
    seen = []
    for number, job in enumerate(Queue("default")):
        seen.append(job.jid)
        if number % 3 == 0:
            put()
        if number % 5 == 0:
            store.link.call("RPOP", store.keys.queue("default"))
    fetched = {payload.jid for payload in made[:90]}
    assert len(seen) == len(set(seen))
    assert set(seen) >= {payload.jid for payload in made} - fetched


def test_a_queue_that_is_pushed_to_faster_than_it_is_read_has_an_end(put_many):
    put_many("queue", 200)
    for number, _ in enumerate(Queue("default")):
        if number % 50 == 0:
            put_many("queue", 200)
    assert number < 5_000


def test_find(put, put_many):
    put_many("queue", 250)
    wanted = put(jid="f" * 24)
    put_many("queue", 250)
    assert Queue("default").find("f" * 24).payload == wanted
    assert Queue("default").find("e" * 24) is None


def test_find_looks_at_the_id_not_at_the_text(put):
    put(args=["a" * 24])
    assert Queue("default").find("a" * 24) is None


def test_find_ends_with_its_budget(put, put_many):
    put(jid="f" * 24)
    put_many("queue", 1_200)
    budget = Budget(jobs=600)
    assert Queue("default").find("f" * 24, budget) is None
    assert budget.exhausted
    complete = Budget()
    assert Queue("default").find("e" * 24, complete) is None
    assert not complete.exhausted


def test_delete_job(put):
    jid = put().jid
    assert Queue("default").delete_job(jid) is True
    assert Queue("default").delete_job(jid) is False


def test_clear(put):
    put()
    put()
    assert Queue("default").clear() == 2
    assert Queue.all() == []
    assert Queue("default").clear() == 0


def test_move_all_keeps_the_order(put_many, in_queue):
    made = put_many("queue", 1_200)
    told = []
    assert Queue("default").move_all("slow", told.append) == 1_200
    assert [payload.jid for payload in in_queue("slow")] == [payload.jid for payload in made]
    assert told == [500, 1_000, 1_200]
    assert Queue("default").size == 0
    assert Queue("default").move_all("slow") == 0


def test_a_job_that_was_moved_with_its_queue_stays_in_the_new_one_when_it_is_killed(put, in_set):
    put(queue="mail")
    Queue("mail").move_all("slow")
    Queue("slow").next.kill()
    assert in_set("dead")[0][0].queue == "slow"


@pytest.mark.parametrize("name", ["no such name!", "default"])
def test_moves_nowhere_else_than_to_another_queue(put, name):
    put()
    with pytest.raises(ConfigurationError):
        Queue("default").move_all(name)
    assert Queue("default").size == 1


def test_unreadable_jobs_are_in_pages_and_figures(store):
    store.link.call("LPUSH", store.keys.queue("default"), b"\xff", b"[]")
    queue = Queue("default")
    assert [job.payload for job in queue.page()] == [None, None]
    assert len(list(queue)) == 2
    assert queue.latency == 0.0
