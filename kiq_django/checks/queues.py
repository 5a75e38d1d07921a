"""Whether somebody would run what is enqueued."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import Warning  # noqa: A004

from kiq_django import conf, registry
from kiq_django.checks.found import Found, some, uses_redis
from kiq_django.declared import declared_jobs


def queues(**_: Any) -> Found:
    """W005: jobs go to a queue that a worker with the settings of this project does not look at."""
    if not uses_redis():
        return
    known = conf.get().queues
    served = {*known, *_capsule_queues()}
    stray: dict[str, list[str]] = {}
    for job in declared_jobs():
        if job.queue not in served:
            stray.setdefault(job.queue, []).append(job.name)
    for queue, jobs in stray.items():
        yield Warning(
            f"Jobs go to queue {queue!r}, which is not in KIQ['QUEUES']; no worker would run them: {some(jobs)}",
            hint=f"Add {queue!r} to KIQ['QUEUES']. {conf.did_you_mean(queue, list(known))}",
            id="kiq_django.W005",
        )


def retry_queues(**_: Any) -> Found:
    """W011: retries go to a queue that a worker with the settings of this project does not look at."""
    if not uses_redis():
        return
    known = conf.get().queues
    served = {*known, *_capsule_queues()}
    stray: dict[str, list[str]] = {}
    for name, definition in sorted(registry.all_jobs().items()):
        options = definition.options
        for queue in {options.retry_queue, *(rule.queue for rule in options.retry_on)} - {None, *served}:
            stray.setdefault(str(queue), []).append(name)
    for queue, jobs in stray.items():
        yield Warning(
            f"Retries go to queue {queue!r}, which is not in KIQ['QUEUES']; no worker would run them: {some(jobs)}",
            hint=f"Add {queue!r} to KIQ['QUEUES']. {conf.did_you_mean(queue, list(known))}",
            id="kiq_django.W011",
        )


def _capsule_queues() -> Iterator[str]:
    for capsule in conf.get().worker.capsules.values():
        yield from capsule.get("queues", ())
