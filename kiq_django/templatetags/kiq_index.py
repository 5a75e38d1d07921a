"""The Overview as the index of the app: it is what one expects behind "Background jobs"."""

from typing import Any

from django import template
from django.contrib import admin
from django.http import HttpRequest
from django.template import Context
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from kiq_django import models
from kiq_django.exceptions import ConfigurationError, StoreError

register = template.Library()


@register.simple_tag(takes_context=True)
def kiq_index(context: Context) -> SafeString | str:
    """The Overview without its frame; empty for whoever may not see it, who gets the list of pages."""
    request: HttpRequest = context["request"]
    page = _page(context)
    if page is None or not page.has_view_permission(request):
        return ""
    try:
        shown = page.context(request, **page.everything(request))
        return render_to_string("admin/kiq/index_overview.html", shown, request)
    except (StoreError, ConfigurationError) as error:
        return render_to_string("admin/kiq/index_away.html", {"error": error}, request)


@register.simple_tag(takes_context=True)
def kiq_media(context: Context) -> Any:
    """Our style and script."""
    page = _page(context)
    return page.media if page else ""


def _page(context: Context) -> Any:
    """The Overview of the admin site that shows this index, whichever that is."""
    name = getattr(context["request"], "current_app", "admin")
    sites = [site for site in admin.sites.all_sites if site.name == name]
    return next((site._registry[models.Overview] for site in sites if models.Overview in site._registry), None)
