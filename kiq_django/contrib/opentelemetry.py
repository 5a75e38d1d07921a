"""Spans of OpenTelemetry around enqueueing and running, joined by W3C trace context in the payload.

`KIQ["FEATURES"] = [..., "kiq_django.contrib.opentelemetry"]`: a run is a child of the span that enqueued it.
`"kiq_django.contrib.opentelemetry.linked"` instead: a run begins a trace of its own, with a link to that span.
Needs `opentelemetry-api` (`pip install "kiq-django[opentelemetry]"`); where spans go is a matter of the project's SDK.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from opentelemetry import context as contexts
from opentelemetry import propagate, trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from kiq_django import context
from kiq_django.exceptions import Discard
from kiq_django.middleware import Around
from kiq_django.payload import Payload
from kiq_django.plugins import Feature
from kiq_django.version import __version__

SYSTEM: Final = "kiq_django"


def _tracer() -> trace.Tracer:
    return trace.get_tracer("kiq_django", __version__)


def _attributes(payload: Payload, queue: str, operation: str, kind: str) -> dict[str, Any]:
    return {
        "messaging.system": SYSTEM,
        "messaging.destination.name": queue,
        "messaging.message.id": payload.jid,
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "kiq.job": payload.display_name,
    }


def _publish(payload: Payload, proceed: Callable[[Payload], Payload | None]) -> Payload | None:
    """A span for the making of the message; its context travels with the job."""
    attributes = _attributes(payload, payload.queue, "enqueue", "create")
    with _tracer().start_as_current_span(
        f"enqueue {payload.display_name}", kind=SpanKind.PRODUCER, attributes=attributes
    ):
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return proceed(payload.evolve(**carrier) if carrier else payload)


@contextmanager
def _process(payload: Payload, *, is_linked: bool = False) -> Iterator[None]:
    """A span around each run."""
    carrier = {name: text for name, text in payload.document.items() if isinstance(text, str)}
    parent = propagate.extract(carrier, context=contexts.Context())
    found = trace.get_current_span(parent).get_span_context()
    links = [Link(found)] if is_linked and found.is_valid else []
    running = context.current_job()
    attributes = _attributes(payload, running.queue if running else payload.queue, "process", "process")
    attributes["kiq.attempt"] = running.attempt if running else 1
    with _tracer().start_as_current_span(
        f"process {payload.display_name}",
        context=contexts.Context() if is_linked else parent,
        kind=SpanKind.CONSUMER,
        links=links,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except BaseException as error:
            _note(span, error)
            raise


def _note(span: Span, error: BaseException) -> None:
    """A job that discards itself has not failed."""
    if not isinstance(error, Discard):
        span.record_exception(error)
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(Status(StatusCode.ERROR, str(error)[:200]))


feature = Feature(name="opentelemetry", client=_publish, server=Around(_process))
linked = Feature(name="opentelemetry", client=_publish, server=Around(partial(_process, is_linked=True)))
