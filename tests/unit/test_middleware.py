import threading

import pytest

from kiq_django.middleware import acompose, compose
from kiq_django.payload import Payload

PAYLOAD = Payload.new("a", [], {}, queue="default", retry=True, now=1.0)


class Log(list):
    def link(self, name):
        def plain(payload, proceed):
            self.append(f"{name} in")
            answer = proceed(payload.evolve(**{name: 1}))
            self.append(f"{name} out")
            return answer

        return plain

    def alink(self, name):
        async def link(payload, proceed):
            self.append(f"{name} in")
            answer = await proceed(payload.evolve(**{name: 1}))
            self.append(f"{name} out")
            return answer

        return link


class Both:
    """A link for both kinds of jobs."""

    def __init__(self, log):
        self.log = log

    def __call__(self, payload, proceed):
        self.log.append("call")
        return proceed(payload)

    async def acall(self, payload, proceed):
        self.log.append("acall")
        return await proceed(payload)


def endpoint(payload):
    return sorted(payload.document.keys() & {"a", "b", "c"}), threading.get_ident()


async def aendpoint(payload):
    return sorted(payload.document.keys() & {"a", "b", "c"}), threading.get_ident()


def test_no_links_cost_nothing():
    assert compose([], endpoint) is endpoint
    assert acompose([], aendpoint) is aendpoint


def test_the_first_is_outermost_and_may_change_the_payload():
    log = Log()
    assert compose([log.link("a"), log.link("b")], endpoint)(PAYLOAD)[0] == ["a", "b"]
    assert log == ["a in", "b in", "b out", "a out"]


def test_a_link_may_veto():
    assert compose([lambda payload, proceed: None], endpoint)(PAYLOAD) is None


def test_a_coroutine_link_around_a_plain_job_leaves_it_in_its_thread():
    log = Log()
    keys, thread = compose([log.link("a"), log.alink("b"), log.link("c")], endpoint)(PAYLOAD)
    assert (keys, thread) == (["a", "b", "c"], threading.get_ident())
    assert log == ["a in", "b in", "c in", "c out", "b out", "a out"]


async def test_links_of_both_kinds_around_an_async_job():
    log = Log()
    chain = acompose([log.link("a"), log.alink("b"), log.link("c")], aendpoint)
    keys, thread = await chain(PAYLOAD)
    assert (keys, thread) == (["a", "b", "c"], threading.get_ident())
    assert log == ["a in", "b in", "c in", "c out", "b out", "a out"]


async def test_errors_pass_through_links_of_both_kinds():
    async def fails(payload):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await acompose([Log().link("a"), Log().alink("b"), Log().link("c")], fails)(PAYLOAD)


async def test_an_object_with_both_shapes():
    log = []
    compose([Both(log)], endpoint)(PAYLOAD)
    await acompose([Both(log)], aendpoint)(PAYLOAD)
    assert log == ["call", "acall"]
