"""Sentry: spans for its Queues page, one trace for request and job, and an event for each job that is dead.

`KIQ["FEATURES"] = [..., "kiq_django.contrib.sentry"]`, beside `sentry_sdk.init(...)` of the project.
`"kiq_django.contrib.sentry.every_failure"` instead: an event for each failed run, and not for the last one alone.
Arguments are sent only with Sentry's own `send_default_pii`, and without what goes by a secret name.
Needs `sentry-sdk` 2 (`pip install "kiq-django[sentry]"`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import sentry_sdk
from sentry_sdk.integrations.logging import ignore_logger
from sentry_sdk.tracing import Span
from sentry_sdk.utils import event_from_exception

from kiq_django import clock, context, plugins, redaction, routing, signals
from kiq_django.exceptions import Discard
from kiq_django.middleware import Around
from kiq_django.payload import Payload
from kiq_django.plugins import Feature

FIELD: Final = "sentry"
"""Of the payload: an object of the headers `sentry-trace` and `baggage`."""
ORIGIN: Final = "auto.queue.kiq_django"


def _publish(payload: Payload, proceed: Callable[[Payload], Payload | None]) -> Payload | None:
    with sentry_sdk.start_span(op="queue.publish", name=payload.display_name, origin=ORIGIN) as span:
        _describe(span, payload, payload.queue)
        headers = {"sentry-trace": sentry_sdk.get_traceparent(), "baggage": sentry_sdk.get_baggage()}
        found = {name: text for name, text in headers.items() if text}
        return proceed(payload.evolve(**{FIELD: found}) if found else payload)


@contextmanager
def _process(payload: Payload, *, is_eager: bool = False) -> Iterator[None]:
    """A transaction around each run, with the span that the Queues page counts."""
    running = context.current_job()
    queue, attempt = (running.queue, running.attempt) if running else (payload.queue, 1)
    with (
        _scope_of(payload) as transaction,
        sentry_sdk.start_transaction(transaction),
        sentry_sdk.start_span(op="queue.process", name=payload.display_name, origin=ORIGIN) as span,
    ):
        _describe(span, payload, queue)
        span.set_data("messaging.message.retry.count", attempt - 1)
        span.set_data("messaging.message.receive.latency", _latency(payload))
        try:
            yield
        except BaseException as error:
            transaction.set_status("internal_error")
            if is_eager and not _is_meant(error, payload):
                _report(error)
            raise
        transaction.set_status("ok")


@contextmanager
def _scope_of(payload: Payload) -> Iterator[Any]:
    """What is told of everything that happens inside: whose run it is."""
    with sentry_sdk.isolation_scope() as scope:
        scope.set_transaction_name(payload.display_name, source="task")
        scope.set_tag("kiq.jid", payload.jid)
        scope.set_tag("kiq.queue", payload.queue)
        scope.set_context("job", _told(payload))
        yield sentry_sdk.continue_trace(
            _headers(payload), op="queue.process", name=payload.display_name, source="task", origin=ORIGIN
        )


def _told(payload: Payload) -> dict[str, Any]:
    told: dict[str, Any] = {"jid": payload.jid, "class": payload.display_name}
    told |= {"queue": payload.queue, "tags": payload.tags}
    if sentry_sdk.get_client().should_send_default_pii():
        told["args"], told["kwargs"] = redaction.redact_call(payload, routing.find(payload))
    return told


def _headers(payload: Payload) -> dict[str, Any]:
    found = payload.document.get(FIELD)
    given = found if isinstance(found, dict) else {}
    return {str(name): text for name, text in given.items() if isinstance(text, str)}


def _describe(span: Span, payload: Payload, queue: str) -> None:
    span.set_data("messaging.system", "kiq_django")
    span.set_data("messaging.message.id", payload.jid)
    span.set_data("messaging.destination.name", queue)


def _latency(payload: Payload) -> float:
    """Milliseconds that it has waited in its queue."""
    since = payload.enqueued_at
    return max(0.0, (clock.now() - since) * 1000) if since is not None else 0.0


def _is_meant(error: BaseException, payload: Payload) -> bool:
    """A job that ends itself so, or says in `discard_on` that this is its end, has not failed."""
    definition = routing.find(payload)
    return isinstance(error, (Discard, *(definition.options.discard_on if definition else ())))


def _report(error: BaseException) -> None:
    mechanism = {"type": "kiq_django", "handled": False}
    options = sentry_sdk.get_client().options
    event, hint = event_from_exception(error, client_options=options, mechanism=mechanism)
    sentry_sdk.capture_event(event, hint=hint)


def _report_death(payload: Payload | None, error: BaseException, **_: Any) -> None:
    """A job is dead, or dropped: once it is stored that it is."""
    if payload is None or feature not in plugins.features() or _is_meant(error, payload):
        return
    with _scope_of(payload):
        _report(error)


signals.job_dead.connect(_report_death, dispatch_uid="kiq_django.contrib.sentry")
for name in ("kiq_django.job", "kiq_django"):  # whose lines of failures would be events of their own
    ignore_logger(name)

feature = Feature(name="sentry", client=_publish, server=Around(_process))
every_failure = Feature(name="sentry", client=_publish, server=Around(partial(_process, is_eager=True)))
