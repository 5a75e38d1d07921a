"""Real SDKs, and jobs of the test's own."""

import pytest

from kiq_django import registry
from tests.worker.conftest import declare, push, start  # noqa: F401 - fixtures


@pytest.fixture(autouse=True)
def _own_jobs(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))


@pytest.fixture
def use(settings):
    """Switch features on."""

    def used(*features, **more):
        settings.KIQ = {**settings.KIQ, "FEATURES": list(features), **more}

    return used
