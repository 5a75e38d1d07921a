"""Where things have their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from kiq_django import models

if TYPE_CHECKING:
    from kiq_django.api import JobRecord

PLACES: dict[Any, str] = {
    models.Queue: "kiq_queue",
    models.Job: "kiq_job",
    models.Process: "kiq_process",
    models.Operation: "kiq_operation",
    models.JobMetrics: "kiq_jobmetrics",
}
"""The name of the address of one queue, job, process, ..., which takes its key."""


def url_of_subject(kind: Any, key: str, site: str) -> str:
    """The page of one thing; empty when it has none.

    Args:
        kind: a model of ours.
        key: the queue's name, the job's id, ...
        site: name of the admin site, for sites other than Django's default one.
    """
    name = PLACES.get(kind)
    if name is None:
        return ""
    try:
        return reverse(f"admin:{name}", args=[key], current_app=site)
    except NoReverseMatch:  # a key that no address can hold
        return ""


def url_of_job(record: JobRecord, site: str) -> str:
    """The page of a job, with a hint where it was seen last; empty for bytes that are no job."""
    url = url_of_subject(models.Job, record.jid, site) if record.jid else ""
    if not url:
        return ""
    hint: dict[str, str] = {"place": record.place}
    if record.place == "queue":
        hint["queue"] = record.queue
    elif record.at is not None and record.place != "running":
        hint["at"] = repr(record.at)
    return f"{url}?{urlencode(hint)}"
