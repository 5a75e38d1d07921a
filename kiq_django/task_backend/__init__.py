"""The backend of `django.tasks`: `TASKS = {"default": {"BACKEND": "kiq_django.task_backend.KiqBackend"}}`.

On Django 5.2, which has no tasks of its own, of the backport `django-tasks`.
"""

from kiq_django.task_backend.backend import KiqBackend
from kiq_django.task_backend.task import KiqTask

__all__ = ["KiqBackend", "KiqTask"]
