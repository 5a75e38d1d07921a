"""A web application for gunicorn, with the project of the acceptance tests behind it."""

import os

import django

django.setup()


def application(environ, start_response):
    """Says who answered."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
