"""What jobs take along: language, time zone, request id, trace, variables."""

import contextvars
import threading
from contextvars import ContextVar

import pytest
from django.db import transaction
from django.utils import timezone, translation

from kiq_django import carried, conf, execution, job, registry, signals
from kiq_django.exceptions import ConfigurationError, PayloadError
from kiq_django.payload import Payload
from kiq_django.testing import drain, enqueued
from tests.support import wait_for
from tests.worker.conftest import declare, start  # noqa: F401 - fixtures

tenant: ContextVar[str] = ContextVar("tenant")
seen: list = []
FEATURE = "kiq_django.features.context"


def look(*_):
    zone = timezone.get_current_timezone_name()
    key = getattr(timezone.get_current_timezone(), "key", zone)
    seen.append((translation.get_language(), key, tenant.get(None), carried.request_id.get(), carried.trace.get()))


def request_id_of_project():
    return "r-1"


async def alook():
    look()


@pytest.fixture(autouse=True)
def _on(settings, monkeypatch):
    seen.clear()
    translation.deactivate()  # a request of another test may have left its language here
    timezone.deactivate()
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))
    settings.KIQ = {
        **settings.KIQ,
        "FEATURES": [FEATURE],
        "CONTEXT": {"variables": {"tenant": "tests.features.test_context.tenant"}},
    }


@pytest.fixture
def there():
    """A request from Germany."""
    token = tenant.set("acme")
    trace = carried.trace.set({"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
    ids = carried.request_id.set("abc")
    with translation.override("de"), timezone.override("Europe/Berlin"):
        yield
    tenant.reset(token)
    carried.trace.reset(trace)
    carried.request_id.reset(ids)


BROUGHT = ("de", "Europe/Berlin", "acme", "abc", {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
HERE = ("en-us", "America/Chicago", None, "", None)


@pytest.fixture
def elsewhere():
    """Ends what `there` set: the worker is another place."""

    def run(function):
        thread = threading.Thread(target=contextvars.Context().run, args=[function])
        thread.start()
        thread.join()

    return run


@pytest.mark.parametrize("function", [look, alook])
def test_a_job_runs_where_it_was_enqueued(there, elsewhere, function):
    job(name="x")(function).enqueue()
    elsewhere(lambda: (drain(), look()))
    assert seen == [BROUGHT, HERE]


@pytest.mark.django_db(transaction=True)
def test_what_counts_is_the_call_and_not_the_commit(elsewhere):
    made = job(name="x")(look)
    with transaction.atomic():
        with translation.override("de"):
            made.enqueue()
        with timezone.override("Europe/Berlin"):
            made.enqueue()
    elsewhere(drain)
    assert [each[:2] for each in seen] == [("de", HERE[1]), (HERE[0], "Europe/Berlin")]


def test_nothing_is_added_where_nothing_differs(settings):
    job(name="x")(look).enqueue()
    assert not {"locale", "kiq_context", "traceparent"} & set(enqueued()[0].document)


def test_a_job_hands_on_what_it_got(there, elsewhere):
    inner = job(name="inner")(look)

    def outer():
        inner.enqueue()

    job(name="outer")(outer).enqueue()
    elsewhere(drain)
    assert seen == [BROUGHT]


def test_hooks_too(there, elsewhere, store, start):  # noqa: F811
    def fails():
        raise ValueError

    looks = []

    def dead(**_):
        look()
        looks.append("dead")

    def retry_in(count, error):
        look()

    signals.job_dead.connect(dead)
    made = job(name="fails", retry=0, retry_in=retry_in, retries_exhausted=look)(fails)
    made.enqueue()
    elsewhere(lambda: start())
    wait_for(lambda: looks)
    signals.job_dead.disconnect(dead)
    assert seen == [BROUGHT, BROUGHT]


@pytest.mark.parametrize(
    "fields",
    [
        {"locale": 5, "kiq_context": "x", "traceparent": []},
        {"locale": "tlh", "kiq_context": {"timezone": "Mars/Base", "request_id": {}, "variables": [1]}},
        {"locale": "x" * 1000, "kiq_context": {"timezone": "../../etc/passwd", "variables": {"other": 1}}},
        {"locale": ["de"], "kiq_context": {"timezone": {"a": 1}}},
    ],
)
def test_what_makes_no_sense_is_passed_over(fields):
    job(name="x")(look)
    payload = Payload.new("x", [], {}, queue="default", retry=True, now=1.5, **fields)
    outcome = execution.run(payload, "default")
    assert outcome.error is None
    assert seen == [HERE]


@pytest.mark.parametrize(("told", "language"), [("de", "de"), ("pt-BR", "pt-br"), ("fr_CA", "fr")])
def test_the_language_of_a_job_from_ruby(told, language):
    job(name="x")(look)
    execution.run(Payload.new("x", [], {}, queue="default", retry=True, now=1.5, locale=told), "default")
    assert seen[0][0] == language


def test_the_request_id_by_a_function(settings):
    settings.KIQ = {**settings.KIQ, "CONTEXT": {"request_id": "tests.features.test_context.request_id_of_project"}}
    job(name="x")(look).enqueue()
    drain()
    assert seen[0][3] == "r-1"


def test_switches(settings, there):
    settings.KIQ = {**settings.KIQ, "CONTEXT": {"language": False, "time_zone": False, "trace": False}}
    job(name="x")(look).enqueue()
    assert enqueued()[0].document["kiq_context"] == {"request_id": "abc"}


def test_a_variable_that_is_none(settings):
    settings.KIQ = {**settings.KIQ, "CONTEXT": {"variables": {"a": "tests.features.test_context.look"}}}
    with pytest.raises(ConfigurationError, match="not a ContextVar"):
        job(name="x")(look).enqueue()


def test_a_value_that_cannot_travel():
    token = tenant.set(object())
    try:
        with pytest.raises(PayloadError, match="cannot travel"):
            job(name="x")(look).enqueue()
    finally:
        tenant.reset(token)


def test_it_is_on_unless_told_otherwise():
    assert FEATURE in conf.read({})[0].features
