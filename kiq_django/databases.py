"""What Django does for database connections around a request, for those of a thread that runs jobs."""

import logging

from django.db import connections

from kiq_django import transactions

logger = logging.getLogger("kiq_django")


def keep_fresh() -> None:
    """Close what is broken or too old, and forget queries that were logged. Never raises."""
    for connection in transactions.initialised():
        try:
            if connection.connection is not None:
                connection.close_if_unusable_or_obsolete()
            if connection.queries_log:
                connection.queries_log.clear()
        except Exception:
            logger.warning("Database connection %r cannot be looked after", connection.alias, exc_info=True)


def close_all() -> None:
    """Those of the thread that an async job had to itself. The job has ended, and how does not change any more."""
    try:
        connections.close_all()
    except Exception:
        logger.warning("Database connections cannot be closed", exc_info=True)
