"""`"kiq_django.outbox"` in INSTALLED_APPS."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OutboxConfig(AppConfig):
    """Brings a table along, and the feature by which workers empty it."""

    name = "kiq_django.outbox"
    label = "kiq_outbox"
    verbose_name = _("Outbox of background jobs")
    default_auto_field = "django.db.models.BigAutoField"
    kiq_feature = "kiq_django.features.outbox"
