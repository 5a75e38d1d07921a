"""Where somebody came from, to lead back there: a path of this site, whatever a browser tells."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

FIELD = "back"
"""Of a form, which remembers it from one page to the next."""


def back(request: HttpRequest) -> str:
    """The page with the form that was sent, with its filters; empty when that is not known."""
    told = request.POST.get(FIELD) or request.headers.get("referer", "")
    if not url_has_allowed_host_and_scheme(told, {request.get_host()}):
        return ""
    path = urlsplit(told)._replace(scheme="", netloc="", fragment="").geturl()
    return path if path[:1] == "/" and url_has_allowed_host_and_scheme(path, None) else ""
