"""Blocked fetches: one thread waits on several queues, and ends the waiting without losing what came in."""

import contextlib
import selectors
import threading
import time

import pytest
import redis

from kiq_django import sections
from kiq_django.exceptions import StoreError, StoreRefused, StoreUnavailable
from kiq_django.store import connections, waiters
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link
from kiq_django.store.waiters import Waiters
from kiq_django.store.working import Working
from tests import faults
from tests.store.servers import bare
from tests.support import wait_for

QUEUES = ["first", "second"]


class Waiting:
    """Waiters and the selector that they join."""

    def __init__(self, waiters):
        self.waiters = waiters
        self.selector = selectors.DefaultSelector()

    def arm(self, owner="me", queues=QUEUES):
        self.waiters.arm(owner, queues, self.selector)

    def ready(self, seconds=5):
        """Queues whose waiters have an answer."""
        return sorted(key.data for key, _ in self.selector.select(seconds))

    def receive(self, queue):
        arrival = self.waiters.receive(queue, self.selector)
        return arrival and arrival.payload

    def is_admitted(self, queue):
        """Whether the next job of this queue, for which it waits, may begin without another question."""
        assert self.ready() == [queue]
        return self.waiters.receive(queue, self.selector).admitted

    def cancel(self):
        return self.waiters.cancel(self.selector)

    def close(self):
        self.waiters.close(self.selector)

    @property
    def watched(self):
        return len(self.selector.get_map())


@pytest.fixture
def waiting_over():
    """Begin to wait over some link; ends with the test."""
    opened = []

    def begun(link):
        opened.append(Waiting(Waiters(link, lambda queue: Keys(), Working(link, Keys(), sections.Limits()).admission)))
        return opened[-1]

    yield begun
    for each in opened:
        each.close()
        each.selector.close()


@pytest.fixture
def idle(store, waiting_over):
    return waiting_over(store.link)


def blocked(store):
    return store.link.client.info("clients")["blocked_clients"]


# --- receiving ---


def test_the_first_job_wakes_and_lies_on_the_working_list(store, idle, push):
    idle.arm()
    [raw] = push("a", queue="second")
    assert idle.ready() == ["second"]
    assert idle.receive("second") == raw
    assert store.working.held("me", QUEUES) == [("second", raw)]
    assert (len(idle.waiters), idle.watched) == (1, 2)


def test_arming_again_waits_once_more_on_what_has_answered(store, idle, push):
    idle.arm()
    push("a", queue="second")
    idle.ready()
    idle.receive("second")
    idle.arm()
    idle.arm()
    assert (len(idle.waiters), idle.watched) == (2, 2)
    wait_for(lambda: blocked(store) == 2)
    [raw] = push("b", queue="second")
    assert idle.ready() == ["second"]
    assert idle.receive("second") == raw


def test_a_job_that_waits_already_comes_at_once(idle, push):
    a, _ = push("a", "b", queue="first")
    idle.arm()
    assert idle.ready() == ["first"]
    assert idle.receive("first") == a


def test_bytes_arrive_as_they_are(store, idle):
    raw = bytes(range(256))
    idle.arm()
    store.link.call("LPUSH", store.keys.queue("first"), raw)
    idle.ready()
    assert idle.receive("first") == raw


# --- what the server says behind a job that came in ---


@pytest.fixture
def registered(store):
    store.working.register("me", QUEUES, 60)


def test_a_job_of_an_open_queue_may_begin(idle, push, registered):
    idle.arm()
    push("a", queue="second")
    assert idle.is_admitted("second")


def test_the_answer_is_that_of_the_moment_at_which_the_job_came(store, idle, push, registered):
    idle.arm()
    wait_for(lambda: blocked(store) == 2)
    store.queues.pause("second", {})
    push("a", queue="second")
    assert not idle.is_admitted("second")
    store.queues.resume("second")
    idle.arm()
    push("b", queue="second")
    assert idle.is_admitted("second")


def test_an_owner_that_was_taken_for_dead_may_begin_nothing(store, idle, push, registered):
    idle.arm()
    store.working.reclaim("second", "me", [], force=True)
    push("a", queue="second")
    assert not idle.is_admitted("second")


def test_a_server_that_refuses_to_tell_says_no(store, idle, push, registered):
    idle.arm()
    store.link.call("DEL", store.keys.paused("second"))
    store.link.call("SET", store.keys.paused("second"), "of somebody else")
    push("a", queue="second")
    assert not idle.is_admitted("second")
    store.link.call("DEL", store.keys.paused("second"))
    idle.arm()
    push("b", queue="second")
    assert idle.is_admitted("second")


def test_the_server_gives_up_by_itself(idle, monkeypatch):
    monkeypatch.setattr(waiters, "BLOCK_SECONDS", 0.05)
    idle.arm(queues=["first"])
    assert idle.ready() == ["first"]
    assert idle.receive("first") is None
    assert len(idle.waiters) == 0


def test_waiting_takes_less_time_than_the_socket_allows():
    assert connections.TIMEOUTS["fetch"] > waiters.BLOCK_SECONDS + 3


