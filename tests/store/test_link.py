"""What goes over a connection: scripts that were forgotten, errors among replies, replies that nobody may get."""

import contextlib
import itertools
import socket
import threading

import pytest
import redis

from kiq_django import deadline
from kiq_django.exceptions import JobTimeout, StoreError, StoreRefused, StoreUnavailable
from kiq_django.store import connections
from kiq_django.store.link import Link
from tests import faults
from tests.support import wait_for

pytestmark = pytest.mark.strange_keys  # plain commands are tried on keys of no kind of ours


@pytest.fixture
def link(store):
    return store.link


@pytest.fixture
def proxy(store, server_url):
    between = faults.Proxy(server_url.removeprefix("unix://"))
    yield between
    connections.forget()
    between.close()


@pytest.fixture
def through(proxy):
    """A link whose connections pass the proxy."""
    return Link(connections.target({"url": proxy.url, "socket_timeout": 2}))


def connected(link):
    """How many connections of our clients the server has."""
    return sum(client["name"].startswith("kiq:") for client in link.client.client_list())


# --- scripts ---


def due(link, count):
    return link.prepare("due", ["schedule"], [count])


def promote(link, raw):
    return link.prepare("promote", ["schedule", "queues", "queue:default"], [raw, 1, raw, "default"])


def test_a_forgotten_script_is_sent_again_whole(link):
    link.call("ZADD", "schedule", 1, "a", 2, "b")
    link.script("due", ["schedule"], [1])
    link.call("SCRIPT", "FLUSH")
    assert link.script("due", ["schedule"], [1]) == [b"a"]


def test_one_forgotten_script_among_others_runs_once(link):
    link.call("ZADD", "schedule", 1, "a", 2, "b")
    commands = [due(link, 1), promote(link, "a"), due(link, 9)]
    link.call("SCRIPT", "FLUSH")
    link.script("due", ["schedule"], [1])
    assert link.run(commands) == [[b"a"], b"1", [b"a", b"b"]]
    assert link.call("LRANGE", "queue:default", 0, -1) == [b"a"]
    assert link.run([due(link, 9)]) == [[b"b"]]


def test_a_script_that_is_refused_speaks_for_all(link):
    link.call("SET", "schedule", "no set")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        link.run([due(link, 1), link.prepare("due", ["retry"], [1])])
    assert link.call("ECHO", "a") == b"a"


def test_two_links_share_a_server_but_not_their_scripts(link, server_url):
    other = Link(connections.target(server_url), "heartbeat")
    command = due(other, 1)
    link.call("SCRIPT", "FLUSH")
    assert other.run([command]) == [[]]


# --- errors among replies ---


MIXED = [("SET", "a", 1), ("LPUSH", "a", "x"), ("SET", "b", 2), ("NONSENSE",), ("GET", "b")]


def test_errors_are_replies_of_an_exchange(link):
    replies = link.exchange(MIXED)
    assert [isinstance(reply, redis.ResponseError) for reply in replies] == [False, True, False, True, False]
    assert replies[-1] == b"2"


def test_the_first_error_speaks_and_the_others_have_run(link):
    with pytest.raises(StoreError, match="WRONGTYPE"):
        link.send(MIXED)
    assert link.call("GET", "b") == b"2"


def test_an_error_among_replies_costs_no_connection(link):
    link.call("PING")
    before = connected(link)
    for _ in range(3):
        link.exchange(MIXED)
    assert connected(link) == before


def test_a_full_server_refuses(link):
    with faults.full(link.client), pytest.raises(StoreRefused, match="full"):
        link.send([("LPUSH", "queue:default", "a")])


def test_nothing_is_nothing(link):
    assert link.exchange([]) == []


# --- lost replies ---


def counted(link):
    """A command with an answer that no other has."""
    return ("INCR", "counter")


def test_a_lost_reply_is_an_error_and_the_next_one_is_its_own(through, proxy, link):
    assert through.exchange([counted(link)]) == [1]
    proxy.drop_replies()
    with pytest.raises(StoreUnavailable):
        through.exchange([counted(link)])
    assert link.call("GET", "counter") == b"2"
    assert through.exchange([counted(link)]) == [3]


