"""With the real SDK, and a transport that keeps what it is given."""

import pytest

from kiq_django.testing import drain, enqueued
from tests.support import wait_for

sentry_sdk = pytest.importorskip("sentry_sdk")

FEATURE = "kiq_django.contrib.sentry"


@pytest.fixture
def sentry():
    """Switch the SDK on; answers what it sent."""
    from sentry_sdk.transport import Transport

    sent = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            sent.extend((item.type, item.payload.json) for item in envelope.items)

    def init(**options):
        sentry_sdk.init(
            dsn="http://key@127.0.0.1/1", transport=Kept, traces_sample_rate=1.0, default_integrations=False,
            auto_enabling_integrations=False, **options,
        )  # fmt: skip
        return sent

    yield init
    sentry_sdk.init(dsn=None)


def of(sent, kind):
    return [body for found, body in sent if found == kind]


def work():
    pass


async def awork():
    pass


def fail(*args):
    raise ValueError("no luck")


@pytest.mark.parametrize("function", [work, awork])
def test_what_the_queues_page_counts(sentry, use, declare, function):
    sent = sentry()
    use(FEATURE)
    made = declare(function, name="work", queue="mail")
    with sentry_sdk.start_transaction(name="request", op="http.server"):
        handle = made.enqueue()
    assert "sentry-trace" in enqueued()[0].document["sentry"]
    drain()
    request, run = of(sent, "transaction")
    (publish,) = [span for span in request["spans"] if span["op"] == "queue.publish"]
    (process,) = [span for span in run["spans"] if span["op"] == "queue.process"]
    for span in (publish, process):
        assert span["data"]["messaging.message.id"] == handle.id
        assert span["data"]["messaging.destination.name"] == "mail"
    assert process["data"]["messaging.message.retry.count"] == 0
    assert process["data"]["messaging.message.receive.latency"] >= 0
    assert run["contexts"]["trace"]["trace_id"] == request["contexts"]["trace"]["trace_id"]
    assert (run["transaction"], run["transaction_info"]["source"]) == ("work", "task")
    assert run["contexts"]["trace"]["status"] == "ok"


def test_only_the_last_failure_is_reported(sentry, use, declare, store, start):
    sent = sentry()
    use(FEATURE)
    declare(fail, retry=0).enqueue(1)
    start()
    wait_for(lambda: of(sent, "event"))
    (event,) = of(sent, "event")
    (error,) = event["exception"]["values"]
    assert (error["type"], error["mechanism"]) == ("ValueError", {"type": "kiq_django", "handled": False})
    assert event["contexts"]["job"]["class"] == "fail"
    assert "args" not in event["contexts"]["job"]
    assert event["tags"]["kiq.queue"] == "default"


def test_a_failure_that_is_retried_is_none(sentry, use, declare, store, start):
    from kiq_django import RetryOn

    sent, seen = sentry(), []

    def at_last():
        seen.append(1)
        if len(seen) < 3:
            raise ValueError

    use(FEATURE)
    declare(at_last, retry_on=RetryOn(ValueError, wait=0)).enqueue()
    start()
    wait_for(lambda: len(of(sent, "transaction")) >= 3 and len(seen) == 3)
    assert of(sent, "event") == []
    counts = [span["data"]["messaging.message.retry.count"] for run in of(sent, "transaction") for span in run["spans"]
              if span["op"] == "queue.process"]  # fmt: skip
    assert counts == [0, 1, 2]


def test_or_every_failure(sentry, use, declare):
    sent = sentry()
    use(f"{FEATURE}.every_failure")
    declare(fail).enqueue()
    with pytest.raises(ValueError, match="no luck"):
        drain()
    assert len(of(sent, "event")) == 1


def test_what_is_meant_is_no_failure(sentry, use, declare, store, start):
    sent = sentry()
    use(FEATURE)
    declare(fail, discard_on=ValueError).enqueue()
    start()
    wait_for(lambda: of(sent, "transaction"))
    assert of(sent, "event") == []


@pytest.mark.filterwarnings("ignore:The send_default_pii option:DeprecationWarning")
def test_arguments_only_where_personal_data_may_be_sent(sentry, use, declare, store, start):
    sent = sentry(send_default_pii=True)
    use(FEATURE)
    declare(fail, retry=0).enqueue({"to": "ann", "password": "canary"})
    start()
    wait_for(lambda: of(sent, "event"))
    (event,) = of(sent, "event")
    assert event["contexts"]["job"]["args"][0]["to"] == "ann"
    assert "canary" not in str(event["contexts"])


def test_a_field_that_makes_no_sense(sentry, use, declare, push, store, start):
    sent = sentry()
    use(FEATURE)
    declare(work)
    push("work", sentry={"sentry-trace": 5, "baggage": ["x"]})
    push("work", sentry="x")
    start()
    wait_for(lambda: len(of(sent, "transaction")) == 2)