# --- ending ---


def test_nothing_pending_is_nothing_to_end(idle):
    assert idle.cancel() == []


def test_what_was_waited_for_in_vain(store, idle):
    idle.arm()
    wait_for(lambda: blocked(store) == 2)
    assert idle.cancel() == []
    assert (len(idle.waiters), blocked(store)) == (0, 0)


def test_what_had_come_before_is_handed_over(store, idle, push):
    idle.arm()
    [raw] = push("a", queue="second")
    wait_for(lambda: store.working.held("me", QUEUES))
    assert idle.cancel() == [("second", raw)]
    assert (len(idle.waiters), idle.watched) == (0, 2)


def test_a_server_that_hangs_up_on_who_waits_for_nothing_is_called_anew(store, idle, push):
    idle.arm()
    idle.cancel()
    store.link.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    while idle.watched:
        assert [idle.receive(queue) for queue in idle.ready()] != []
    idle.arm(queues=["first"])
    [raw] = push("a", queue="first")
    assert idle.ready() == ["first"]
    assert idle.receive("first") == raw


def test_the_connections_are_kept(store, idle):
    idle.arm()
    before = {client["id"] for client in store.link.client.client_list()}
    for _ in range(3):
        idle.cancel()
        idle.arm()
    assert {client["id"] for client in store.link.client.client_list()} == before


def test_no_job_is_taken_after_the_end(store, idle, push, waiting):
    for number in range(50):
        idle.arm()
        assert idle.cancel() == []
        assert blocked(store) == 0
        raws = push(str(number), queue="first")
        assert waiting("first") == raws
        store.queues.clear("first")


def test_a_job_that_comes_during_the_end_is_handed_over_or_still_waits(store, idle, push, waiting):
    for number in range(50):
        idle.arm()
        connection = store.link.client.connection_pool.make_connection()
        connection.connect()
        raw = b"%d" % number
        connection.send_command("LPUSH", store.keys.queue("first"), raw)
        came = idle.cancel()
        connection.read_response()
        connection.disconnect()
        assert [raw for _, raw in came] + waiting("first") == [raw]
        assert [held for _, held in store.working.held("me", QUEUES)] == [raw for _, raw in came]
        store.link.call("DEL", store.keys.queue("first"), store.keys.working("first", "me"))


class SlowWay(faults.Proxy):
    """A way on which a waiter's request takes longer than what is sent after it by another connection."""

    def _loses(self, pair, data, towards_server):
        if towards_server and b"BLMOVE" in data:
            threading.Event().wait(0.1)
        return super()._loses(pair, data, towards_server)


def test_a_wait_is_ended_at_once_even_before_it_has_begun(store, server_url, waiting_over):
    way = SlowWay(server_url.removeprefix("unix://"))
    try:
        idle = waiting_over(Link(connections.target(way.url)))
        idle.arm(queues=["first"])
        began = time.monotonic()
        assert idle.cancel() == []
        assert time.monotonic() - began < 1
    finally:
        way.close()


class DeadEnd(faults.Proxy):
    """A way on which nothing comes back to who waits, as after a router has forgotten the connection."""

    def __init__(self, upstream):
        super().__init__(upstream)
        self._dead = set()
        self._over = threading.Event()

    def close(self):
        self._over.set()
        super().close()

    def _loses(self, pair, data, towards_server):
        if towards_server and b"BLMOVE" in data:
            self._dead.add(pair)
        elif not towards_server and pair in self._dead:
            self._over.wait()
        return super()._loses(pair, data, towards_server)


def test_a_wait_on_a_dead_connection_is_given_up(store, server_url, waiting_over, monkeypatch):
    monkeypatch.setattr(waiters, "BLOCK_SECONDS", 0.2)
    monkeypatch.setitem(connections.TIMEOUTS, "fetch", 0.5)
    way = DeadEnd(server_url.removeprefix("unix://"))
    idle = waiting_over(Link(connections.target(way.url), "fetch"))
    idle.arm(queues=["first"])
    outcome = []

    def end():
        with contextlib.suppress(StoreError):
            idle.cancel()
        outcome.append("given up")

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    thread.join(3)
    in_time = bool(outcome)
    way.close()
    thread.join(5)
    assert in_time


# --- servers that do not know how to end a wait ---


@pytest.fixture
def forbidden(store, server_url):
    """A link of a user who may not use CLIENT UNBLOCK."""
    if store.link.info().version < (7,):
        pytest.skip("rules for subcommands came with Redis 7")
    store.link.call("ACL", "SETUSER", "plain", "on", ">secret", "~*", "&*", "+@all", "-client|unblock")
    link = Link(connections.target({"url": server_url, "username": "plain", "password": "secret"}))
    yield link
    connections.forget()
    store.link.call("ACL", "DELUSER", "plain")


