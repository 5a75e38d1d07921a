"""The dashboard: pages of the Django admin under "Background jobs".

Django's default admin site gets them by itself. A site of your own asks for them: `kiq_django.admin.register(site)`.
"""

from django.contrib import admin

from kiq_django.admin.pages import PAGES


def register(site: admin.AdminSite) -> None:
    """Add all pages to an admin site."""
    for model, page in PAGES.items():
        site.register(model, page)


register(admin.site)
