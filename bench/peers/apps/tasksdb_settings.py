"""A Django project with django-tasks-db on PostgreSQL."""

import os
from urllib.parse import urlsplit

_url = urlsplit(os.environ["BENCH_POSTGRES"])
SECRET_KEY = "bench"
INSTALLED_APPS = ["django.contrib.contenttypes", "django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.path.strip("/"),
        "USER": _url.username,
        "HOST": _url.hostname,
        "PORT": _url.port,
    }
}
USE_TZ = True
