import threading

from kiq_django.context import RunningJob, current_job
from kiq_django.payload import Payload


def running(stop_flag=None, **fields) -> RunningJob:
    payload = Payload.new("shop.jobs.mail", [], {}, queue="mail", retry=True, now=1.0, **fields)
    return RunningJob(payload, "retries", None, stop_flag)


def test_outside_of_a_job():
    assert current_job() is None


def test_what_users_read():
    job = running(tags=["a"])
    assert (job.id, job.name, job.queue, job.tags) == (job.payload.jid, "shop.jobs.mail", "retries", ["a"])
    assert repr(job) == f"<RunningJob shop.jobs.mail {job.id}>"


def test_the_attempt_counts_from_one():
    assert running().attempt == 1
    assert running(retry_count=0).attempt == 2
    assert running(retry_count=4).attempt == 6
    assert running(retry_count=-1).attempt == 1  # Sidekiq Web's "Retry" takes one off


def test_interrupted_follows_the_flag_of_the_worker():
    flag = threading.Event()
    job = running(flag)
    assert not job.interrupted
    flag.set()
    assert job.interrupted
    assert not running().interrupted
