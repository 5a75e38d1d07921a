"""What is in Redis, as objects: read, page, find, act. The shape is that of Sidekiq's API.

Every action is one step in Redis, or several of which each leaves every job in exactly one place, and is safe
while workers, pages and scripts act on the same jobs. All of it may raise `StoreError` (`kiq_django.exceptions`).
"""

from kiq_django.api.attempts import Attempt, JobHistory, history, locate
from kiq_django.api.budget import Budget
from kiq_django.api.figures import Figures, HeatMap, JobFigures, JobTable
from kiq_django.api.filters import Filter
from kiq_django.api.flow import Flow, QueuePoint, flows, queue_history
from kiq_django.api.groups import FailureCount, FailureGroup, FailureGroups
from kiq_django.api.lookup import Hint, LookUp, find_job, look_up
from kiq_django.api.metrics import Metrics
from kiq_django.api.operation import Operation
from kiq_django.api.operations import Operations
from kiq_django.api.preview import Preview
from kiq_django.api.processes import Process, ProcessSet, Work, WorkSet
from kiq_django.api.queues import Queue, QueueSummary
from kiq_django.api.records import JobRecord
from kiq_django.api.search import Found
from kiq_django.api.sets import DeadSet, JobSet, RetrySet, ScheduledSet
from kiq_django.api.stats import Day, History, Stats
from kiq_django.api.throughput import Point, Throughput
from kiq_django.api.waiting import QueuedJob, SortedJob

__all__ = [
    "Attempt",
    "Budget",
    "Day",
    "DeadSet",
    "FailureCount",
    "FailureGroup",
    "FailureGroups",
    "Figures",
    "Filter",
    "Flow",
    "Found",
    "HeatMap",
    "Hint",
    "History",
    "JobFigures",
    "JobHistory",
    "JobRecord",
    "JobSet",
    "JobTable",
    "LookUp",
    "Metrics",
    "Operation",
    "Operations",
    "Point",
    "Preview",
    "Process",
    "ProcessSet",
    "Queue",
    "QueuePoint",
    "QueueSummary",
    "QueuedJob",
    "RetrySet",
    "ScheduledSet",
    "SortedJob",
    "Stats",
    "Throughput",
    "Work",
    "WorkSet",
    "find_job",
    "flows",
    "history",
    "locate",
    "look_up",
    "queue_history",
]
