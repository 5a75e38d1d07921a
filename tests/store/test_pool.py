"""Connections that stay at hand."""

import os
import select
import threading

import pytest
import redis
from redis.connection import ConnectionPool, UnixDomainSocketConnection
from redis.credentials import UsernamePasswordCredentialProvider

from kiq_django.store.pool import UNLIMITED, Pool, give, take
from tests.support import wait_for


@pytest.fixture
def made(server_url):
    """Make a pool; it is closed with the test."""
    pools = []

    def make(kind=Pool, **options):
        options.setdefault("max_connections", UNLIMITED)
        options |= {"connection_class": UnixDomainSocketConnection, "path": server_url.removeprefix("unix://")}
        pools.append(kind(protocol=2, **options))
        return pools[-1]

    yield make
    for pool in pools:
        pool.disconnect()


def said(connection, *command):
    connection.send_command(*command)
    return connection.read_response()


@pytest.mark.parametrize("kind", [Pool, ConnectionPool])
def test_a_connection_that_came_back_is_lent_again(made, kind):
    pool = made(kind)
    first = take(pool)
    assert said(first, "PING") == b"PONG"
    give(pool, first)
    assert take(pool) is first


def test_two_borrowers_have_two(made):
    pool = made()
    one, other = take(pool), take(pool)
    give(pool, one)
    give(pool, other)
    assert one is not other
    assert {take(pool), take(pool)} == {one, other}


def test_redis_py_itself_uses_what_is_at_hand(made):
    pool = made()
    give(pool, connection := take(pool))
    client = redis.Redis(connection_pool=pool)
    assert client.ping()
    assert take(pool) is connection


def test_one_that_the_server_has_closed_is_opened_anew(made, store):
    pool = made()
    give(pool, lost := take(pool))
    store.link.call("CLIENT", "KILL", "ID", said_id := client_id(lost))
    wait_for(lambda: str(said_id) not in ids(store))
    again = take(pool)
    assert said(again, "PING") == b"PONG"
    assert client_id(again) != said_id


def client_id(connection):
    return said(connection, "CLIENT", "ID")


def ids(store):
    return {client["id"] for client in store.link.client.client_list()}


def test_an_answer_that_nobody_has_read_answers_nothing_else(made):
    pool = made()
    connection = take(pool)
    connection.send_command("ECHO", "late")
    select.select([connection._sock], [], [], 5)
    give(pool, connection)
    assert said(take(pool), "ECHO", "own") == b"own"


def test_what_is_closed_for_all_is_closed_at_hand_too(made, store):
    """As after a failover: the idle ones lead to the old master."""
    pool = made()
    connection = take(pool)
    number = client_id(connection)
    give(pool, connection)
    pool.disconnect(inuse_connections=False)
    wait_for(lambda: str(number) not in ids(store))
    assert client_id(take(pool)) != number


def test_a_child_leaves_the_connections_of_its_parent_alone(made):
    pool = made()
    connection = take(pool)
    number = client_id(connection)
    give(pool, connection)
    read, write = os.pipe()
    if not (child := os.fork()):
        try:
            os.write(write, str(client_id(take(pool))).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(read, 20)) != number
    os.close(read)
    os.close(write)
    assert take(pool) is connection
    assert client_id(connection) == number


@pytest.mark.parametrize(
    "options", [{"max_connections": 2}, {"credential_provider": UsernamePasswordCredentialProvider("default", "")}]
)
def test_where_redis_py_has_to_know_it_is_told(made, options):
    """Of connections whose number is limited, and of those whose credentials it renews when they come back."""
    pool = made(**options)
    connection = pool.make_connection() if "credential_provider" in options else take(pool)
    pool._in_use_connections.add(connection)
    give(pool, connection)
    assert connection in pool._available_connections
    assert not pool._at_hand


def test_a_limit_holds(made):
    pool = made(max_connections=1)
    give(pool, take(pool))
    connection = take(pool)
    with pytest.raises(redis.ConnectionError):
        take(pool)
    give(pool, connection)
    assert take(pool) is connection


def test_many_threads_share_as_many_connections_as_they_need(made):
    pool, used, trouble = made(), set(), []

    def work():
        for number in range(300):
            connection = take(pool)
            used.add(connection)
            try:
                if said(connection, "ECHO", str(number)) != str(number).encode():
                    trouble.append(number)
            finally:
                give(pool, connection)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert len(used) <= 8
