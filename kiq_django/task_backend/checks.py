"""What can be wrong with an entry of `TASKS` for this backend."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004

from kiq_django import conf
from kiq_django.exceptions import ConfigurationError
from kiq_django.jobs.plan import build_options
from kiq_django.options import LONGEST

JOB_OPTIONS: Final = (
    "retry",
    "retry_for",
    "dead",
    "backtrace",
    "tags",
    "timeout",
    "on_commit",
    "outbox",
    "wait_replicas",
)
"""Options of `@job` that `OPTIONS` may have for all tasks."""
KNOWN: Final = (*JOB_OPTIONS, "result_ttl")


def check(alias: str, options: Mapping[str, Any], queues: Collection[str]) -> Iterator[CheckMessage]:
    """Look at one entry.

    Args:
        alias: its name in `TASKS`.
        options: its `OPTIONS`.
        queues: its `QUEUES`; empty allows all.
    """
    yield from _app()
    yield from _options(f"TASKS[{alias!r}]['OPTIONS']", options)
    yield from _queues(alias, queues)


def _app() -> Iterator[CheckMessage]:
    if not apps.is_installed("kiq_django"):
        yield Error(
            "TASKS names kiq_django.task_backend.KiqBackend, but 'kiq_django' is not in INSTALLED_APPS: no worker "
            "finds the tasks",
            hint="Add 'kiq_django' to INSTALLED_APPS",
            id="kiq_django.E010",
        )


def _options(where: str, options: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for name in options:
        if name not in KNOWN:
            hint = conf.did_you_mean(str(name), list(KNOWN))
            yield Error(f"{where} has the unknown key {name!r}", hint=hint, id="kiq_django.E011")
    seconds = options.get("result_ttl", 1)
    if type(seconds) is not int or not 0 < seconds <= LONGEST:
        text = f"{where}['result_ttl'] must be a whole number of seconds, 1 to {LONGEST:,}, not {seconds!r}"
        yield Error(text, id="kiq_django.E012")
    try:
        build_options({name: options[name] for name in JOB_OPTIONS if name in options})
    except ConfigurationError as error:
        yield Error(f"{where}: {error}", id="kiq_django.E012")


def _queues(alias: str, queues: Collection[str]) -> Iterator[CheckMessage]:
    try:
        settings = conf.get()
    except ConfigurationError:
        return  # E003 has told what is wrong
    served = {*settings.queues}
    for capsule in settings.worker.capsules.values():
        served.update(capsule.get("queues", ()))
    for queue in sorted(set(queues) - served):
        yield Warning(
            f"TASKS[{alias!r}]['QUEUES'] has the queue {queue!r}, which is not in KIQ['QUEUES']; no worker would run "
            "its tasks",
            hint=f"Add {queue!r} to KIQ['QUEUES']. {conf.did_you_mean(queue, list(settings.queues))}",
            id="kiq_django.W006",
        )
