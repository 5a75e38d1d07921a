"""Whether the database is what the code expects: a worker that comes up before `migrate` has run waits."""

import logging

from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import Error

from kiq_django import clock

logger = logging.getLogger("kiq_django.worker")
LOOK_EVERY = 2.0
"""Seconds."""
LOG_EVERY = 30.0


class Migrations:
    """Asked again and again by one thread, which closes the connections that it has opened."""

    def __init__(self) -> None:
        self._said = -LOG_EVERY
        self._waited = False

    def missing(self) -> bool:
        """Whether to wait; says why once in a while."""
        reason = self._reason()
        now = clock.monotonic()
        if reason and now - self._said >= LOG_EVERY:
            self._said, self._waited = now, True
            logger.warning("Waiting for the database, and taking no jobs: %s", reason)
        if not reason and self._waited:
            logger.info("All migrations are applied")
        return bool(reason)

    def _reason(self) -> str:
        try:
            for connection in connections.all():
                if names := _missing(connection.alias):
                    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                    return f"{', '.join(names[:3])}{more} not applied to {connection.alias!r}. Run manage.py migrate"
        except (DatabaseError, Error) as error:
            return " ".join(str(error).split())
        finally:
            connections.close_all()
        return ""


def _missing(alias: str) -> list[str]:
    """Names of migrations that `migrate` would apply. A database that the router keeps free of tables needs none."""
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
