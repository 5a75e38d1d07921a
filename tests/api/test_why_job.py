"""Why does this job not run, or not end?"""

import json

import pytest

from kiq_django import clock, conf
from kiq_django.api import DeadSet, Queue, RetrySet, ScheduledSet, WorkSet
from kiq_django.api.why import why_job
from kiq_django.store import Store, connections, glance
from tests.support import round_trips

JOB = "tests.jobsapp.jobs.invoice"


def points(answer):
    return {point.code: point for point in answer.points}


class TestInAQueue:
    def test_behind_others(self, put, beat):
        beat()
        jobs = [put(queue="mail", name=JOB) for _ in range(4)]
        verdicts = [why_job(Queue("mail").find(job.jid)).verdict for job in jobs]
        assert verdicts == [
            "The job is the next one of queue “mail”.",
            "The job waits in queue “mail”, behind 1 other.",
            "The job waits in queue “mail”, behind 2 others.",
            "The job waits in queue “mail”, behind 3 others.",
        ]

    def test_with_what_keeps_the_queue(self, put):
        put(queue="mail", name=JOB)
        job = put(queue="mail", name=JOB)
        answer = why_job(Queue("mail").find(job.jid))
        assert answer.verdict == "The job waits in queue “mail”, behind 1 other: no worker runs."
        assert answer.level == "error"
        assert {"in_queue", "no_workers", "not_paused", "redis_writable"} <= set(points(answer))

    def test_it_was_taken_meanwhile(self, put):
        job = put(queue="mail", name=JOB)
        record = Queue("mail").find(job.jid)
        record.delete()
        answer = why_job(record)
        assert answer.verdict == ("The job is no longer in queue “mail”: a worker took it, or somebody deleted it.")
        assert (answer.level, [point.code for point in answer.points]) == ("ok", ["gone"])

    def test_far_behind(self, put, put_many, monkeypatch):
        monkeypatch.setattr(glance, "FARTHEST", 100)
        monkeypatch.setattr("kiq_django.api.job_points.FARTHEST", 100)
        put_many("queue", 150)
        job = put(name=JOB)
        answer = why_job(Queue("default").find(job.jid))
        assert answer.verdict.startswith("The job waits in queue “default”, behind more than 100 others: ")

    def test_six_round_trips(self, put, beat):
        beat()
        record = Queue("mail").find(put(queue="mail", name=JOB).jid)
        with round_trips() as sent:
            why_job(record)
        assert len(sent) == 6


class TestScheduled:
    def test_for_later(self, put, beat):
        beat()
        put("schedule", 5 * 3600 + 60)
        answer = why_job(ScheduledSet().page()[0])
        assert answer.verdict.startswith("The job is scheduled for ")
        assert answer.verdict.endswith(" (in 5 h).")
        assert str(clock.now())[:2] not in answer.verdict
        assert answer.level == "ok"

    def test_nobody_would_move_it(self, put):
        put("schedule", 3600 * 5)
        answer = why_job(ScheduledSet().page()[0])
        assert answer.verdict.endswith(": no worker runs that would move it to its queue when its time comes.")
        assert points(answer)["nobody_promotes"].command == "manage.py runworker -q default"

    def test_a_quiet_worker_moves_nothing(self, put, beat):
        beat(quiet="true")
        put("schedule", 3600 * 5)
        assert "nobody_promotes" in points(why_job(ScheduledSet().page()[0]))

    def test_overdue_without_a_worker(self, put):
        put("schedule", -250)
        answer = why_job(ScheduledSet().page()[0])
        assert answer.verdict.endswith(
            " (4 min ago): it is overdue by 4 min 10 s: no worker runs that would move it to its queue."
        )
        assert answer.level == "error"

    def test_overdue_although_workers_run(self, put, beat):
        beat()
        put("schedule", -250)
        answer = why_job(ScheduledSet().page()[0])
        assert answer.verdict.endswith(": it is overdue by 4 min 10 s although workers run.")
        assert answer.level == "warn"

    def test_just_due(self, put, beat):
        beat()
        put("schedule", -3)
        assert why_job(ScheduledSet().page()[0]).level == "ok"

    def test_at_a_time_that_no_calendar_knows(self, store, put, beat):
        beat()
        put("schedule", 1e18)
        assert why_job(ScheduledSet().page()[0]).verdict.startswith("The job is scheduled for a time beyond the ")

    def test_never(self, store, put, beat):
        beat()
        store.sets.add("schedule", put().encode(), float("inf"))
        verdict = "The job is scheduled for a time beyond the calendar (in 11,574,074 d)."
        assert why_job(ScheduledSet().page()[0]).verdict == verdict

    def test_five_round_trips(self, put, beat):
        beat()
        put("schedule", 60)
        (record,) = ScheduledSet().page()
        with round_trips() as sent:
            why_job(record)
        assert len(sent) == 5


