"""Jobs that are of no use when they come too late."""

from datetime import timedelta

import pytest
from django.utils import timezone

from kiq_django import Expired, clock, execution, retry
from kiq_django.exceptions import ConfigurationError
from kiq_django.options import JobOptions
from kiq_django.payload import Payload
from kiq_django.testing import drain, enqueued, travel
from tests.jobsapp import jobs


def test_in_time_it_runs(done):
    jobs.record.using(expires_in=60).enqueue(1)
    with travel(timedelta(seconds=50)):
        drain()
    assert done == [1]


def test_too_late_it_is_discarded(done):
    jobs.record.using(expires_in=60).enqueue(1)
    jobs.sync.using(expires_at=timezone.now() + timedelta(seconds=60)).enqueue(2)
    with travel(timedelta(seconds=70)):
        outcomes = drain()
    assert done == []
    assert [type(outcome.error) for outcome in outcomes] == [Expired, Expired]
    assert "It was to begin 10." in str(outcomes[0].error)


def test_the_time_counts_from_when_it_is_to_run():
    now = clock.now()
    jobs.record.using(expires_in=60).enqueue_at(now + 3600, 1)
    jobs.record.using(expires_in=60, at=now + 3600).enqueue(1)
    jobs.record.using(expires_in=60).enqueue_all([(1,)], at=now + 3600)
    jobs.record.using(expires_at=now + 10).enqueue(1)
    jobs.record.using(expires_at=now + 10).using(expires_in=3660).enqueue(1)
    assert [round(each.expires_at - now) for each in enqueued()] == [3660, 3660, 3660, 10, 3660]


def test_others_have_no_such_field():
    jobs.record.enqueue(1)
    assert "expires_at" not in enqueued()[0].document


def test_what_a_worker_makes_of_it(monkeypatch):
    payload = Payload.new(jobs.record.name, [1], {}, queue="default", retry=True, now=1.0, expires_at=2.0)
    outcome = execution.run(payload, "default")
    decision = retry.decide(payload, outcome.error, JobOptions(), queue="default", now=3.0, chance=lambda: 0.5)
    assert (decision.verdict, decision.reason) == ("discard", "it had expired")


@pytest.mark.parametrize("value", [None, "soon", True, [1]])
def test_a_field_that_is_no_time_is_no_expiry(value, done):
    payload = Payload.new(jobs.record.name, [1], {}, queue="default", retry=True, now=1.0, expires_at=value)
    assert execution.run(payload, "default").error is None
    assert done == [1]


def test_what_is_no_duration():
    with pytest.raises(ConfigurationError, match="expires_in"):
        jobs.record.using(expires_in=0)
    with pytest.raises(TypeError, match="not a datetime"):
        jobs.record.using(expires_at="soon")
