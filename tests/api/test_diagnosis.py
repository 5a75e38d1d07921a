"""What the doctor finds."""

import pytest
from django.test import override_settings

from kiq_django import store as stores
from kiq_django.api import Queue
from kiq_django.api.diagnosis import configuration, diagnose, server, workers


def by_topic(findings):
    return {finding.topic: finding for finding in findings}


@pytest.fixture
def configured(store):
    """Change the server's configuration, and change it back."""
    before = {}

    def configured(**options):
        for name, value in options.items():
            name = name.replace("_", "-")
            before.setdefault(name, store.link.client.config_get(name)[name])
            store.link.call("CONFIG", "SET", name, value)
        return by_topic(server(store))

    yield configured
    for name, value in before.items():
        store.link.call("CONFIG", "SET", name, value)


def test_everything_is_looked_at():
    found = by_topic(diagnose())
    expected = {"kiq_django", "python", "django", "redis-py", "hiredis", "orjson", "adapter", "queues", "features"}
    expected |= {"connection", "server", "role", "persistence", "eviction", "memory", "clock", "round trip"}
    assert expected | {"processes"} == set(found)
    assert not [finding for finding in found.values() if finding.level == "error"]
    assert all(finding.remedy for finding in found.values() if finding.level == "warn")


def test_persistence(configured):
    assert configured(save="")["persistence"].level == "warn"
    assert "a restart of the server loses all jobs" in configured(save="")["persistence"].text
    assert "snapshots alone" in configured(save="3600 1")["persistence"].text
    assert configured(appendonly="yes")["persistence"].level == "ok"


def test_eviction(configured, settings):
    assert configured()["eviction"].level == "ok"
    found = configured(maxmemory_policy="allkeys-lru")["eviction"]
    assert found.level == "error"
    assert "allkeys-lru" in found.text
    settings.KIQ = {**settings.KIQ, "WORKER": {"allow_eviction": True}}
    assert by_topic(server(stores.get()))["eviction"].level == "warn"


def test_memory(configured):
    assert "no limit" in configured()["memory"].text
    assert configured(maxmemory=str(2**30))["memory"].level == "ok"
    assert configured(maxmemory=str(2**20))["memory"].level == "warn"


def test_clock(store, monkeypatch):
    from kiq_django import clock

    for ahead, level in ((0, "ok"), (5, "warn"), (-120, "error")):
        now = clock.now
        monkeypatch.setattr(clock, "now", lambda now=now, ahead=ahead: now() + ahead)
        found = by_topic(server(store))["clock"]
        monkeypatch.undo()
        assert found.level == level
        assert f"{ahead:+d}." in found.text or ahead == 0


def test_workers(store, put, beat):
    assert by_topic(workers(store))["processes"].level == "warn"
    beat("a:1:x")
    put(queue="default")
    put(queue="pdf")
    Queue("mail").pause(by="ann", reason="provider is down")
    found = by_topic(workers(store))
    assert found["processes"].text == "1, 0 of 5 threads busy"
    assert "queue default" not in found
    assert found["queue pdf"].remedy == "manage.py runworker -q pdf"
    assert "ann: provider is down" in found["queue mail"].text


def test_a_quiet_process_serves_nothing(store, put, beat):
    beat("a:1:x", quiet="true")
    put()
    assert "queue default" in by_topic(workers(store))


def test_redis_away():
    with override_settings(KIQ={"REDIS": "redis://user:secret@127.0.0.1:1/0"}):
        found = diagnose()
    assert found[-1].topic == "connection"
    assert found[-1].level == "error"
    assert "127.0.0.1:1" in found[-1].text
    assert "secret" not in str(found)


def test_settings_that_cannot_be_used():
    with override_settings(KIQ={"QUEUE": {}}):
        found = [finding for finding in diagnose() if finding.level == "error"]
    assert [finding.topic for finding in found] == ["settings"]
    assert "Did you mean 'QUEUES'?" in found[0].text


def test_features_that_do_not_load():
    with override_settings(KIQ={"FEATURES": ["nowhere"]}):
        assert by_topic(configuration())["features"].level == "error"


def test_a_target_that_means_nothing():
    with override_settings(KIQ={"REDIS": "localhost:6379"}):
        assert diagnose()[-1].level == "error"
