"""A Django project with nothing but us in it."""

import os

SECRET_KEY = "bench"
INSTALLED_APPS = ["kiq_django"]
KIQ = {"REDIS": os.environ["BENCH_REDIS"]}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
USE_TZ = True