class TestRetrying:
    def retry(self, put, **fields):
        put("retry", 372, retry_count=2, error_class="CardTimeout", error_message="gateway timed out", **fields)
        return why_job(RetrySet().page()[0])

    def test_which_of_how_many_and_why(self, put, beat):
        beat()
        answer = self.retry(put)
        assert answer.verdict.startswith("The job waits for retry 3 of 25, ")
        assert answer.verdict.endswith(" (in 6 min): CardTimeout: gateway timed out.")
        assert (answer.level, points(answer)["last_error"].links) == ("warn", (("class", "shop.jobs.pay"),))

    @pytest.mark.parametrize(("given", "most"), [(7, "3 of 7"), (False, "3 of 25"), (None, "3 of 5")])
    def test_as_its_payload_or_its_declaration_says(self, store, beat, given, most):
        beat()
        document = {"class": JOB, "jid": "a", "args": [], "queue": "mail", "retry_count": 2}
        if given is not None:
            document["retry"] = given
        store.sets.add("retry", json.dumps(document).encode(), clock.now() + 60)
        assert f"retry {most}, " in why_job(RetrySet().page()[0]).verdict

    def test_as_the_settings_say(self, put, beat, settings):
        settings.KIQ = {**settings.KIQ, "DEFAULTS": {"retry": 9}}
        beat()
        assert "retry 3 of 9, " in self.retry(put).verdict

    def test_for_a_time_instead_of_a_number(self, put, beat):
        beat()
        assert "waits for retry 3, " in self.retry(put, retry_for=3600).verdict

    def test_a_retry_by_hand_took_one_off(self, put, beat):
        beat()
        put("retry", 60, retry_count=-1)
        assert "retry 1 of 25" in why_job(RetrySet().page()[0]).verdict


class TestDead:
    def test_since_when_and_why(self, put):
        put("dead", -3 * 86_400, jid="0f", error_class="ValueError", error_message="x" * 500, retry_count=25)
        answer = why_job(DeadSet().page()[0])
        assert answer.verdict.startswith("The job is dead since ")
        assert " (3 d ago): ValueError: xxx" in answer.verdict
        assert answer.verdict.endswith("….")
        assert points(answer)["dead"].command == "manage.py kiq retry 0f"
        assert answer.level == "error"

    def test_it_cannot_be_read(self, store):
        store.sets.add("dead", b"{", clock.now() - 60)
        answer = why_job(DeadSet().page()[0])
        assert ": it cannot be read: " in answer.verdict
        assert points(answer)["dead"].command == ""

    def test_it_costs_nothing(self, put):
        put("dead")
        (record,) = DeadSet().page()
        with round_trips() as sent:
            why_job(record)
        assert sent == []


class TestRunning:
    def test_since_when_and_where(self, beat, running):
        payload, entry = running()
        beat("web-1:77:aa", work={"t": entry})
        answer = why_job(WorkSet().find(payload.jid).record)
        assert answer.verdict.startswith("The job has run for ")
        assert answer.verdict.endswith(" s on web-1:77.")
        assert points(answer)["running"].links == (("process", "web-1:77:aa"), ("running", "mail"))
        assert answer.level == "ok"

    def test_longer_than_usual(self, beat, running):
        payload, entry = running(run_at=int(clock.now()) - 182)
        beat(work={"t": entry})
        answer = why_job(WorkSet().find(payload.jid).record, usual={"shop.jobs.pay": 20})
        assert answer.verdict.endswith(": that is longer than usual: 95 of 100 end within 20 s.")
        assert answer.level == "warn"

    def test_as_long_as_usual(self, beat, running):
        payload, entry = running()
        beat(work={"t": entry})
        assert why_job(WorkSet().find(payload.jid).record, usual={"shop.jobs.pay": 20}).level == "ok"

    def test_on_a_process_that_is_unresponsive(self, beat, running, silent):
        payload, entry = running()
        beat("web-1:77:aa", work={"t": entry})
        silent("web-1:77:aa", 40)
        answer = why_job(WorkSet().find(payload.jid).record)
        assert answer.verdict.endswith(": its process is unresponsive: last heard of 40 s ago.")
        assert answer.level == "error"

    def test_it_has_ended(self, beat, running):
        payload, entry = running()
        beat(work={"t": entry})
        record = WorkSet().find(payload.jid).record
        beat()
        assert why_job(record).verdict == (
            "The job ran when it was last heard of; it has ended since, or its process is gone."
        )


class TestNowhere:
    def test_nobody_knows_it(self):
        answer = why_job(None)
        assert answer.verdict == (
            "Nobody knows this job: it has ended, was deleted, or its transaction has not been committed yet."
        )
        assert (answer.level, answer.points) == ("ok", ())

    def test_redis_is_away(self, put):
        record = Queue("default").find(put().jid)
        away = Store(connections.target("redis://127.0.0.1:1/0"), "", conf.get().limits)
        assert why_job(record, away).verdict == "Redis cannot be reached."
