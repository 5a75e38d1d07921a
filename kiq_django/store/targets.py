"""What `KIQ["REDIS"]` means: a URL, a cache alias, a dict or `embedded:`. Nothing here opens a connection."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from kiq_django.exceptions import ConfigurationError
from kiq_django.store import cache_alias, urls
from kiq_django.store.urls import ADVICE, masked

Layout = Literal["sidekiq", "cluster"]
Kind = Literal["url", "cache", "sentinel", "cluster", "embedded"]

SETTING = 'KIQ["REDIS"]'
DEFAULT_URL = "redis://127.0.0.1:6379/0"
EMBEDDED = "embedded:"
OWNED = frozenset(
    {
        "cache",
        "cache_config",
        "client_name",
        "connection_pool",
        "decode_responses",
        "encoding",
        "encoding_errors",
        "health_check_interval",
        "legacy_responses",
        "maint_notifications_config",
        "protocol",
        "retry",
        "retry_on_error",
        "retry_on_timeout",
        "single_connection_client",
    }
)
"""Options of redis-py that we decide: repeated commands duplicate jobs, decoded replies break payloads."""


@dataclass(frozen=True, slots=True)
class Target:
    """One Redis that settings speak of. Equal targets share their connections.

    `options` holds `url` and redis-py options (kinds `url` and `cache`), `sentinels`, `master`,
    `sentinel_kwargs` and redis-py options (`sentinel`), or `directory` (`embedded`). It may hold passwords:
    it is never printed.
    """

    kind: Kind
    label: str
    """How people see it: without user, password and query."""
    options: Mapping[str, Any] = field(repr=False, hash=False)
    layout: Layout = field(default="sidekiq", repr=False)
    """How keys are named, see `store/keys.py`."""

    def __str__(self) -> str:
        return self.label


def resolve(value: Any = None, environ: Mapping[str, str] = os.environ) -> Target:
    """The target of `KIQ["REDIS"]`. Unset: the variable that REDIS_PROVIDER names, REDIS_URL, or this host.

    Raises:
        ConfigurationError: the value, or the variable that stands in for it, is unusable.
    """
    if value is not None:
        return target(value)
    if provider := environ.get("REDIS_PROVIDER"):
        return target(_provided(provider, environ), source=provider)
    if url := environ.get("REDIS_URL"):
        return target(url, source="REDIS_URL")
    return target(DEFAULT_URL)


def _provided(name: str, environ: Mapping[str, str]) -> str:
    """The value of the variable that `REDIS_PROVIDER` names (Sidekiq's and Heroku's convention)."""
    if ":" in name:
        raise ConfigurationError(
            f"REDIS_PROVIDER must name the variable that holds the Redis URL, not be one: {masked(name)!r}. "
            "Put the URL into REDIS_URL instead"
        )
    if not environ.get(name):
        raise ConfigurationError(f"REDIS_PROVIDER names the variable {name!r}, which is not set. Set it, or unset both")
    return environ[name]


def target(value: Any, *, source: str = SETTING) -> Target:
    """What `value` means; `source` is how messages call the place it came from.

    Raises:
        ConfigurationError: it means nothing; the message has the remedy and never a password.
    """
    if isinstance(value, str):
        return _from_text(value, source)
    if isinstance(value, Mapping):
        return _from_dict(value, source)
    raise ConfigurationError(f"{source} must be a text or a dict, not a {type(value).__name__}. {ADVICE}")


def _from_text(value: str, source: str) -> Target:
    if value.startswith(EMBEDDED):
        return _embedded(value.removeprefix(EMBEDDED))
    if "://" in value:
        return Target("url", masked(value), {"url": urls.checked(value, source)})
    if value in settings.CACHES:
        return _from_cache(value, source)
    if ":" in value or "/" in value:
        raise ConfigurationError(f"{source} is not a Redis URL: {masked(value)!r}. {urls.hint(value)}")
    known = ", ".join(sorted(settings.CACHES)) or "none"
    raise ConfigurationError(f"{source} is neither a Redis URL nor a cache of CACHES ({known}): {value!r}. {ADVICE}")


def _embedded(directory: str) -> Target:
    base = Path(getattr(settings, "BASE_DIR", None) or Path.cwd())
    path = (base / Path(directory or ".kiq").expanduser()).resolve()
    return Target("embedded", f"{EMBEDDED}{path}", {"directory": str(path)})


def _from_cache(alias: str, source: str) -> Target:
    found = cache_alias.read(alias, source)
    where = f'CACHES["{alias}"]'
    if "sentinels" in found:
        return _sentinel(found, where)
    url = urls.checked(found["url"], f'{where}["LOCATION"]')
    return Target("cache", masked(url), {**found, "url": url})


def _from_dict(value: Mapping[Any, Any], source: str) -> Target:
    options = {str(name): item for name, item in value.items()}
    is_cluster, layout = _shape(options, source)
    if owned := sorted(OWNED.intersection(options)):
        raise ConfigurationError(
            f"{source} sets {', '.join(owned)}, which kiq_django decides itself: a command that is repeated "
            "duplicates jobs, and replies stay bytes. Remove it"
        )
    if "sentinels" in options:
        return replace(_sentinel(options, source), layout=layout)
    if "url" not in options:
        raise ConfigurationError(f'{source} is a dict without "url", and without "sentinels" and "master". {ADVICE}')
    url = urls.checked(options["url"], f'{source}["url"]')
    if is_cluster:
        _refuse_no_cluster(url, source)
    return Target("cluster" if is_cluster else "url", masked(url), {**options, "url": url}, layout)


def _shape(options: dict[str, Any], source: str) -> tuple[bool, Layout]:
    """Whether it is a cluster, and the layout of the keys. Takes both options out."""
    is_cluster = options.pop("cluster", False)
    if not isinstance(is_cluster, bool):
        raise ConfigurationError(f'{source}["cluster"] must be True or False, not {is_cluster!r}')
    layout = options.pop("layout", "cluster" if is_cluster else "sidekiq")
    if layout not in get_args(Layout):
        raise ConfigurationError(f"{source}[\"layout\"] must be 'sidekiq' or 'cluster', not {layout!r}")
    if is_cluster and (layout == "sidekiq" or "sentinels" in options):
        wrong = "sentinels" if "sentinels" in options else "the layout 'sidekiq'"
        raise ConfigurationError(f"{source} has a cluster with {wrong}. Leave that out: a cluster goes by its own")
    return is_cluster, layout


def _refuse_no_cluster(url: str, source: str) -> None:
    parts = urlsplit(url)
    database = parse_qs(parts.query).get("db", [""])[-1] or parts.path.strip("/")
    if parts.scheme == "unix" or database not in ("", "0"):
        raise ConfigurationError(
            f"{source} is a cluster at {masked(url)!r}. A cluster has no sockets, and database 0 alone: "
            "write redis://host:port of one of its nodes"
        )


def _sentinel(options: Mapping[str, Any], source: str) -> Target:
    sentinels = _addresses(options["sentinels"], f'{source}["sentinels"]')
    master = options.get("master")
    if not master or not isinstance(master, str):
        raise ConfigurationError(f'{source} has "sentinels" but no "master": add the name that they watch it by')
    label = "sentinel://" + ",".join(f"{host}:{port}" for host, port in sentinels) + f"/{master}"
    return Target("sentinel", label, {**options, "sentinels": sentinels})


def _addresses(value: Any, source: str) -> list[tuple[str, int]]:
    items = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []
    addresses = [_address(item) for item in items]
    found = [address for address in addresses if address]
    if not found or len(found) != len(addresses):
        raise ConfigurationError(f'{source} must be a list of ("host", port), one for each sentinel')
    return found


def _address(item: Any) -> tuple[str, int] | None:
    if isinstance(item, str):
        item = item.rpartition(":")[::2]
    if not isinstance(item, Sequence) or len(item) != 2 or not item[0] or not str(item[1]).isdigit():
        return None
    return str(item[0]), int(item[1])
