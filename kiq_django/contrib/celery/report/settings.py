"""Celery's settings, by what they are called behind `CELERY_`, and what becomes of each."""

from collections.abc import Mapping
from typing import Final

from kiq_django.contrib.celery.report.notes import Severity

Verdict = tuple[Severity, str]

KNOWN: Final[Mapping[str, Verdict]] = {
    "BROKER_URL": ("info", 'KIQ = {"REDIS": "redis://..."}, or $REDIS_URL'),
    "BROKER_TRANSPORT_OPTIONS": ("info", "not needed: jobs do not come back by a visibility timeout"),
    "RESULT_BACKEND": ("warning", "say result=seconds in @shared_task of the tasks whose result somebody asks for"),
    "RESULT_EXPIRES": ("info", "say result=seconds in @shared_task"),
    "TASK_ALWAYS_EAGER": ("info", 'KIQ = {"ADAPTER": "inline"}, or "test" in tests'),
    "ALWAYS_EAGER": ("info", 'KIQ = {"ADAPTER": "inline"}, or "test" in tests'),
    "TASK_EAGER_PROPAGATES": ("info", "the adapters inline and test always let errors out"),
    "TASK_DEFAULT_QUEUE": ("info", 'KIQ = {"DEFAULTS": {"queue": ...}}'),
    "TASK_QUEUES": ("info", 'KIQ = {"QUEUES": {...}}'),
    "QUEUES": ("info", 'KIQ = {"QUEUES": {...}}'),
    "TASK_ROUTES": ("error", "say queue=... in @shared_task of each task: there is no routing by name"),
    "ROUTES": ("error", "say queue=... in @shared_task of each task: there is no routing by name"),
    "BEAT_SCHEDULE": ("error", "enqueue these jobs by cron or a timer of systemd; here is no beat"),
    "BEAT_SCHEDULER": ("error", "enqueue these jobs by cron or a timer of systemd; here is no beat"),
    "TASK_ANNOTATIONS": ("error", "say the options in @shared_task of each task"),
    "TASK_SERIALIZER": ("warning", "arguments are JSON, dates, Decimal, UUID and saved model instances; never pickle"),
    "RESULT_SERIALIZER": ("info", "results are always JSON"),
    "ACCEPT_CONTENT": ("info", "arguments are always JSON"),
    "TASK_TIME_LIMIT": ("info", 'KIQ = {"DEFAULTS": {"timeout": seconds}}'),
    "TASK_SOFT_TIME_LIMIT": ("info", 'KIQ = {"DEFAULTS": {"timeout": seconds}}'),
    "TASK_ACKS_LATE": ("info", "jobs are always acknowledged after the run"),
    "TASK_REJECT_ON_WORKER_LOST": ("info", "jobs of a dead worker always come back"),
    "TASK_DEFAULT_RATE_LIMIT": ("error", "give such jobs a queue whose worker has few threads"),
    "WORKER_CONCURRENCY": ("info", 'KIQ = {"WORKER": {"concurrency": n}}, or runworker -c'),
    "WORKER_PREFETCH_MULTIPLIER": ("info", "not needed: a worker takes no long job that another could run"),
    "WORKER_MAX_TASKS_PER_CHILD": ("info", 'runworker --processes N --max-jobs M, or "max_jobs" in KIQ["WORKER"]'),
    "WORKER_MAX_MEMORY_PER_CHILD": ("info", "runworker --processes N --max-memory MB: megabytes, not kilobytes"),
    "TIMEZONE": ("info", "Django's TIME_ZONE counts"),
    "ENABLE_UTC": ("info", "times are always absolute"),
    "TASK_TRACK_STARTED": ("info", "the dashboard shows what runs"),
    "TASK_IGNORE_RESULT": ("info", "no result is kept unless a task says result=seconds"),
}
OTHER: Final[Verdict] = ("warning", "this setting has no counterpart; look whether you need what it did")

APPS: Final[Mapping[str, Verdict]] = {
    "django_celery_beat": ("error", "enqueue these jobs by cron or a timer of systemd; here is no beat"),
    "django_celery_results": (
        "warning",
        "failed jobs are in the admin; say result=seconds in @shared_task of tasks with results",
    ),
}
"""Apps of INSTALLED_APPS, and packages that are imported."""
