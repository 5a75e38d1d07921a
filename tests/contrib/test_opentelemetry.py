"""With the real SDK, and its exporter in memory."""

import pytest

from kiq_django.exceptions import Discard
from kiq_django.testing import drain, enqueued
from tests.support import wait_for

trace = pytest.importorskip("opentelemetry.trace")
pytest.importorskip("opentelemetry.sdk")

FEATURE = "kiq_django.contrib.opentelemetry"


@pytest.fixture
def spans(monkeypatch):
    """What was exported, and a provider of this test's own."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider, exporter = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield lambda: {span.name: span for span in exporter.get_finished_spans()}
    provider.shutdown()


def work():
    trace.get_current_span().set_attribute("inside", True)


async def awork():
    trace.get_current_span().set_attribute("inside", True)


def fail(error=ValueError):
    raise error("no luck")


@pytest.mark.parametrize("function", [work, awork])
def test_a_run_is_a_child_of_who_enqueued_it(spans, use, declare, function):
    use(FEATURE)
    made = declare(function, name="work", queue="mail")
    with trace.get_tracer("test").start_as_current_span("request"):
        handle = made.enqueue()
    (payload,) = enqueued()
    assert payload.document["traceparent"].startswith("00-")
    drain()
    found = spans()
    request, publish, process = found["request"], found["enqueue work"], found["process work"]
    assert publish.parent.span_id == request.context.span_id
    assert process.parent.span_id == publish.context.span_id
    assert process.context.trace_id == request.context.trace_id
    assert (publish.kind.name, process.kind.name) == ("PRODUCER", "CONSUMER")
    assert dict(process.attributes) == {
        "messaging.system": "kiq_django",
        "messaging.destination.name": "mail",
        "messaging.message.id": handle.id,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "kiq.job": "work",
        "kiq.attempt": 1,
        "inside": True,
    }
    assert publish.attributes["messaging.operation.type"] == "create"


def test_or_a_trace_of_its_own_with_a_link(spans, use, declare):
    use(f"{FEATURE}.linked")
    declare(work).enqueue()
    drain()
    publish, process = spans()["enqueue work"], spans()["process work"]
    assert process.parent is None
    assert process.context.trace_id != publish.context.trace_id
    assert [link.context.span_id for link in process.links] == [publish.context.span_id]


def test_failures(spans, use, declare):
    use(FEATURE)
    declare(fail).enqueue()
    with pytest.raises(ValueError, match="no luck"):
        drain()
    span = spans()["process fail"]
    assert (span.status.status_code.name, span.attributes["error.type"]) == ("ERROR", "ValueError")
    assert [event.name for event in span.events] == ["exception"]


def test_a_discard_is_no_failure(spans, use, declare):
    def discards():
        raise Discard

    use(FEATURE)
    declare(discards).enqueue()
    drain()
    assert spans()["process discards"].status.status_code.name == "UNSET"


@pytest.mark.parametrize("told", ["", "nonsense", 5, None, "00-zz-1-1"])
def test_a_trace_that_makes_no_sense(spans, use, declare, push, store, start, told):
    use(FEATURE)
    declare(work)
    push("work", traceparent=told)
    start()
    wait_for(lambda: "process work" in spans())
    assert spans()["process work"].parent is None
