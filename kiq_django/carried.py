"""What travels with jobs and has no home in Django: to be set where work begins, and read anywhere.

`kiq_django.features.context` takes both along and brings them back.
"""

from collections.abc import Mapping
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("kiq_django.request_id", default="")
"""Of the request that led to what runs here; empty when there is none."""
trace: ContextVar[Mapping[str, str] | None] = ContextVar("kiq_django.trace", default=None)
"""W3C trace context: `traceparent` and, where there is one, `tracestate`."""
