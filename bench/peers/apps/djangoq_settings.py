"""A Django project with django-q2 on Redis."""

import os

RECOVERY = int(os.environ.get("BENCH_RECOVERY", "120"))
SECRET_KEY = "bench"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_q"]
Q_CLUSTER = {
    "name": "bench",
    "workers": int(os.environ.get("BENCH_CONCURRENCY", "2")),
    "timeout": RECOVERY - 1,
    "retry": RECOVERY,
    "queue_limit": 500,
    "save_limit": -1,  # successes are not saved
    "bulk": 10,
    "redis": os.environ["BENCH_REDIS"],
    "log_level": "WARNING",
}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["BENCH_DIRECTORY"] + "/db.sqlite3"}}
USE_TZ = True
