"""A Django project with nothing but us in it."""

import os

SECRET_KEY = "bench"
INSTALLED_APPS = ["kiq_django"]
KIQ = {"REDIS": os.environ["BENCH_REDIS"], "WORKER": {}}
if (concurrency := int(os.environ.get("BENCH_CONCURRENCY", "10"))) > 100:
    KIQ["WORKER"]["async_concurrency"] = concurrency
if recovery := os.environ.get("BENCH_RECOVERY"):
    KIQ["WORKER"] |= {"heartbeat": int(recovery) / 5, "lease": int(recovery)}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
USE_TZ = True
