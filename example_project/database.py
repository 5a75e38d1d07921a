"""`DATABASE_URL` in Django's words; SQLite, tuned for several writing threads, when there is none."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

POSTGRES_SCHEMES = ("postgres", "postgresql", "psql")


def from_url(url: str | None, *, sqlite: Path) -> dict[str, Any]:
    """Return an entry of `DATABASES`.

    Args:
        url: `postgres://user:password@host:5432/name?sslmode=require`, or nothing.
        sqlite: the file to use when there is no URL.

    Raises:
        ValueError: the URL is of another database.
    """
    if not url:
        return _sqlite(sqlite)
    parts = urlsplit(url)
    if parts.scheme not in POSTGRES_SCHEMES:
        raise ValueError(
            f"DATABASE_URL starts with {parts.scheme!r}: use postgres://user:password@host/name, or unset it"
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
        "CONN_HEALTH_CHECKS": True,
    }


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            # Take the lock at BEGIN: a transaction that reads first could not wait for it when it writes.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # Readers do not stop the writer, and the writer does not stop readers.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    }
