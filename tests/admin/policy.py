"""A strict Content Security Policy, without nonces: what a page needs beyond it, a browser refuses."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


class StrictPolicy:
    """Sets the header on each page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if getattr(settings, "STRICT_POLICY", True):  # asked each time: a live server keeps its middleware
            response.headers["Content-Security-Policy"] = POLICY
        return response
