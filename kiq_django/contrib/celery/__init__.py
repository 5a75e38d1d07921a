"""Celery's `@shared_task`, running on kiq_django: change the import, keep the tasks.

    from kiq_django.contrib.celery import shared_task

What cannot be carried over is refused where it is written, with what to do instead. `manage.py kiq celery-report PATH`
finds all of it beforehand.
"""

from kiq_django.contrib.celery.bound import (
    Ignore,
    MaxRetriesExceededError,
    Reject,
    Retry,
    SoftTimeLimitExceeded,
)
from kiq_django.contrib.celery.task import Sent, Task, shared_task

__all__ = [
    "Ignore",
    "MaxRetriesExceededError",
    "Reject",
    "Retry",
    "Sent",
    "SoftTimeLimitExceeded",
    "Task",
    "shared_task",
]
