"""What our templates need beside Django's own tags."""

from typing import Any

import django
from django import template
from django.template import Context
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

register = template.Library()


@register.simple_tag(takes_context=True)
def kiq_nonced(context: Context, assets: Any) -> SafeString:
    """Links to our style and script, with the page's nonce where the site's policy works with nonces."""
    nonce = context.get("csp_nonce") or getattr(context.get("request"), "csp_nonce", "")
    text = str(assets)
    if nonce:
        attribute = format_html(' nonce="{}"', nonce)
        text = text.replace("<link ", f"<link{attribute} ").replace("<script ", f"<script{attribute} ")
    return mark_safe(text)  # noqa: S308 - Django's own rendering of our own files


@register.simple_tag
def kiq_breadcrumbs(trail: Any, title: str) -> SafeString:
    """Where one is, in the markup of the Django in force: a list since 6.1, a line before."""
    steps = [(reverse("admin:index"), _("Home")), (reverse("admin:app_list", args=["kiq"]), _("Background jobs"))]
    steps += list(trail or [])
    if _lists_breadcrumbs():
        links = format_html_join("", '<li><a href="{}">{}</a></li>', steps)
        return format_html('<ol class="breadcrumbs">{}<li aria-current="page">{}</li></ol>', links, title)
    links = format_html_join("", '<a href="{}">{}</a> &rsaquo; ', steps)
    return format_html('<div class="breadcrumbs">{}{}</div>', links, title)


def _lists_breadcrumbs() -> bool:
    return django.VERSION >= (6, 1)
