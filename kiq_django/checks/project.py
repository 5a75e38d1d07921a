"""Whether the rest of the project goes with us."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import Warning  # noqa: A004
from django.core.management import get_commands

from kiq_django import conf
from kiq_django.checks.found import Found, usable


def worker_command(**_: Any) -> Found:
    """W007: `manage.py runworker` is another app's."""
    owner = get_commands().get("runworker", "kiq_django")
    owner = owner if isinstance(owner, str) else type(owner).__module__
    if owner != "kiq_django":
        yield Warning(
            f"manage.py runworker is the command of {owner}, which comes before 'kiq_django' in INSTALLED_APPS",
            hint="Start workers with manage.py kiqworker, or move 'kiq_django' up",
            id="kiq_django.W007",
        )


def database_pools(**_: Any) -> Found:
    """W008: threads that would wait for each other's database connections."""
    if not usable():
        return
    threads = _threads()
    for alias, database in django_settings.DATABASES.items():
        size = _pool_size(database.get("OPTIONS", {}).get("pool"))
        if size is not None and size < threads:
            yield Warning(
                f"The connection pool of database {alias!r} (max_size {size}) is smaller than the worker's "
                f"{threads} threads",
                hint=f"Set max_size in its OPTIONS['pool'] to {threads} or more, or KIQ['WORKER']['concurrency'] lower",
                id="kiq_django.W008",
            )


def _threads() -> int:
    worker = conf.get().worker
    return worker.concurrency + sum(
        int(capsule.get("concurrency", worker.concurrency)) for capsule in worker.capsules.values()
    )


def _pool_size(pool: Any) -> int | None:
    """Connections that psycopg's pool opens at most; without `max_size` those that it holds, 4 unless told."""
    if not pool:
        return None
    options = pool if isinstance(pool, Mapping) else {}
    size = options.get("max_size") or options.get("min_size", 4)
    return size if isinstance(size, int) else None
