"""Payloads whose name alone does not tell which job is meant, or that are not for us."""

import asyncio

import pytest

from kiq_django import execution, job, registry, routing
from kiq_django.exceptions import ForeignBatch, MalformedPayload, UnknownJob
from kiq_django.payload import Payload

WRAPPER = "Sidekiq::ActiveJob::Wrapper"


@pytest.fixture(autouse=True)
def _own_jobs(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", {})


def payload(name="Shop::Greet", arguments=(), **fields):
    wrapped = {"job_class": name, "arguments": list(arguments)}
    return Payload.new(WRAPPER, [wrapped], {}, queue="default", retry=True, now=1.5, wrapped=name, **fields)


def plain(**fields):
    return Payload.new("greet", [], {}, queue="default", retry=True, now=1.5, **fields)


def run(given):
    return execution.run(given, "default", housekeeping=False)


def test_a_wrapped_job_runs_under_its_declaration():
    @job(name="Shop::Greet", retry=3)
    def greet(who, *, loud=False):
        return who.upper() if loud else who

    outcome = run(payload(arguments=["eve", {"loud": True, "_aj_ruby2_keywords": ["loud"]}]))
    assert outcome.result == "EVE"
    assert (outcome.definition.name, outcome.definition.options.retry) == ("Shop::Greet", 3)
    assert outcome.definition.sender is greet


def test_a_wrapped_class_job():
    @job(name="Shop::Greet")
    class Greet:
        def perform(self, who):
            return who

    assert run(payload(arguments=["eve"])).result == "eve"


def test_a_wrapped_class_job_with_callbacks():
    seen = []

    @job(name="Shop::Greet")
    class Greet:
        def before_perform(self, who):
            seen.append(who)

        def perform(self, who):
            return who

    assert run(payload(arguments=["eve"])).result == "eve"
    assert seen == ["eve"]


async def test_a_wrapped_async_job():
    @job(name="Shop::Greet")
    async def greet(who):
        await asyncio.sleep(0)
        return who

    given = payload(arguments=["eve"])
    assert routing.wrapped(given).is_async
    assert (await execution.arun(given, "default")).result == "eve"


def test_the_running_job_has_the_name_of_its_declaration():
    from kiq_django import current_job

    @job(name="Shop::Greet")
    def greet():
        return current_job().name

    assert run(payload()).result == "Shop::Greet"


def test_the_chain_of_a_wrapped_job_is_built_once():
    @job(name="Shop::Greet")
    def greet():
        pass

    assert routing.wrapped(payload()) is routing.wrapped(payload())


def test_arguments_that_cannot_be_read_are_the_failure_of_the_job():
    @job(name="Shop::Greet")
    def greet(who):
        raise AssertionError

    assert isinstance(run(payload(arguments=[{"_aj_serialized": "X"}])).error, MalformedPayload)


def test_an_unknown_wrapped_job_is_called_by_its_own_name():
    @job(name="Shop::Greet")
    def greet():
        pass

    error = run(payload("Shop::Greed")).error
    assert isinstance(error, UnknownJob)
    assert "'Shop::Greed'. Did you mean 'Shop::Greet'?" in str(error)


def test_other_names_are_nobodys():
    assert routing.wrapped(plain()) is None


def test_a_job_of_a_batch_is_not_run():
    @job(name="greet")
    def greet():
        raise AssertionError

    outcome = run(plain(bid="b-1"))
    assert isinstance(outcome.error, ForeignBatch)
    assert "'b-1' (its field 'bid')" in str(outcome.error)
    assert outcome.definition.sender is greet


async def test_an_async_job_of_a_batch_is_not_run():
    @job(name="greet")
    async def greet():
        raise AssertionError

    assert isinstance((await execution.arun(plain(bid="b-1"), "default")).error, ForeignBatch)


def test_no_batch_is_no_reason():
    @job(name="greet")
    def greet():
        return 1

    assert run(plain(bid=None)).result == 1
