"""One job: what is read of it, and what can be done with it where it is."""

from datetime import UTC, datetime, timedelta

import pytest

from kiq_django import backtrace, clock, signals
from kiq_django.api import DeadSet, JobRecord, Queue, RetrySet, ScheduledSet
from kiq_django.exceptions import ConfigurationError, Kill, MalformedPayload, Unsupported
from tests.jobsapp import jobs

MALFORMED = [b"", b"[1]", b"null", b'{"class":1}', b"\xff\xfe", b'{"class":"A","jid":7,"args":[]}', b"NaN"]


def only(job_set):
    (job,) = job_set
    return job


def test_reads_every_field(put):
    put(
        "retry",
        30,
        queue="mail",
        args=[1, {"a": 2}],
        tags=["x"],
        retry_count=2,
        failed_at=100.5,
        retried_at=1_795_318_639_913,
        error_class="ValueError",
        error_message="no",
        error_backtrace=backtrace.encode(["a.py:1:in `f`", "b.py:2:in `g`"]),
        display_class="Pay",
        kwargs={"k": 1},
    )
    job = only(RetrySet())
    assert (job.name, job.display_name, job.queue, job.tags) == ("shop.jobs.pay", "Pay", "mail", ["x"])
    assert (job.args, job.kwargs, job.retry_count) == ([1, {"a": 2}], {"k": 1}, 2)
    assert (job.failed_at, job.retried_at) == (100.5, 1_795_318_639.913)
    assert (job.error_class, job.error_message) == ("ValueError", "no")
    assert job.backtrace == ["a.py:1:in `f`", "b.py:2:in `g`"]
    assert job.at == job.score == pytest.approx(clock.now() + 30, abs=5)
    assert job.error == ""


def test_latency_counts_from_the_queue_else_from_the_making(put, monkeypatch):
    put(enqueued_at=clock.now() - 10)
    assert Queue("default").next.latency == pytest.approx(10, abs=2)
    assert JobRecord(b'{"class":"A","jid":"1","args":[]}', "queue").latency == 0.0


@pytest.mark.parametrize("raw", MALFORMED)
def test_an_unreadable_job_is_shown_with_its_reason(raw):
    job = JobRecord(raw, "queue", queue="default")
    assert job.payload is None
    assert job.error
    assert job.raw == raw
    assert (job.jid, job.name, job.display_name, job.args, job.kwargs, job.tags) == ("", "", "", [], {}, [])
    assert (job.created_at, job.retry_count, job.backtrace, job.error_class) == (None, None, [], "")
    assert job.latency == 0.0
    assert "unreadable" in repr(job)


class TestWaiting:
    def test_delete(self, put):
        put()
        job = Queue("default").next
        assert job.delete() is True
        assert job.delete() is False
        assert Queue("default").size == 0

    def test_kill_keeps_the_payload_and_tells(self, put, in_set):
        payload = put()
        heard = []
        signals.job_dead.connect(lambda **event: heard.append(event), weak=False, dispatch_uid="test")
        try:
            job = Queue("default").next
            assert job.kill() is True
            assert job.kill() is False
        finally:
            signals.job_dead.disconnect(dispatch_uid="test")
        ((dead, score),) = in_set("dead")
        assert dead == payload
        assert score == pytest.approx(clock.now(), abs=5)
        (event,) = heard
        assert event["payload"] == payload
        assert isinstance(event["error"], Kill)

    def test_kill_of_a_declared_job_names_it_as_sender(self, put):
        put(name=jobs.record.name)
        heard = []
        signals.job_dead.connect(lambda sender, **_: heard.append(sender), weak=False, dispatch_uid="test")
        try:
            Queue("default").next.kill()
        finally:
            signals.job_dead.disconnect(dispatch_uid="test")
        assert heard == [jobs.record]

    def test_reschedule(self, put, in_set):
        put(queue="mail")
        when = datetime.now(UTC) + timedelta(hours=1)
        assert Queue("mail").next.reschedule(when) is True
        ((later, score),) = in_set("schedule")
        assert score == pytest.approx(when.timestamp(), abs=0.001)
        assert "enqueued_at" not in later.document
        assert later.queue == "mail"
        assert Queue("mail").size == 0

    def test_move(self, put, in_queue):
        put(queue="mail")
        job = Queue("mail").next
        assert job.move("slow") is True
        (moved,) = in_queue("slow")
        assert (moved.queue, moved.jid) == ("slow", job.jid)
        assert (Queue("mail").size, ScheduledSet().size) == (0, 0)
        assert "slow" in [queue.name for queue in Queue.all()]
        assert job.move("slow") is False
        assert Queue("slow").size == 1

    def test_moves_to_no_queue_of_a_bad_name(self, put):
        put()
        with pytest.raises(ConfigurationError, match="not a queue name"):
            Queue("default").next.move("no such name!")
        assert Queue("default").size == 1

    def test_actions_that_make_no_sense_say_so(self, put):
        put()
        job = Queue("default").next
        assert "retry" not in job.actions
        with pytest.raises(Unsupported, match="in a queue cannot be retried"):
            job.retry()
        with pytest.raises(Unsupported):
            job.add_to_queue()

    def test_an_unreadable_one_can_be_killed_and_deleted_only(self, store):
        store.link.call("LPUSH", store.keys.queue("default"), b"junk")
        job = Queue("default", store).next
        for refused in (lambda: job.move("mail"), lambda: job.reschedule(1.0)):
            with pytest.raises(MalformedPayload, match="cannot be read"):
                refused()
        assert job.kill() is True
        assert only(DeadSet()).delete() is True


