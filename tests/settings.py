"""Django settings of the test suite."""

import os
from tempfile import gettempdir

SECRET_KEY = "only for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _database(alias: str) -> dict[str, object]:
    # Files, because a database in memory is another one in each thread, and cannot be closed.
    path = f"{gettempdir()}/kiq_django-tests-{os.getpid()}-{alias}.sqlite3"
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "TEST": {"NAME": path}}


DATABASES = {"default": _database("default"), "other": _database("other")}
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "kiq_django",
    "tests.jobsapp",
]
KIQ = {"ADAPTER": "test", "FEATURES": []}
