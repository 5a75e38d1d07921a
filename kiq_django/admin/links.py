"""Where things have their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

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


SHORT = 12
"""Characters of an id that are shown whole."""
KINDS: dict[str, Any] = {
    "queue": models.Queue,
    "job": models.Job,
    "process": models.Process,
    "operation": models.Operation,
    "class": models.JobMetrics,
}
"""The words by which `kiq_django.api` and templates name them."""
LISTS: dict[str, Any] = {
    "queues": models.Queue,
    "running": models.RunningJob,
    "processes": models.Process,
    "schedule": models.ScheduledJob,
    "retry": models.RetryJob,
    "dead": models.DeadJob,
}
"""The same for lists. A key beside `running` is a queue's name; `set` has the name of the set as key."""


def url_of(kind: str, key: str, site: str) -> str:
    """The page of a thing or the list of things by its word; empty for what has none."""
    if kind == "set":
        kind, key = key, ""
    if kind in KINDS:
        return url_of_subject(KINDS[kind], key, site)
    if kind not in LISTS:
        return ""
    url = url_of_list(LISTS[kind], site)
    return f"{url}?{urlencode({'queue': key}, errors='replace')}" if url and key else url


def url_of_list(model: Any, site: str) -> str:
    """The list of a model; empty when it has none."""
    return _reversed(f"kiq_{model._meta.model_name}_changelist", [], site)


def word_for(kind: str) -> str:
    """What a list is called."""
    model = LISTS.get(kind) or KINDS.get(kind)
    return str(model._meta.verbose_name_plural) if model else kind


def title_of(kind: str, key: str) -> str:
    """What a link to a thing or a list says: the name of the thing, or what the list is called."""
    if kind == "set":
        kind, key = key, ""
    if kind == "job" and key:
        return _("job %(jid)s") % {"jid": key if len(key) <= SHORT else f"{key[:8]}…"}
    if kind == "running" and key:
        return _("running jobs of %(queue)s") % {"queue": key}
    if kind == "process":
        return ":".join(key.split(":")[:2])
    return key or capfirst(word_for(kind))


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
    return _reversed(name, [key], site)


def _reversed(name: str, args: list[str], site: str) -> str:
    try:
        return reverse(f"admin:{name}", args=args, current_app=site)
    except (NoReverseMatch, UnicodeEncodeError):  # a key that no address can hold, or a page that is not there
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
    return f"{url}?{urlencode(hint, errors='replace')}"
