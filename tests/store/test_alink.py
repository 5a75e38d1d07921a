"""Redis from an event loop: errors in our words, a pool for each loop, nothing left behind."""

import asyncio
import gc

import pytest

from kiq_django import store as stores
from kiq_django.exceptions import StoreError, StoreRefused, StoreUnavailable
from tests import faults
from tests.conftest import server_programs

pytestmark = pytest.mark.strange_keys  # plain commands are tried on keys of no kind of ours


async def native(link):
    """The first call of a loop takes a thread."""
    await link.call("PING")
    assert await link.call("PING") in (b"PONG", "PONG", True)
    return link._clients[asyncio.get_running_loop()]


async def test_commands_and_scripts(store):
    link = store.alink
    assert await native(link) is not None
    assert await link.send([("SET", "a", 1), ("GET", "a")]) == [b"OK", b"1"]
    store.link.call("SCRIPT", "FLUSH")
    key = store.keys
    names = [key.queues(), key.queue("q"), key.job_set("schedule"), key.job("q", "1")]
    assert await link.script("enter", names, ["q", b"{}", 0, "", 60, 10]) == 1
    assert store.queues.page("q", 0, 9) == [b"{}"]


async def test_refusals(store):
    await native(store.alink)
    store.link.call("SET", "text", "x")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await store.alink.call("LPUSH", "text", 1)
    assert await store.alink.call("GET", "text") == b"x", "the connection is as good as before"


async def test_a_server_that_goes_away(settings):
    server = faults.Server(server_programs()[0]).start()
    settings.KIQ = {**settings.KIQ, "REDIS": server.url, "ADAPTER": "redis"}
    link = stores.get().alink
    await native(link)
    server.remove()
    with pytest.raises(StoreUnavailable):
        await link.call("PING")


async def test_a_full_server_refuses(own_server, settings):
    settings.KIQ = {**settings.KIQ, "REDIS": own_server.url, "ADAPTER": "redis"}
    link = stores.get().alink
    await native(link)
    stores.get().link.call("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreRefused, match="full"):
        await link.call("SET", "a", 1)


async def test_it_follows_an_address_to_the_new_master(pair, demote, address, settings):
    settings.KIQ = {**settings.KIQ, "REDIS": address.url, "ADAPTER": "redis"}
    link = stores.get().alink
    await native(link)
    await asyncio.gather(*(link.call("SET", "a", 1) for _ in range(3)))
    demote()
    address._upstream = pair[1].port
    with pytest.raises(StoreRefused):
        await link.call("SET", "a", 2)
    assert await asyncio.gather(*(link.call("SET", "a", 3) for _ in range(3))) == [b"OK"] * 3


async def test_who_is_cancelled_leaves_no_answer_to_the_next(store):
    link = store.alink
    await native(link)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(link.call("BLPOP", "nothing", 1), 0.05)
    assert await link.send([("GET", "none"), ("SET", "a", 1)]) == [None, b"OK"]


def test_each_loop_closes_its_own(store):
    """An open connection at the end of a loop would be a warning, which is an error here."""
    link = store.alink
    for _ in range(3):
        asyncio.run(native(link))
    gc.collect()
    assert len(link._clients) == 0


def test_sentinel_and_the_like_take_a_thread(store, monkeypatch):
    monkeypatch.setattr("kiq_django.store.alink.CLASSES", {})
    assert asyncio.run(native(store.alink)) is None
