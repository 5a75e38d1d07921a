"""What the admin lists, grants rights on and writes history about. Nothing here has a table: all of it is in Redis.

Django makes the permissions and content types of these models when it migrates, and nothing else. `Meta.permissions`
is what a person may be given beside seeing a page.
"""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class Shown(models.Model):
    """A row of a page: made from Redis for the moment in which it is shown."""

    key = models.CharField(primary_key=True, max_length=255)

    class Meta:
        abstract = True
        managed = False
        default_permissions: ClassVar[tuple[str, ...]] = ("view",)

    def __str__(self) -> str:
        return str(self.key)


class Overview(Shown):
    """The first page."""

    class Meta(Shown.Meta):
        verbose_name = _("overview")
        verbose_name_plural = _("overview")


class Queue(Shown):
    """A queue, by its name."""

    class Meta(Shown.Meta):
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        permissions = [
            ("pause_queue", _("Can pause and resume queues")),
            ("clear_queue", _("Can clear queues")),
        ]


class Job(Shown):
    """A job by its id, wherever it is."""

    class Meta(Shown.Meta):
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        permissions = [
            ("view_job_args", _("Can see the arguments and tracebacks of jobs")),
            ("view_job_secrets", _("Can uncover hidden values of one job, giving a reason")),
            ("retry_job", _("Can retry jobs")),
            ("kill_job", _("Can kill jobs")),
            ("reschedule_job", _("Can give jobs another time")),
            ("move_job", _("Can move jobs to other queues")),
            ("enqueue_job", _("Can enqueue jobs by hand")),
        ]


class QueuedJob(Shown):
    """A job that waits in a queue."""

    class Meta(Shown.Meta):
        verbose_name = _("enqueued job")
        verbose_name_plural = _("enqueued jobs")
        default_permissions = ("view", "delete")


class RunningJob(Shown):
    """A job that a worker runs."""

    class Meta(Shown.Meta):
        verbose_name = _("running job")
        verbose_name_plural = _("running jobs")


class RetryJob(Shown):
    """A job that failed and waits for its next attempt."""

    class Meta(Shown.Meta):
        verbose_name = _("retry")
        verbose_name_plural = _("retries")
        default_permissions = ("view", "delete")


class ScheduledJob(Shown):
    """A job whose time has not come."""

    class Meta(Shown.Meta):
        verbose_name = _("scheduled job")
        verbose_name_plural = _("scheduled jobs")
        default_permissions = ("view", "delete")


class DeadJob(Shown):
    """A job that failed for good, or was killed."""

    class Meta(Shown.Meta):
        verbose_name = _("dead job")
        verbose_name_plural = _("dead jobs")
        default_permissions = ("view", "delete")


class Process(Shown):
    """A worker process, by its identity."""

    class Meta(Shown.Meta):
        verbose_name = _("process")
        verbose_name_plural = _("processes")
        permissions = [("signal_process", _("Can quiet and stop processes and have them dump threads"))]


class JobMetrics(Shown):
    """What one kind of job costs, by its name."""

    class Meta(Shown.Meta):
        verbose_name = _("metrics")
        verbose_name_plural = _("metrics")


class Operation(Shown):
    """A bulk action and how far it is."""

    class Meta(Shown.Meta):
        verbose_name = _("operation")
        verbose_name_plural = _("operations")
        permissions = [("run_operation", _("Can act on more jobs than one page shows"))]


class Audit(Shown):
    """Who changed what."""

    class Meta(Shown.Meta):
        verbose_name = _("audit log entry")
        verbose_name_plural = _("audit log entries")


class Configuration(Shown):
    """The settings in force, and what the doctor says."""

    class Meta(Shown.Meta):
        verbose_name = _("settings")
        verbose_name_plural = _("settings")
