"""The jobs that the project's code declares, with what the settings add."""

from dataclasses import dataclass

from kiq_django import conf, registry
from kiq_django.options import JobOptions

UNSAID = JobOptions()


@dataclass(frozen=True, slots=True)
class DeclaredJob:
    """One `@job`."""

    name: str
    queue: str
    """Where it goes unless a call says otherwise."""
    retry: bool | int
    """True is the usual number of times."""
    retry_for: float | None
    """Seconds of retries, instead of a number."""
    tags: tuple[str, ...]
    is_async: bool
    source: str
    """Where it stands: `shop/jobs.py:12`."""


def declared_jobs() -> list[DeclaredJob]:
    """All of them, by name."""
    return [_describe(definition) for _, definition in sorted(registry.all_jobs().items())]


def _describe(definition: registry.Definition) -> DeclaredJob:
    """What a declaration does not say, or says as it is said by default, the settings decide."""
    options, defaults = definition.options, conf.get().defaults
    return DeclaredJob(
        name=definition.name,
        queue=defaults.queue if options.queue == UNSAID.queue else options.queue,
        retry=defaults.retry if options.retry is UNSAID.retry else options.retry,
        retry_for=options.retry_for,
        tags=options.tags,
        is_async=definition.is_async,
        source=definition.source,
    )
