"""Redis URLs: which are good, and how they are shown."""

from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from kiq_django.exceptions import ConfigurationError

SCHEMES = {"redis": "redis", "rediss": "rediss", "unix": "unix", "valkey": "redis", "valkeys": "rediss"}
ADVICE = (
    "Use redis://host:6379/0, rediss:// for TLS, unix:///path/to.sock, the name of a Redis cache in CACHES, "
    'a dict with "url" or "sentinels", or "embedded:"'
)


def masked(url: str) -> str:
    """The URL without user, password, query and fragment: safe for logs, pages and errors.

    A raw `@`, `?`, `#` or `/` inside a password breaks the URL, but must not show what follows it. So where a
    cut would be a guess only the scheme is left.
    """
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    end = min((at for at in (rest.find("?"), rest.find("#")) if at >= 0), default=len(rest))
    if "@" in rest[end:]:
        return f"{scheme}{separator}***"
    return scheme + separator + rest[:end].rpartition("@")[2]


def checked(url: Any, source: str) -> str:
    """The URL in a scheme that redis-py knows; `source` is how messages call the place it came from.

    Raises:
        ConfigurationError: redis-py would refuse it, or silently read something else.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"{source} must be a text, not a {type(url).__name__}. {ADVICE}")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ConfigurationError(f"{source} is not a Redis URL: {masked(url)!r}. {hint(url)}")
    good = f"{SCHEMES[scheme]}://{rest}"
    if trouble := _trouble(good):
        raise ConfigurationError(f"{source} is not a usable Redis URL: {masked(url)!r}. {trouble}")
    return good


def hint(url: str) -> str:
    """What was probably meant by a URL without scheme."""
    host, _, port = masked(url).partition(":")
    if host and port.partition("/")[0].isdigit():
        return f"Did you mean 'redis://{host}:{port}'?"
    return ADVICE


def _trouble(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "Its host or port is not readable; write / ? # @ of a password as %2F %3F %23 %40"
    if parts.fragment:
        return "It has a #; write that of a password as %23"
    return _trouble_of_path(parts) or _trouble_of_query(parts)


def _trouble_of_path(parts: SplitResult) -> str:
    if parts.scheme == "unix":
        absolute = parts.path.startswith("/") and not parts.hostname
        return "" if absolute else "The path of a socket is absolute, which makes three slashes: unix:///path/to.sock"
    database = parts.path.strip("/")
    return "Its database, after the last slash, is not a number" if database and not database.isdigit() else ""


def _trouble_of_query(parts: SplitResult) -> str:
    if any("=" not in option for option in filter(None, parts.query.split("&"))):
        return "What follows its ? is no option=value; write the ? of a password as %3F"
    databases = parse_qs(parts.query).get("db", [])
    return "" if all(name.isdigit() for name in databases) else "Its option db is not a number"
