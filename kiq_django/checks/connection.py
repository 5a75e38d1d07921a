"""Which Redis is meant, and whether jobs are safe there. Only what is for deployments connects.

The store, and with it the Redis library, is imported only where it is needed: importing it takes long.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from django.conf import settings as django_settings
from django.core.checks import Error, Info, Warning  # noqa: A004

from kiq_django import conf
from kiq_django.checks.found import Found, uses_redis
from kiq_django.exceptions import ConfigurationError, StoreError

REDIS_SCHEMES: Final = ("redis", "rediss", "valkey", "valkeys", "unix")
REDIS_PORT: Final = 6379
EMBEDDED: Final = "embedded:"


def redis(**_: Any) -> Found:
    """E002: a `KIQ["REDIS"]`, or a variable in its place, that means no Redis. W002: one that a cache shares."""
    if not uses_redis():
        return
    from kiq_django.store import targets

    try:
        target = targets.resolve(conf.get().redis)
        for queue in conf.get().queues.values():
            if queue.redis is not None:
                targets.target(queue.redis, source=f"KIQ['QUEUES'][{queue.name!r}]['redis']")
    except ConfigurationError as error:
        yield Error(str(error), id="kiq_django.E002")
        return
    ours = _database(target.options.get("url"))
    for alias, cache in django_settings.CACHES.items():
        if ours and ours in map(_database, _locations(cache)):
            yield Warning(
                f"KIQ and CACHES[{alias!r}] use the same Redis database: cache.clear() may delete every job",
                hint="Give one of them another database number",
                id="kiq_django.W002",
            )


def lasting_server(**_: Any) -> Found:
    """W010, for deployments: a server for development."""
    chosen = conf.get().redis if uses_redis() else None
    if isinstance(chosen, str) and chosen.startswith(EMBEDDED):
        yield Warning(
            f"KIQ['REDIS'] is {chosen!r}: a server that ends with the processes of this host, for development",
            hint="Name a Redis or Valkey server: set $REDIS_URL, or KIQ['REDIS'] to its URL",
            id="kiq_django.W010",
        )


def server(**_: Any) -> Found:
    """W003 and W004, for deployments: connects, and asks the server what it promises."""
    if not uses_redis():
        return
    from kiq_django import store
    from kiq_django.api import diagnosis

    try:
        found: Sequence[diagnosis.Finding] = diagnosis.server(store.get())
    except (ConfigurationError, StoreError) as error:
        found = [diagnosis.Finding("connection", "error", str(error))]
    for finding in found:
        if finding.level != "ok":
            number = "W003" if finding.topic == "eviction" else "W004"
            text = f"Redis, {finding.topic}: {finding.text}"
            yield Warning(text, hint=finding.remedy or None, id=f"kiq_django.{number}")


def speed(**_: Any) -> Found:
    """I001, for deployments: a faster reader of replies is to be had."""
    if uses_redis() and find_spec("hiredis") is None:
        yield Info(
            "hiredis is not installed: large replies of Redis are read slowly",
            hint="pip install 'kiq-django[fast]'",
            id="kiq_django.I001",
        )


def _locations(cache: Mapping[str, Any]) -> Iterable[str]:
    """Where a cache keeps its keys, if that is a Redis."""
    location = cache.get("LOCATION", "")
    return re.split("[,;]", location) if isinstance(location, str) else map(str, location)


def _database(url: Any) -> tuple[str, str] | None:
    """Server and database of a Redis URL, in one spelling; None for anything else."""
    if not isinstance(url, str) or url.partition("://")[0] not in REDIS_SCHEMES:
        return None
    try:
        parts = urlsplit(url.strip())
        path, port = parts.path.strip("/"), parts.port or REDIS_PORT
    except ValueError:
        return None
    named = parse_qs(parts.query).get("db", [""])[0]
    if parts.scheme == "unix":
        return path, named or "0"
    host = (parts.hostname or "localhost").replace("127.0.0.1", "localhost")
    return f"{host}:{port}", named or path or "0"
