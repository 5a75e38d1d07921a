"""Which declared job a payload is for where its name alone does not tell, and which payloads are not for us."""

from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from typing import Any

from kiq_django import activejob, clock, registry
from kiq_django.exceptions import Expired, ForeignBatch, UnknownJob
from kiq_django.payload import Payload
from kiq_django.registry import Definition


def find(payload: Payload) -> Definition | None:
    """The declared job that a payload is for."""
    return registry.find(payload.document["class"]) or wrapped(payload)


def wrapped(payload: Payload) -> Definition | None:
    """The declared job inside of ActiveJob's wrapper. It has the declaration's options and takes the wrapper's
    argument."""
    name = activejob.job_class(payload.name, payload.args)
    definition = registry.find(name) if name else None
    return _unwrapping(definition) if definition else None


def unknown(payload: Payload) -> UnknownJob:
    """The error of a payload whose job nobody declares here."""
    name = activejob.job_class(payload.name, payload.args) or payload.name
    near = get_close_matches(name, registry.all_jobs(), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "`manage.py kiq jobs` lists those that are declared"
    return UnknownJob(f"No loaded code declares a job named {name!r}. {hint}")


def refuse_unfit(payload: Payload) -> None:
    """Refuse a job that says `bid`: run here, it would keep its batch from ever completing; and one that says
    `expires_at`, once that time is over.

    Raises:
        ForeignBatch: it names a batch.
        Expired: it comes too late.
    """
    if batch := payload.document.get("bid"):
        raise ForeignBatch(
            f"This job belongs to the batch {batch!r} (its field 'bid'), which only Sidekiq Pro can complete: it was "
            "not run. Push it outside of the batch, or to a queue that Ruby serves"
        )
    expires, now = payload.expires_at, clock.now()
    if expires is not None and expires <= now:
        raise Expired(f"It was to begin {now - expires:.1f} s ago at the latest: it was not run")


@cache
def _unwrapping(definition: Definition) -> Definition:
    """A declared job as it is called with ActiveJob's description of the call."""

    def perform(job: activejob.Fields) -> Any:
        args, kwargs = activejob.call(job)
        return definition.runner(*args, **kwargs)

    return replace(definition, target=perform, is_class=False, hooked=None)
