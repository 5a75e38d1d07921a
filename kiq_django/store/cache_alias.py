"""The Redis behind an alias of `CACHES`: its address and connection options, for our own connections to it.

Jobs never go through the cache: its client retries, prefixes and pickles.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache.backends.redis import RedisCache
from django.utils.module_loading import import_string

from kiq_django.exceptions import ConfigurationError

NAMES = {
    "USERNAME": "username",
    "PASSWORD": "password",
    "SOCKET_TIMEOUT": "socket_timeout",
    "SOCKET_CONNECT_TIMEOUT": "socket_connect_timeout",
}
"""django-redis's spelling of redis-py's options (`django_redis/pool.py`, make_connection_params)."""
THEIRS = frozenset({"parser_class", "pool_class", "serializer", "timeout"})
"""Options for the cache's own machinery, of no use to a connection."""


def read(alias: str, source: str) -> dict[str, Any]:
    """`url`, or `sentinels` and `master`, and the connection options of the cache.

    Raises:
        ConfigurationError: the alias is not a Redis cache, or spreads its keys over several servers.
    """
    cache = settings.CACHES[alias]
    backend = _backend(cache, alias, source)
    options = dict(cache.get("OPTIONS") or {})
    if issubclass(backend, RedisCache):
        return {"url": _first(cache.get("LOCATION"), "[;,]", alias, source), **_usable(options)}
    return _of_django_redis(_first(cache.get("LOCATION"), ",", alias, source), options, alias, source)


def _backend(cache: Mapping[str, Any], alias: str, source: str) -> type:
    path = cache.get("BACKEND", "")
    try:
        backend: type = import_string(path)
    except ImportError as error:
        raise ConfigurationError(
            f"{source} is the cache {alias!r}, whose BACKEND cannot be imported: {error}"
        ) from error
    ours = issubclass(backend, RedisCache)
    theirs = any(c.__name__ == "RedisCache" and c.__module__.startswith("django_redis.") for c in backend.__mro__)
    if not ours and not theirs:
        raise ConfigurationError(
            f"{source} is the cache {alias!r}, which is not a Redis cache but {path}. "
            "Name a cache of django-redis or of django.core.cache.backends.redis, or write a redis:// URL"
        )
    return backend


def _first(location: Any, separator: str, alias: str, source: str) -> str:
    """The first server: caches write there, and read from the others."""
    servers = re.split(separator, location) if isinstance(location, str) else list(location or ())
    if not servers or not isinstance(servers[0], str) or not servers[0].strip():
        raise ConfigurationError(f"{source} is the cache {alias!r}, which has no LOCATION. Add its redis:// URL there")
    return servers[0].strip()


def _of_django_redis(location: str, options: Mapping[str, Any], alias: str, source: str) -> dict[str, Any]:
    client = str(options.get("CLIENT_CLASS", ""))
    if "Shard" in client or "Cluster" in client:
        raise ConfigurationError(
            f"{source} is the cache {alias!r}, which spreads its keys over servers ({client}). "
            "Jobs need one server: write its redis:// URL"
        )
    found = {NAMES[name]: options[name] for name in NAMES if options.get(name) is not None}
    found |= _usable(options.get("CONNECTION_POOL_KWARGS") or {})
    if sentinels := options.get("SENTINELS"):
        return found | _sentinel(location, sentinels, options)
    return {"url": location, **found}


def _sentinel(location: str, sentinels: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """With Sentinel, LOCATION is `redis://<name of the master>/<database>`."""
    parts = urlsplit(location)
    database = parts.path.strip("/")
    found: dict[str, Any] = {"sentinels": sentinels, "master": parts.hostname}
    found |= {"ssl": True} if parts.scheme == "rediss" else {}
    found |= {"db": int(database)} if database.isdigit() else {}
    return found | ({"sentinel_kwargs": options["SENTINEL_KWARGS"]} if options.get("SENTINEL_KWARGS") else {})


def _usable(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in THEIRS}
