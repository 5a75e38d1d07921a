"""The tests under the users of Redis that `manage.py kiq acl` prints: `make roles`.

With `KIQ_TEST_ROLES` set, whatever the product sends to the server of the test run it sends as the user of its part:
threads and processes of a worker as `worker`, a GET of the dashboard as `dashboard-read`, any other request and
`manage.py kiq` as `dashboard-write`, an adapter as `producer`, for a job whose result is kept and for the store of
`django.tasks` as `tasks`. What tests send themselves, to lay something out or to look, goes as the server's owner.
Each test fails for what was denied during it.
"""

import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import redis
from redis.connection import AbstractConnection, ConnectionPool

from kiq_django.payload import RESULT, TASK, Payload
from kiq_django.store import acl
from kiq_django.store.keys import Keys
from kiq_django.store.pool import Pool

ARE_ON = bool(os.environ.get("KIQ_TEST_ROLES"))
PASSWORD = "only-for-tests"
OWNER = "default"
DONE_WITHOUT = {"config|get", "client|setinfo", "process_cleanup"}
"""What is tried, and done without: more for the doctor, the name of the library, a list without the dead."""

_acting: ContextVar[str] = ContextVar("acting", default=OWNER)
_servers: set[str] = set()
"""Sockets of servers that have the users."""


def set_up(socket: str) -> None:
    """Make the users on a server, and let the product use them there."""
    if not ARE_ON:
        return
    with _owner(socket) as owner:
        for role in acl.roles():
            first, *selectors = acl.line(role, "", f"kiq-{role.name}").split(" (")
            owner.execute_command(*first.split(), *(f"({each}" for each in selectors), "on", f">{PASSWORD}")
    if not _servers:
        _patch()
    _servers.add(socket)


def as_worker(url: str) -> str:
    """The address by which a worker process gets there."""
    path = url.removeprefix("unix://")
    return f"unix://kiq-worker:{PASSWORD}@{path}" if path in _servers else url


def denied() -> list[tuple[str, str, str]]:
    """What was denied since this was asked last: what, to whom, and why."""
    found = []
    for path in _servers:
        with _owner(path) as owner:
            for entry in owner.execute_command("ACL", "LOG"):
                said = dict(zip(entry[::2], entry[1::2], strict=True))
                found.append(tuple(said[name].decode() for name in (b"object", b"username", b"reason")))
            owner.execute_command("ACL", "LOG", "RESET")
    return [entry for entry in found if entry[1].startswith("kiq-") and not _is_expected(*entry)]


def _is_expected(what: str, user: str, why: str) -> bool:
    """Also a key that is none of ours: a test has put its name where ours stand."""
    return what in DONE_WITHOUT or (why == "key" and not any(fnmatchcase(what, pattern) for pattern in _ours()))


@cache
def _ours() -> frozenset[str]:
    return frozenset(pattern for kind in acl.kinds() for pattern in acl.patterns_of(kind, Keys("")))


def _owner(path: str) -> redis.Redis:
    return redis.Redis(unix_socket_path=path, protocol=2)


@contextmanager
def _as(role: str) -> Iterator[None]:
    """Whoever acts already stays what he is: a page that enqueues a job does it by the rights of the page."""
    token = _acting.set(role if _acting.get() == OWNER else _acting.get())
    try:
        yield
    finally:
        _acting.reset(token)


def _role() -> str:
    return "worker" if threading.current_thread().name.startswith("kiq-") else _acting.get()


def _become(connection: Any) -> None:
    """Say who we are from here on, unless the server knows already."""
    role = _role()
    if getattr(connection, "path", None) in _servers and connection._sock is not None:
        known, since = getattr(connection, "_kiq_role", (OWNER, connection._sock))
        if role != (known if since is connection._sock else OWNER):
            user = OWNER if role == OWNER else f"kiq-{role}"
            # Past the methods that tests count the calls of.
            connection._sock.sendall(b"".join(connection.pack_command("AUTH", user, PASSWORD)))
            assert connection.read_response() == b"OK"
        connection._kiq_role = (role, connection._sock)


def _around(owner: Any, name: str, role: Callable[..., str]) -> None:
    """During a method somebody acts, whose role may depend on its arguments."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def acting(*args: Any, **kwargs: Any) -> Any:
        with _as(role(*args, **kwargs)):
            return original(*args, **kwargs)

    setattr(owner, name, acting)


def _after(owner: Any, name: str, then: Callable[[Any, Any], Any]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def followed(self: Any, *args: Any, **kwargs: Any) -> Any:
        answer = original(self, *args, **kwargs)
        then(self, answer)
        return answer

    setattr(owner, name, followed)


def _patch() -> None:
    from django.test.client import Client

    from kiq_django.adapters.redis import RedisAdapter
    from kiq_django.management.commands.kiq import Command
    from kiq_django.task_backend.redis_shelf import RedisShelf

    for pool in (ConnectionPool, Pool):
        _after(pool, "get_connection", lambda _, connection: _become(connection))
    # A waiter has its connection from nobody.
    _after(AbstractConnection, "connect", lambda connection, _: _become(connection))
    reads = ("GET", "HEAD", "OPTIONS")
    _around(
        Client,
        "generic",
        lambda self, method, *args, **kwargs: "dashboard-read" if method in reads else "dashboard-write",
    )
    _around(Command, "handle", lambda *args, **kwargs: "dashboard-write")
    _around(RedisAdapter, "push", _pusher)
    _around(RedisAdapter, "launch", lambda *args: "producer")
    for name, role in {"enter": "tasks", "find": "tasks", "begin": "worker", "end": "worker"}.items():
        _around(RedisShelf, name, lambda *args, role=role: role)


def _pusher(adapter: Any, payloads: Sequence[Payload]) -> str:
    keeps = any(TASK in payload.document or RESULT in payload.document for payload in payloads)
    return "tasks" if keeps else "producer"
