import asyncio, threading, time, logging, os, sys, random
from collections import Counter
import pytest
from kiq_django import conf, signals, clock
from kiq_django import store as stores
from kiq_django.payload import Payload
from kiq_django.store import scripts
from kiq_django.store.queues import Entry
from kiq_django.store.working import Batch, Move
from kiq_django.worker import fetcher as fetchers
from kiq_django.worker.buffer import Buffer, Seat
from kiq_django.worker.config import CapsuleConfig, WorkerConfig
from kiq_django.worker.fetcher import Fetcher
from kiq_django.worker.reaper import Reaper
from tests.support import wait_for
from tests.worker.conftest import encoded
from tests import faults

def left(store):
    return (store.queues.sizes(["default"])["default"], sum(store.link.call("LLEN", k) for k in store.link.call("KEYS", "kiq:working:*")), store.sets.count("retry"), store.sets.count("dead"))

@pytest.mark.parametrize("slow", [0, 0.002])
def test_client_kill(start, declare, store, done, slow):
    def quick(n):
        if slow: time.sleep(slow)
        done.append(n)
    declare(quick)
    store.queues.push([Entry("default", encoded("quick", n)) for n in range(2000)])
    t = time.monotonic()
    l = start(concurrency=5)
    kills = 0
    while len(set(done)) < 2000 and time.monotonic() - t < 40:
        store.link.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"); kills += 1
        time.sleep(0.02)
    print("kills", kills, time.monotonic() - t, len(done), len(set(done)))
    wait_for(lambda: left(store) == (0,0,0,0), 10, what="left")
    assert sorted(set(done)) == list(range(2000))
    print("dups", len(done) - 2000, "stolen", l.managers[0].fetcher.settler.stolen, store.counters.totals())
    assert len(done) == 2000
    assert l.stop(5)
    assert l.managers[0].fetcher.settler.processed == 2000

@pytest.mark.parametrize("what", ["reserve", "settle", "BLMOVE", "EVALSHA", ""])
def test_lost_replies(start, declare, store, done, what, proxy):
    def quick(n): done.append(n)
    declare(quick)
    needle = scripts.load(what, True).sha.encode() if what in ("reserve", "settle") else what.encode()
    t = time.monotonic()
    l = start(concurrency=3)
    for i in range(40):
        proxy.drop_replies(1, to=needle)
        store.queues.push([Entry("default", encoded("quick", i * 5 + k)) for k in range(5)])
        wait_for(lambda: len(done) >= i * 5 + 5, 10, what=f"{i} {len(done)} {left(store)}")
    print("dropped", proxy.dropped, time.monotonic() - t)
    wait_for(lambda: left(store) == (0,0,0,0), 10, what="left")
    assert sorted(done) == list(range(200))
    print("stolen", l.managers[0].fetcher.settler.stolen)
    assert l.stop(5)
    assert l.managers[0].fetcher.settler.processed == 200

def test_restarts(start, declare, own_server, done):
    def quick(n):
        time.sleep(0.01); done.append(n)
    declare(quick)
    store = stores.get()
    store.queues.push([Entry("default", encoded("quick", n)) for n in range(1500)])
    s = Counter()
    from kiq_django.worker.launcher import Launcher
    l = Launcher(WorkerConfig(capsules=[CapsuleConfig(queues={"default":0}, concurrency=5)], heartbeat=0.2, lease=30, poll_interval=.2, shutdown_timeout=5), stores.get, lambda n: None)
    l.start()
    for _ in range(3):
        time.sleep(0.4)
        own_server.kill(); time.sleep(0.2); own_server.start(); t=time.monotonic()
        n = len(done); wait_for(lambda: len(done) > n + 10, 6); print("back after", time.monotonic()-t)
    own_server.freeze(); time.sleep(1); own_server.thaw()
    wait_for(lambda: len(set(done)) == 1500, 20)
    wait_for(lambda: left(store) == (0,0,0,0), 10, what="left")
    print("dups", len(done) - 1500, "stolen", l.managers[0].fetcher.settler.stolen)
    assert l.stop(5)

def test_blackhole(start, declare, store, done, proxy):
    def quick(n): done.append(n)
    declare(quick)
    l = start()
    wait_for(lambda: store.link.client.info("clients")["blocked_clients"])
    proxy.blackhole()
    store.queues.push([Entry("default", encoded("quick", 1))])
    time.sleep(3)
    proxy.heal(); t = time.monotonic()
    wait_for(lambda: done == [1], 20); print("after heal", time.monotonic() - t)
    # a hole that never heals for the connections that were there
    proxy.blackhole()
    old = list(proxy._pairs)
    store.queues.push([Entry("default", encoded("quick", 2))])
    time.sleep(1)
    for p in old: p.reset()
    proxy.heal(); t = time.monotonic()
    wait_for(lambda: sorted(done) == [1, 2], 20); print("after heal 2", time.monotonic() - t)
    # stop while blackholed
    proxy.blackhole()
    t = time.monotonic(); r = l.stop(0.5); print("stop took", time.monotonic() - t, r)

def test_flush_scripts(start, declare, store, done):
    def quick(n): done.append(n)
    declare(quick)
    store.queues.push([Entry("default", encoded("quick", n)) for n in range(3000)])
    l = start(concurrency=3)
    while len(done) < 3000:
        store.link.call("SCRIPT", "FLUSH"); time.sleep(0.005)
    wait_for(lambda: left(store) == (0,0,0,0), 10, what="left")
    assert sorted(done) == list(range(3000))
