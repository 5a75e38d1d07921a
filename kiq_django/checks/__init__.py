"""System checks. None connects anywhere without `manage.py check --deploy`; `manage.py kiq doctor` shows them all.

Each has a number, a page of which is `docs/reference/checks.md`.
"""

from collections.abc import Callable
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage

from kiq_django.checks import configuration, connection, project, queues
from kiq_django.checks.found import Found

TAG = "kiq_django"
"""`manage.py check --tag kiq_django`."""

ALWAYS: tuple[Callable[..., Found], ...] = (
    configuration.settings,
    configuration.features,
    configuration.middleware,
    configuration.seal,
    configuration.outbox,
    configuration.adapter,
    connection.redis,
    queues.queues,
    queues.retry_queues,
    project.worker_command,
    project.database_pools,
)
DEPLOYED: tuple[Callable[..., Found], ...] = (
    configuration.lasting_adapter,
    connection.lasting_server,
    connection.server,
    connection.speed,
)


def _listed(check: Callable[..., Found]) -> Callable[..., list[CheckMessage]]:
    """Django wants lists."""

    def listed(app_configs: Any = None, **options: Any) -> list[CheckMessage]:
        return list(check(**options))

    listed.__name__, listed.__doc__ = check.__name__, check.__doc__
    return listed


def register_all() -> None:
    """Make the checks known to Django; once, from `AppConfig.ready`."""
    for check in ALWAYS:
        checks.register(_listed(check), TAG)
    for check in DEPLOYED:
        checks.register(_listed(check), TAG, deploy=True)