def test_a_wait_that_cannot_be_ended_is_ended_by_hanging_up(store, waiting_over, forbidden):
    idle = waiting_over(forbidden)
    for _ in range(2):
        idle.arm()
        wait_for(lambda: blocked(store) == 2)
        assert idle.cancel() == []
        assert (len(idle.waiters), idle.watched) == (0, 0)
        wait_for(lambda: blocked(store) == 0, timeout=1)


def test_it_is_asked_only_once(store, waiting_over, forbidden):
    idle = waiting_over(forbidden)
    store.link.call("ACL", "LOG", "RESET")
    for _ in range(3):
        idle.arm(queues=["first"])
        idle.cancel()
    refused = [dict(zip(entry[::2], entry[1::2], strict=True)) for entry in store.link.call("ACL", "LOG")]
    assert [(entry[b"object"], entry[b"count"]) for entry in refused] == [(b"client|unblock", 1)]


def test_what_came_before_is_on_the_working_list(store, waiting_over, forbidden, push):
    idle = waiting_over(forbidden)
    idle.arm()
    [raw] = push("a", queue="first")
    wait_for(lambda: store.working.held("me", QUEUES))
    assert idle.cancel() == []
    assert store.working.held("me", QUEUES) == [("first", raw)]


# --- trouble ---


def test_a_full_server_refuses_and_the_waiter_can_be_used_again(store, idle, push):
    with faults.full(store.link.client, drains=True):
        push_past_the_limit(store, b"a")
        idle.arm(queues=["first"])
        idle.ready()
        with pytest.raises(StoreRefused):
            idle.receive("first")
    assert len(idle.waiters) == 0
    idle.arm(queues=["first"])
    idle.ready()
    assert idle.receive("first") == b"a"


def push_past_the_limit(store, raw):
    """A full server takes this: otherwise there would be nothing for it to refuse to move."""
    script = "#!lua flags=allow-oom\nreturn redis.call('LPUSH', KEYS[1], ARGV[1])"
    store.link.call("EVAL", script, 1, store.keys.queue("first"), raw)


def test_a_connection_that_was_killed_is_an_error_and_closing_clears_it(store, idle, push):
    idle.arm()
    wait_for(lambda: blocked(store) == 2)
    store.link.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    [first, *_] = idle.ready()
    with pytest.raises(StoreUnavailable):
        idle.receive(first)
    idle.close()
    assert (len(idle.waiters), idle.watched) == (0, 0)
    idle.arm()
    [raw] = push("a", queue="first")
    assert idle.ready() == ["first"]
    assert idle.receive("first") == raw


def test_a_server_that_is_away_is_an_error_and_leaves_nothing_behind(own_server, waiting_over):
    idle = waiting_over(Link(connections.target(own_server.url)))
    own_server.kill()
    with pytest.raises(StoreUnavailable):
        idle.arm()
    idle.close()
    own_server.start()
    idle.arm()
    assert len(idle.waiters) == 2


def test_a_reset_while_the_wait_is_ended_leaves_nothing_behind(store, idle, monkeypatch):
    idle.arm(queues=["first"])
    wait_for(lambda: blocked(store))

    def reset(timeout):
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(idle.waiters._connections["first"]._parser, "can_read", reset)
    with pytest.raises(StoreUnavailable):
        idle.cancel()
    idle.close()
    assert (len(idle.waiters), idle.watched) == (0, 0)
    idle.arm(queues=["first"])
    assert idle.watched == 1


# --- failover ---


def received(idle, seconds=3):
    """What comes in within some seconds, with a fetcher's patience: what is refused is tried again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            idle.arm(queues=["first"])
            for queue in idle.ready(0.1):
                return idle.receive(queue)
        except StoreRefused:
            continue
        except StoreError:
            idle.close()
    return None


class Sentinels:
    """Says who is master now."""

    def __init__(self, port):
        self.port = port

    def discover_master(self, name):
        return "127.0.0.1", self.port


@pytest.mark.parametrize(
    "was_waiting",
    [
        True,  # the demoted server hangs up on who waits
        False,
    ],
)
def test_waiters_follow_an_address_to_the_new_master(pair, demote, address, waiting_over, was_waiting):
    _, other = pair
    idle = waiting_over(Link(connections.target(address.url)))
    idle.arm(queues=["first"])
    if not was_waiting:
        idle.cancel()
    demote()
    address._upstream = other.port
    with bare(other.port) as master:
        master.lpush("queue:first", b"a")
        assert received(idle, 1) == b"a"


def test_waiters_follow_sentinels_to_the_new_master(pair, demote, waiting_over):
    one, other = pair
    sentinels = Sentinels(one.port)
    link = Link(connections.target(f"redis://127.0.0.1:{one.port}/0"))
    pool = redis.sentinel.SentinelConnectionPool("mymaster", sentinels, socket_timeout=10, protocol=2)
    link.client = redis.Redis(connection_pool=pool)
    idle = waiting_over(link)
    idle.arm(queues=["first"])
    idle.cancel()
    demote()
    sentinels.port = other.port
    with bare(other.port) as master:
        master.lpush("queue:first", b"a")
        assert received(idle, 1) == b"a"
