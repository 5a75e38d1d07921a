"""The way through the outbox: a row with the caller's rows, a push right after the commit, the row crossed out.

Whatever happens on this way, the row stays until the job is known to be in Redis, and a worker goes on from there
(`features/outbox.py`). A push that comes twice finds the note of the first one in Redis and does nothing.
"""

import logging
from collections.abc import Sequence
from functools import cache, partial

from django.db import Error as DatabaseError

from kiq_django import adapters, transactions
from kiq_django.bulk import slices
from kiq_django.delivery import deliver_once
from kiq_django.exceptions import NotReplicated, StoreError
from kiq_django.outbox import book
from kiq_django.payload import Payload

logger = logging.getLogger("kiq_django.outbox")


def enter(payloads: Sequence[Payload], replicas: int) -> transactions.Flush:
    """Write rows into the transaction that is open, and give what is to be called after its commit.

    Raises:
        ConfigurationError: none of the databases that have a transaction open may have an outbox.
        django.db.Error: the row cannot be written, for lack of a migration for example.
    """
    alias = book.choose(transactions.open_connections())
    book.write(payloads, alias, replicas)
    return _flush(alias, replicas)


def deliver_or_keep(payloads: Sequence[Payload], replicas: int) -> list[Payload | None]:
    """Push what belongs to no transaction. What Redis does not take is kept in the database.

    Returns:
        The payloads; None for one that a client link vetoed, as far as that is known.

    Raises:
        NotReplicated: it is pushed, and kept until enough replicas have it.
        Exception: what a client link raised.
    """
    try:
        delivered = deliver_once(payloads, replicas)
    except StoreError as error:
        book.write(payloads, book.home(), replicas)
        if isinstance(error, NotReplicated):
            raise
        logger.warning("%d jobs are kept in the outbox of %r: %s", len(payloads), book.home(), error)
        return list(payloads)
    adapters.get().forget(delivered.settled)
    if delivered.trouble:
        raise delivered.trouble
    return delivered.passed


def send(payloads: Sequence[Payload], alias: str, replicas: int) -> Exception | None:
    """Push what rows hold, unless an earlier call did, and cross the rows out.

    Returns:
        What a client link raised; the row of its payload stays.

    Raises:
        StoreError, django.db.Error: all rows stay. The call may be repeated.
    """
    delivered = deliver_once(payloads, replicas)
    book.cross_out(delivered.settled, alias)
    adapters.get().forget(delivered.settled)
    return delivered.trouble


@cache
def _flush(alias: str, replicas: int) -> transactions.Flush:
    """One object for all jobs of a kind: what is held with the same is handed over in one call."""
    return partial(_send_committed, alias, replicas)


def _send_committed(alias: str, replicas: int, payloads: Sequence[Payload]) -> None:
    """Right after the commit. The rows are safe, so trouble with Redis is no trouble of the caller."""
    troubles, left = [], len(payloads)
    for part in slices(payloads):
        try:
            troubles.append(send(part, alias, replicas))
        except (StoreError, DatabaseError) as error:
            logger.warning("%d jobs wait in the outbox of %r for a worker: %s", left, alias, error)
            break
        left -= len(part)
    for trouble in filter(None, troubles):
        raise trouble
