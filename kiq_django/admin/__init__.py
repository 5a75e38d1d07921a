"""The dashboard: pages of the Django admin under "Background jobs".

Django's default admin site gets them by itself. A site of your own asks for them: `kiq_django.admin.register(site)`.
"""

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.utils.functional import SimpleLazyObject

from kiq_django.admin.pages import PAGES, made


def register(site: admin.AdminSite) -> None:
    """Add all pages to an admin site."""
    for model in PAGES:
        site.register(model, _later)  # type: ignore[arg-type] # Django only calls it


def _later(model: type[Model], site: admin.AdminSite) -> Any:
    """A page that is made when it is first asked for anything, which is when the site's URLs are. Django finds the
    admin in every process, also in those that serve no pages: workers, shells, most commands.
    """
    return SimpleLazyObject(partial(made, model, site))


register(admin.site)
