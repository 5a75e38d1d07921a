"""In which of the forms that Sidekiq's versions know a payload leaves this process."""

from kiq_django import conf
from kiq_django.payload import Payload

TIMES = ("created_at", "enqueued_at", "failed_at", "retried_at")


def outgoing(payload: Payload) -> Payload:
    """A payload as it is to be stored: times as `KIQ["SIDEKIQ"]["integer_times"]` wants them."""
    return in_milliseconds(payload) if conf.get().sidekiq.integer_times else payload


def in_milliseconds(payload: Payload) -> Payload:
    """The payload with its times as whole milliseconds, which only Sidekiq 8 reads."""
    document = payload.document
    fields = {name: round(document[name] * 1000) for name in TIMES if type(document.get(name)) is float}
    return payload.evolve(**fields) if fields else payload
