"""With the real client library."""

import pytest

prometheus_client = pytest.importorskip("prometheus_client")


@pytest.fixture
def text():
    from prometheus_client import CollectorRegistry, generate_latest

    from kiq_django.contrib.prometheus import KiqCollector

    registry = CollectorRegistry()
    registry.register(KiqCollector())
    return lambda: generate_latest(registry).decode()


def value(text, name):
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[-1])


def test_figures(store, text, push):
    push("x", 1)
    push("x", 2, queue="mail")
    store.counters.add_totals(7, 2, 1.5)
    found = text()
    assert value(found, "kiq_up") == 1
    assert value(found, 'kiq_queue_size{queue="mail"}') == 1
    assert value(found, 'kiq_queue_latency_seconds{queue="default"}') >= 0
    assert value(found, 'kiq_set_size{set="retry"}') == 0
    assert value(found, "kiq_jobs_processed_total") == 7
    assert value(found, "kiq_jobs_failed_total") == 2
    assert value(found, "kiq_processes") == 0


def test_without_redis_it_says_so(settings, text):
    settings.KIQ = {**settings.KIQ, "REDIS": "redis://127.0.0.1:1/0"}
    found = text()
    assert value(found, "kiq_up") == 0
    assert "kiq_queue_size" not in found


def test_the_view(store, rf):
    from kiq_django.contrib.prometheus import metrics

    answer = metrics(rf.get("/"))
    assert answer["Content-Type"].startswith("text/plain")
    assert b"kiq_up 1.0" in answer.content
