"""Rows of the outbox, in whichever databases have its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from kiq_django.exceptions import ConfigurationError
from kiq_django.outbox.models import Entry
from kiq_django.payload import Payload

ROWS = 500
"""In one statement: some databases take a thousand parameters at most."""
COUNTED = 10_000
"""Rows that are counted; beyond it the number is only known to be larger."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in one database."""

    alias: str
    size: int
    """At most `COUNTED`, and one more when there are more."""
    oldest: datetime | None


def home() -> str:
    """The database in which jobs are kept that belong to no transaction."""
    return router.db_for_write(Entry)


def aliases() -> list[str]:
    """Databases that have an outbox, by the routers."""
    return [alias for alias in connections if router.allow_migrate_model(alias, Entry)]


def choose(opened: Sequence[BaseDatabaseWrapper]) -> str:
    """Of the databases that have a transaction open, the one that keeps the job: its commit decides.

    Raises:
        ConfigurationError: the routers allow none of them an outbox.
    """
    having = [connection.alias for connection in opened if router.allow_migrate_model(connection.alias, Entry)]
    if not having:
        names = ", ".join(repr(connection.alias) for connection in opened)
        raise ConfigurationError(
            f"A job with outbox=True is enqueued in a transaction of database {names}, where DATABASE_ROUTERS allow "
            "no table of 'kiq_outbox'. Allow it there (allow_migrate) and migrate, or enqueue with using(outbox=False)"
        )
    return home() if home() in having else having[0]


def write(payloads: Sequence[Payload], alias: str, replicas: int) -> None:
    """Rows for these, as part of whatever transaction is open there."""
    entries = [Entry(jid=payload.jid, payload=payload.encode(), replicas=replicas) for payload in payloads]
    Entry.objects.using(alias).bulk_create(entries, batch_size=ROWS)


def cross_out(jids: Sequence[str], alias: str) -> None:
    """These are in Redis."""
    rest = iter(jids)
    while part := list(islice(rest, ROWS)):
        # One statement is atomic by itself; `delete` would put a BEGIN and a COMMIT around it, two round trips more.
        Entry.objects.using(alias).filter(pk__in=part)._raw_delete(alias)


def page(alias: str, behind: str, age: float) -> list[Entry]:
    """The oldest rows behind an id that are `age` seconds old."""
    until = timezone.now() - timedelta(seconds=age)
    found = Entry.objects.using(alias).filter(pk__gt=behind, created_at__lte=until)
    return list(found.order_by("pk")[:ROWS])


def backlog(alias: str) -> Backlog:
    """How much waits, and since when; two quick queries whatever there is."""
    rows = Entry.objects.using(alias)
    oldest = rows.order_by("pk").values_list("created_at", flat=True).first()
    return Backlog(alias, rows.values("pk")[: COUNTED + 1].count() if oldest else 0, oldest)
