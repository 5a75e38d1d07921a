"""Settings of the worker processes that acceptance tests start; what varies comes by environment."""

import json
import os
from pathlib import Path

SECRET_KEY = "only for tests"
USE_TZ = True
DEBUG = False
DIRECTORY = Path(os.environ.get("KIQ_TEST_DIRECTORY", "."))
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DIRECTORY / "db.sqlite3"}}
INSTALLED_APPS = ["kiq_django", "tests.acceptance.app"]
KIQ = {
    "REDIS": os.environ.get("KIQ_TEST_URL", "redis://127.0.0.1:1/0"),
    "QUEUES": ["critical", "default"],
    "WORKER": {"poll_interval": 0.2, "heartbeat": 0.5, "lease": 2.5},
    **json.loads(os.environ.get("KIQ_TEST_WHERE", "{}")).get(os.environ.get("KIQ_TEST_URL"), {}),
    **json.loads(os.environ.get("KIQ_TEST_KIQ", "{}")),
}
