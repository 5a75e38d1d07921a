"""From settings, file and command line to one configuration."""

import pytest

from kiq_django.exceptions import ConfigurationError
from kiq_django.management.worker_options import worker_config


@pytest.fixture
def configured(tmp_path):
    """The configuration that a file gives."""

    def configure(text, **options):
        path = tmp_path / "worker.toml"
        path.write_text(text)
        return worker_config({"config": str(path), "environment": None, **options})

    return configure


@pytest.mark.parametrize(
    "text",
    [
        "concurrency = 2.5",
        "concurrency = inf",
        "async_concurrency = 1.5",
        "timeout = nan",
        "heartbeat = 0",
        "lease = 0",
        "lease = 2\nheartbeat = 5",
        'labels = "web"',
        "tag = 5",
        'queues = [["a", 1, 2]]',
    ],
)
def test_a_value_that_cannot_work_is_refused(configured, text):
    with pytest.raises(ConfigurationError):
        configured(text)


@pytest.mark.parametrize("text", ["capsules = []", "queues = [[]]", "production = 5"])
def test_a_shape_that_cannot_be_is_refused(configured, text):
    with pytest.raises(ConfigurationError):
        configured(text, environment="production")