class TestSorted:
    @pytest.mark.parametrize("place", ["retry", "dead"])
    def test_retry_gives_one_back(self, put, in_queue, place):
        put(place, 60, queue="mail", retry_count=3, failed_at=1.5, at=12.5)
        job = only({"retry": RetrySet, "dead": DeadSet}[place]())
        assert job.retry() is True
        (back,) = in_queue("mail")
        assert back.retry_count == 2
        assert back.enqueued_at == pytest.approx(clock.now(), abs=5)
        assert "at" not in back.document
        assert back.failed_at == 1.5
        assert job.retry() is False
        assert Queue("mail").size == 1

    def test_retry_of_the_first_failure_goes_below_zero_as_sidekiq_has_it(self, put, in_queue):
        put("retry", retry_count=0)
        only(RetrySet()).retry()
        assert in_queue()[0].retry_count == -1

    def test_add_to_queue_leaves_the_count(self, put, in_queue):
        put("retry", retry_count=3)
        assert only(RetrySet()).add_to_queue() is True
        assert in_queue()[0].retry_count == 3

    def test_a_scheduled_job_may_run_now(self, put, in_queue):
        put("schedule", 3600)
        assert only(ScheduledSet()).retry() is True
        assert in_queue()[0].retry_count is None

    def test_kill(self, put, in_set):
        payload = put("retry", 60)
        job = only(RetrySet())
        assert job.kill() is True
        assert [dead for dead, _ in in_set("dead")] == [payload]
        assert job.kill() is False
        assert DeadSet().size == 1

    def test_the_dead_cannot_be_killed(self, put):
        put("dead")
        job = only(DeadSet())
        assert "kill" not in job.actions
        with pytest.raises(Unsupported, match="dead cannot be killed"):
            job.kill()

    def test_reschedule_changes_the_time_alone(self, put, in_set):
        payload = put("schedule", 60)
        job = only(ScheduledSet())
        assert job.reschedule(2_000_000_000) is True
        assert in_set("schedule") == [(payload, 2_000_000_000.0)]
        job.delete()
        assert job.reschedule(1.0) is False
        assert ScheduledSet().size == 0

    def test_a_rescheduled_dead_job_is_a_retry(self, put, in_set):
        put("dead", retry_count=25)
        assert only(DeadSet()).reschedule(2_000_000_000) is True
        ((job, score),) = in_set("retry")
        assert (job.retry_count, score) == (24, 2_000_000_000.0)
        assert DeadSet().size == 0

    def test_move(self, put, in_set):
        put("retry", 60, queue="mail")
        job = only(RetrySet())
        assert job.move("slow") is True
        ((moved, score),) = in_set("retry")
        assert (moved.queue, score) == ("slow", job.score)

    def test_an_unreadable_one_has_nowhere_to_go(self, store):
        store.sets.add("dead", b"junk", 5.0)
        job = only(DeadSet())
        with pytest.raises(MalformedPayload, match="can be killed or deleted"):
            job.retry()
        assert job.delete() is True
