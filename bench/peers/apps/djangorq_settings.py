"""A Django project with django-rq."""

import os

SECRET_KEY = "bench"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_rq"]
RQ_QUEUES = {"default": {"URL": os.environ["BENCH_REDIS"], "DEFAULT_RESULT_TTL": 0}}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
USE_TZ = True
