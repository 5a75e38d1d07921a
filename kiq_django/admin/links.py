"""Where things have their pages."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse

from kiq_django import models

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
