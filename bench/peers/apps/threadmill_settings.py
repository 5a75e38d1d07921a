"""A Django project with threadmill."""

import os

SECRET_KEY = "bench"
INSTALLED_APPS = ["threadmill"]
TASKS = {"default": {"BACKEND": "threadmill.backends.redis.RedisTaskBackend", "REDIS_URL": os.environ["BENCH_REDIS"]}}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
USE_TZ = True
