"""The app: finds the project's jobs. Nothing here connects anywhere, or imports Redis."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class KiqConfig(AppConfig):
    """`"kiq_django"` in INSTALLED_APPS."""

    name = "kiq_django"
    label = "kiq"
    verbose_name = _("Background jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from kiq_django import checks, jobs, registry

        registry.autodiscover()
        jobs.refuse_unknown_options()
        checks.register_all()
