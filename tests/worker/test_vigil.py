"""What a worker says of a Redis whose configuration changes while it works."""

import logging

import pytest

from kiq_django.worker.vigil import Vigil


@pytest.fixture
def policy(store):
    """Change what the server does when it is full."""
    yield lambda name: store.link.client.config_set("maxmemory-policy", name)
    store.link.client.config_set("maxmemory-policy", "noeviction")


def said(caplog):
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_eviction_is_told_once_and_so_is_its_end(store, policy, caplog):
    caplog.set_level(logging.INFO, "kiq_django")
    vigil = Vigil(store)
    vigil.tick()
    assert said(caplog) == []
    policy("allkeys-lru")
    vigil.tick()
    vigil.tick()
    [(level, text)] = said(caplog)
    assert level == "ERROR"
    assert "allkeys-lru" in text
    assert "noeviction" in text
    policy("noeviction")
    vigil.tick()
    vigil.tick()
    assert [level for level, _ in said(caplog)] == ["ERROR", "INFO"]


def test_who_wants_it_so_hears_nothing(store, policy, settings, caplog):
    settings.KIQ = {**settings.KIQ, "WORKER": {"allow_eviction": True}}
    policy("volatile-lru")
    Vigil(store).tick()
    assert said(caplog) == []


def test_every_worker_has_one(start):
    assert any(isinstance(service, Vigil) for service in start().services)
