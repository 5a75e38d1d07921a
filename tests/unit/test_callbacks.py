"""Methods of class jobs around enqueueing and running."""

import asyncio

import pytest
from django.contrib.auth.models import Group

from kiq_django import Discard, conf, job, registry
from kiq_django.exceptions import ConfigurationError
from kiq_django.testing import drain, enqueued

seen: list = []


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    seen.clear()
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))


class Told:
    """Says what it is called for."""

    def before_enqueue(self, number):
        seen.append(f"before enqueue {number}")

    def around_enqueue(self, number):
        seen.append("around enqueue")
        yield
        seen.append(f"enqueued {len(enqueued())}")

    def after_enqueue(self, number):
        seen.append("after enqueue")

    def before_perform(self, number):
        self.factor = 2

    def around_perform(self, number):
        seen.append("around perform")
        try:
            yield
        finally:
            seen.append("around perform ends")

    def after_perform(self, number):
        seen.append("after perform")


class Plain(Told):
    def perform(self, number):
        seen.append(f"perform {number * self.factor}")
        if number < 0:
            raise ValueError(number)
        return number


class Async(Told):
    async def before_perform(self, number):
        self.factor = 3

    async def around_perform(self, number):
        seen.append("async around")
        yield
        seen.append("async around ends")

    async def perform(self, number):
        seen.append(f"perform {number * self.factor}")
        return number


ENQUEUE = ["before enqueue 1", "around enqueue", "enqueued 1", "after enqueue"]


def test_in_their_order():
    assert job(Plain).enqueue(1)
    drain()
    assert seen == [*ENQUEUE, "around perform", "perform 2", "around perform ends", "after perform"]


@pytest.mark.parametrize("enqueue", [lambda made: made.enqueue(1), lambda made: asyncio.run(made.aenqueue(1))])
def test_of_async_jobs(enqueue):
    assert enqueue(job(Async))
    drain()
    assert seen == [*ENQUEUE, "async around", "perform 3", "async around ends", "after perform"]


@pytest.mark.django_db(transaction=True)
def test_they_may_ask_the_database_also_of_aenqueue():
    class Asking(Told):
        def before_enqueue(self, number):
            Group.objects.create(name=number)

        def after_enqueue(self, number):
            seen.append(Group.objects.get().name)

        def perform(self, number): ...

    assert asyncio.run(job(Asking, name="asking").aenqueue("1"))
    assert seen[-1] == "1"


def test_a_failure_ends_what_is_around_and_nothing_comes_after():
    job(Plain).enqueue(-1)
    seen.clear()
    with pytest.raises(ValueError, match="-1"):
        drain()
    assert seen == ["around perform", "perform -2", "around perform ends"]


@pytest.mark.parametrize("name", ["before_enqueue", "around_enqueue"])
def test_a_discard_before_is_a_veto(monkeypatch, name):
    def stop(self, number):
        raise Discard
        yield

    class Stopped(Plain):
        pass

    setattr(Stopped, name, stop if name.startswith("around") else lambda self, number: next(stop(self, number)))
    assert not job(name="stopped")(Stopped).enqueue(1)
    assert enqueued() == []
    assert "after enqueue" not in seen


def test_a_discard_after_does_not_lie(monkeypatch):
    class Late(Plain):
        def after_enqueue(self, number):
            raise Discard

    assert job(name="late")(Late).enqueue(1)
    assert len(enqueued()) == 1


def test_a_veto_of_a_link_is_no_enqueueing(settings):
    settings.KIQ = {**settings.KIQ, "MIDDLEWARE": {"client": ["tests.unit.test_callbacks.veto"]}}
    conf.reset()
    assert not job(Plain).enqueue(1)
    assert seen == ["before enqueue 1", "around enqueue"]


def veto(payload, proceed):
    return None


def test_a_plain_call_is_a_plain_call():
    class Simple(Told):
        def perform(self, number):
            return number

    assert job(name="simple")(Simple)(4) == 4
    assert seen == []
    assert job(name="simple2")(type("Other", (Simple,), {})).perform_now(4) == 4
    assert seen == ["around perform", "around perform ends", "after perform"]


def test_bulk_calls_none_of_enqueue():
    job(Plain).enqueue_all([(1,), (2,)])
    assert seen == []


async def coroutine(self):
    pass


def generator(self):
    yield


async def agenerator(self):
    yield


@pytest.mark.parametrize(
    ("name", "method", "is_async"),
    [
        ("before_enqueue", coroutine, True),
        ("around_enqueue", coroutine, True),
        ("around_enqueue", lambda self: None, False),
        ("before_perform", coroutine, False),
        ("before_perform", generator, False),
        ("around_perform", agenerator, False),
        ("around_perform", coroutine, True),
        ("after_perform", 5, False),
    ],
)
def test_what_could_not_be_called_is_refused_where_it_is_declared(name, method, is_async):
    perform = coroutine if is_async else (lambda self: None)
    with pytest.raises(ConfigurationError, match="must be"):
        job(type("Wrong", (), {"perform": perform, name: method, "__module__": __name__}))
