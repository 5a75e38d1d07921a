"""The one table of the outbox."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Entry(models.Model):
    """A job that was enqueued in a transaction of this database, and that Redis may not have yet."""

    jid = models.CharField(primary_key=True, max_length=128)
    """Ids begin with their time, so that their order is that of enqueueing."""
    payload = models.BinaryField()
    """As it was enqueued; the client links see it on its way to Redis."""
    replicas = models.PositiveSmallIntegerField(default=0)
    """How many replicas must have it."""
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[models.Manager["Entry"]] = models.Manager()

    class Meta:
        app_label = "kiq_outbox"  # imported before the app is installed, or without it, it would be one of kiq_django's
        verbose_name = _("job in the outbox")
        verbose_name_plural = _("jobs in the outbox")
        default_permissions = ()

    def __str__(self) -> str:
        return self.jid
