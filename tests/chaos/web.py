"""A site that enqueues jobs: gunicorn loads it before it forks, and by then it has spoken to Redis already."""

from collections.abc import Callable, Iterable
from typing import Any

import django

django.setup()

from kiq_django import store as stores  # noqa: E402 - Django has to be ready
from tests.acceptance.app.jobs import touch  # noqa: E402

touch.enqueue(0)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Enqueue the job of a number, and say what Redis has answered to another one."""
    number = int(environ["PATH_INFO"].strip("/"))
    touch.enqueue(number)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [stores.get().link.call("ECHO", number)]
