import contextlib
import sys
import threading
import time

import pytest

from kiq_django import deadline, execution, job, registry
from kiq_django.deadline import limit
from kiq_django.exceptions import JobTimeout
from kiq_django.payload import Payload


def spin(seconds=10.0):
    """Run Python code for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_a_block_that_takes_too_long():
    with pytest.raises(JobTimeout, match="too long"), limit(0.02, "too long"):
        spin()


def test_a_block_in_time():
    with limit(60, "too long"):
        spin(0.001)
    assert not any(deadline._watchdog._stacks.values())


def test_the_shorter_limit_strikes_first_wherever_it_stands():
    with pytest.raises(JobTimeout, match="inner"), limit(60, "outer"), limit(0.02, "inner"):
        spin()
    with pytest.raises(JobTimeout, match="outer"), limit(0.02, "outer"), limit(60, "inner"):
        spin()


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), limit(60, "too long"):
        1 / 0  # noqa: B018


def test_threads_have_limits_of_their_own():
    errors = []

    def work(seconds):
        try:
            with limit(seconds, str(seconds)):
                spin(0.2)
        except JobTimeout as error:
            errors.append(str(error))

    threads = [threading.Thread(target=work, args=(seconds,)) for seconds in (0.02, 60, 0.05)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(errors) == ["0.02", "0.05"]


def test_it_never_strikes_outside_of_the_block():
    """Blocks that end just when their time does: the error comes inside, or not at all."""
    struck = 0
    for _ in range(300):
        try:
            with limit(0.001, "too long"):
                spin(0.001)
        except JobTimeout:
            struck += 1
    spin(0.01)
    assert 0 <= struck <= 300
    assert not any(deadline._watchdog._stacks.values())


def test_nested_blocks_that_end_just_when_their_time_does():
    for _ in range(200):
        with contextlib.suppress(JobTimeout), limit(0.001, "outer"):
            with contextlib.suppress(JobTimeout), limit(0.0005, "inner"):
                spin(0.0005)
            with contextlib.suppress(JobTimeout), limit(60, "inner"):
                spin(0.0004)
    spin(0.01)
    assert not any(deadline._watchdog._stacks.values())


def test_threads_can_be_profiled_afterwards():
    """The interpreter does not go on looking for an exception: with that, a thread that is traced never gets on."""
    with pytest.raises(JobTimeout), limit(0.01, "too long"):
        spin()

    def run():
        sys.setprofile(lambda *told: None)
        spin(0)
        sys.setprofile(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()


def test_a_plain_job_has_time(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))

    @job(name="spins", timeout=0.02)
    def spins():
        spin()

    payload = Payload.new("spins", [], {}, queue="default", retry=True, now=1.0)
    outcome = execution.run(payload, "default", housekeeping=False)
    assert isinstance(outcome.error, JobTimeout)
    assert str(outcome.error) == "spins ran longer than its timeout of 0.02 s"


def test_the_settings_give_time_to_all(monkeypatch, settings):
    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))
    settings.KIQ = {**settings.KIQ, "DEFAULTS": {"timeout": 0.02}}

    @job(name="spins")
    def spins():
        spin()

    with pytest.raises(JobTimeout):
        spins.perform_now()