@contextlib.contextmanager
def impostor(last):
    """A server that answers OK to all but ECHO, to which it says `last` before it hangs up. Yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=[connection], daemon=True).start()

    def answer(connection):
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65_536):
                if b"ECHO" in data:
                    connection.sendall(last)
                    return
                connection.sendall(b"+OK\r\n" * (b"\r\n" + data).count(b"\r\n*"))

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize(
    "last", [b"", b"$5\r\nhel", b"$5\r\nfirst\r\n", b"$5\r\nfirst\r\n$6\r\nsec", b"*2\r\n$1\r\na\r\n"]
)
def test_a_connection_that_ends_in_the_middle_is_dropped(last):
    with impostor(last) as port:
        link = Link(connections.target(f"redis://127.0.0.1:{port}/0"))
        with pytest.raises(StoreUnavailable):
            link.exchange([("ECHO", "first"), ("ECHO", "second")])
        assert link.exchange([("PING",)]) in ([b"OK"], [True])
    connections.forget()


# --- interrupts ---


class Interrupt(BaseException):
    """What a signal or a time limit raises between any two lines."""


def exchange(link, *command):
    return link.exchange([command])[0]


def call(link, *command):
    return link.call(*command)


def pipeline(link, *command):
    pipe = link.pipeline()
    pipe.execute_command(*command)
    return link.execute(pipe)[0]


@pytest.mark.parametrize("way", [exchange, call, pipeline])
def test_an_interrupt_between_sending_and_reading_leaves_no_reply_to_others(through, proxy, monkeypatch, way):
    way(through, "PING")
    kind = through.client.connection_pool.connection_class
    read = kind.read_response

    def interrupted(*args, **kwargs):
        monkeypatch.setattr(kind, "read_response", read)
        raise Interrupt

    proxy.delay(0.05)
    monkeypatch.setattr(kind, "read_response", interrupted)
    with pytest.raises(Interrupt):
        way(through, "ECHO", "mine")
    assert way(through, "ECHO", "yours") == b"yours"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a socket struck while it was made
def test_under_a_rain_of_time_limits_every_reply_is_its_own(link):
    """A strike may come anywhere: before the sending, within it, while the answer is read."""
    wrong, struck = [], 0
    for number in range(1500):
        text = b"%d" % number
        replies = None
        # What a strike has become on its way through redis-py is not asked here.
        with contextlib.suppress(Exception), deadline.limit((number % 60) * 4e-6, "too late"):
            replies = link.exchange([("ECHO", text), ("ECHO", text)])
        struck += replies is None
        if replies not in (None, [text, text]):
            wrong.append((number, replies))
    assert wrong == []
    assert link.exchange([("ECHO", b"end")]) == [b"end"]
    assert 0 < struck < 1500


def test_a_time_limit_that_strikes_while_redis_is_asked_is_no_trouble_of_redis(through, proxy):
    through.call("PING")
    proxy.delay(0.1)
    with pytest.raises(JobTimeout), deadline.limit(0.02, "too late"):
        through.exchange([("PING",)])


# --- a silent server ---


@pytest.mark.parametrize("way", [exchange, call, pipeline])
@pytest.mark.parametrize("size", [1, 8_000_000])
def test_a_server_that_neither_reads_nor_writes_is_away(own_server, way, size):
    silent = Link(connections.target({"url": own_server.url, "socket_timeout": 0.4}))
    way(silent, "PING")
    own_server.freeze()
    with pytest.raises(StoreUnavailable, match="no answer"):
        way(silent, "ECHO", b"x" * size)


@pytest.mark.parametrize("way", [exchange, call, pipeline])
def test_a_server_that_died_is_away(own_server, way):
    link = Link(connections.target(own_server.url))
    way(link, "PING")
    own_server.kill()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            way(link, "PING")
    own_server.start()
    assert way(link, "ECHO", "a") == b"a"


# --- many threads ---


def test_threads_share_a_link_and_never_an_answer(link):
    wrong = []
    numbers = itertools.count()

    def talk():
        while (number := next(numbers)) < 3000:
            text = b"%d" % number
            if link.exchange([("ECHO", text)]) != [text]:
                wrong.append(number)

    threads = [threading.Thread(target=talk) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []


def test_connections_that_were_killed_are_replaced(link, server_url):
    link.call("PING")
    killer = redis.Redis(unix_socket_path=server_url.removeprefix("unix://"))
    killer.execute_command("CLIENT", "KILL", "TYPE", "normal")
    wait_for(lambda: not any(c["name"].startswith("kiq:") for c in killer.client_list()))
    assert link.exchange([("ECHO", "a")]) == [b"a"]
    killer.close()
