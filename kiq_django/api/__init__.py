"""What is in Redis, as objects: read, page, find, act. The shape is that of Sidekiq's API.

Every action is one step in Redis, or several of which each leaves every job in exactly one place, and is safe
while workers, pages and scripts act on the same jobs. All of it may raise `StoreError` (`kiq_django.exceptions`).
"""

from kiq_django.api.budget import Budget
from kiq_django.api.metrics import Figures, JobFigures, Metrics
from kiq_django.api.processes import Process, ProcessSet, Work, WorkSet
from kiq_django.api.queues import Queue, QueueSummary
from kiq_django.api.records import JobRecord
from kiq_django.api.search import find_job
from kiq_django.api.sets import DeadSet, JobSet, RetrySet, ScheduledSet
from kiq_django.api.stats import Day, History, Stats
from kiq_django.api.waiting import QueuedJob, SortedJob

__all__ = [
    "Budget",
    "Day",
    "DeadSet",
    "Figures",
    "History",
    "JobFigures",
    "JobRecord",
    "JobSet",
    "Metrics",
    "Process",
    "ProcessSet",
    "Queue",
    "QueueSummary",
    "QueuedJob",
    "RetrySet",
    "ScheduledSet",
    "SortedJob",
    "Stats",
    "Work",
    "WorkSet",
    "find_job",
]
