"""Connections to Redis: one pool for each target and purpose, with retries off and explicit timeouts.

redis-py repeats commands by default (8.1: ten times). A command whose reply was lost has been executed, so a
repeated push is a second job, and a repeated fetch is a job that nobody runs.
"""

import os
import threading
from collections.abc import Mapping
from inspect import signature
from typing import Any, Literal

import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from kiq_django import conf
from kiq_django.exceptions import ConfigurationError
from kiq_django.store.errors import classify, must_disconnect, translate, translated
from kiq_django.store.pool import UNLIMITED, Pool
from kiq_django.store.server import ServerInfo, server_info
from kiq_django.store.targets import OWNED, Target, resolve, target
from kiq_django.store.urls import masked

__all__ = [
    "Purpose",
    "ServerInfo",
    "Target",
    "check",
    "classify",
    "client",
    "forget",
    "masked",
    "must_disconnect",
    "renew",
    "resolve",
    "server_info",
    "target",
    "translate",
    "translated",
]

Purpose = Literal["commands", "fetch", "heartbeat", "dashboard"]

TIMEOUTS: dict[Purpose, float] = {"commands": 5.0, "fetch": 10.0, "heartbeat": 5.0, "dashboard": 2.0}
"""Seconds to wait for a reply. A blocking fetch must ask the server to wait for less than this."""
CONNECT_TIMEOUT = 3.0
SELF = frozenset({"driver_info", "lib_name", "lib_version"})
"""Options of redis-py by which others say it for us."""


def _introduction() -> dict[str, Any]:
    """What redis-py says of itself to a server. Unless told, newer ones look their version up in the files of the
    installation, for each connection that is opened."""
    kinds = (redis.connection.AbstractConnection, redis.asyncio.connection.AbstractConnection)
    if not all("driver_info" in signature(kind.__init__).parameters for kind in kinds):
        return {}
    from redis.driver_info import DriverInfo  # not in those that do not ask for it

    return {"driver_info": DriverInfo()}


INTRODUCTION = _introduction()

_clients: dict[tuple[Target, Purpose], redis.Redis] = {}
_guard = threading.Lock()


def client(target: Target, *, purpose: Purpose) -> redis.Redis:
    """This process's client for a target and a purpose; threads may share it. Replies are bytes, in RESP2.

    Nothing is sent here, but an embedded server is started. Every command is sent once: after an error the
    caller decides whether it may be repeated.

    Raises:
        ConfigurationError: redis-py does not take one of the target's options.
        StoreUnavailable: the embedded server does not start.
    """
    found = _clients.get((target, purpose))
    if found is None:
        with _guard:
            found = _clients.get((target, purpose))
            if found is None:
                found = _clients[target, purpose] = _open(target, purpose)
    return found


def check(target: Target) -> None:
    """Try the target's options without connecting.

    Raises:
        ConfigurationError: redis-py does not take one of them, or there is no program for an embedded server.
    """
    if target.kind == "embedded":
        from kiq_django.store import embedded  # for development: see `_pool`

        embedded.binary()
    else:
        _open(target, "commands")


def renew(client: redis.Redis) -> None:
    """Close the client's idle connections: its next command opens a new one. See `must_disconnect`."""
    client.connection_pool.disconnect(inuse_connections=False)


@conf.on_reset
def forget() -> None:
    """Close all idle connections and make new clients from now on."""
    with _guard:
        clients = list(_clients.values())
        _clients.clear()
    for known in clients:
        renew(known)


def _forget_in_child() -> None:
    """After a fork the sockets are the parent's: never send on them, never shut them down."""
    global _guard
    _guard = threading.Lock()  # another thread of the parent may have had it
    _clients.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


def _open(target: Target, purpose: Purpose) -> redis.Redis:
    try:
        pool = _pool(target, purpose)
        pool.connection_class(**pool.connection_kwargs)  # connects nowhere, but refuses what it does not know
    except (TypeError, ValueError, redis.RedisError) as error:
        raise ConfigurationError(f"The options for Redis at {target} are not usable: {error}") from error
    return redis.Redis(connection_pool=pool)


def _pool(target: Target, purpose: Purpose) -> ConnectionPool:
    options = _without_ours(target.options)
    if target.kind == "sentinel":
        return _sentinel_pool(options, purpose)
    if target.kind == "embedded":
        # Here, because it is for development: a worker in production does not carry it.
        from kiq_django.store import embedded, embedded_connection

        embedded.start(options["directory"])
        kind = embedded_connection.EmbeddedConnection
        return Pool(connection_class=kind, **options, **_settled(options, purpose))
    located = _without_ours(parse_url(options.pop("url")))  # type: ignore[no-untyped-call]
    options = _with_tls(located | options)
    return Pool(**{**options, **_keepalive(options), **_settled(options, purpose)})


def _sentinel_pool(options: dict[str, Any], purpose: Purpose) -> SentinelConnectionPool:
    """Each new connection asks the sentinels for the master."""
    sentinels, master = options.pop("sentinels"), options.pop("master")
    asking = {"socket_timeout": CONNECT_TIMEOUT, "socket_connect_timeout": CONNECT_TIMEOUT, "retry": _once()}
    asking |= options.pop("sentinel_kwargs", None) or {}
    manager = Sentinel(sentinels, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
    options = {**options, **_keepalive(options), **_settled(options, purpose)}
    return SentinelConnectionPool(master, manager, **options)  # type: ignore[no-untyped-call]


def _without_ours(options: Mapping[str, Any]) -> dict[str, Any]:
    """A URL or a cache may serve others too, so what is ours to decide is passed over there in silence."""
    return {name: value for name, value in options.items() if name not in OWNED}


def _with_tls(options: dict[str, Any]) -> dict[str, Any]:
    """`"ssl": True` in a dict means what it means to `redis.Redis`."""
    if options.pop("ssl", False):
        options.setdefault("connection_class", SSLConnection)
    return options


def _keepalive(options: Mapping[str, Any]) -> dict[str, Any]:
    if options.get("connection_class") is UnixDomainSocketConnection:
        return {}
    return {"socket_keepalive": options.get("socket_keepalive", True)}


def _settled(options: Mapping[str, Any], purpose: Purpose) -> dict[str, Any]:
    """What we decide, with the user's limits where they do no harm."""
    timeout = options.get("socket_timeout") or TIMEOUTS[purpose]
    connect = options.get("socket_connect_timeout") or CONNECT_TIMEOUT
    if purpose == "fetch":
        timeout = max(timeout, TIMEOUTS[purpose])
    elif purpose == "dashboard":  # a person waits: better a page that says so
        timeout, connect = min(timeout, TIMEOUTS[purpose]), min(connect, TIMEOUTS[purpose])
    return {
        **({} if SELF.intersection(options) else INTRODUCTION),
        "socket_timeout": timeout,
        "socket_connect_timeout": connect,
        "max_connections": options.get("max_connections") or UNLIMITED,
        "client_name": f"kiq:{purpose}",
        "decode_responses": False,
        "health_check_interval": 0,
        "protocol": 2,
        "retry": _once(),
    }


def _once() -> Retry:
    """One attempt: no error is worth a second one, not even a lost connection."""
    return Retry(NoBackoff(), 0)
