"""Settings of the photo and order desk. All files that come into being at run time are below `VAR`."""

import os
from pathlib import Path

import django

from example_project import database, secret

HERE = Path(__file__).resolve().parent
VAR = Path(os.environ.get("KIQ_DEMO_VAR") or HERE / "var").resolve()
UPLOADS = VAR / "uploads"
MEDIA_ROOT = VAR / "media"
MAILS = VAR / "mails"
for folder in (UPLOADS, MEDIA_ROOT, MAILS):
    folder.mkdir(parents=True, exist_ok=True)

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or secret.stored_in(VAR / "secret-key")
DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "kiq_django",
    "example_project.desk",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": database.from_url(os.environ.get("DATABASE_URL"), sqlite=VAR / "desk.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
MEDIA_URL = "media/"

SESSION_COOKIE_NAME = "desk_session"  # cookies know no ports: other projects on 127.0.0.1 keep theirs
CSRF_COOKIE_NAME = "desk_csrf"
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"

TO_FILES = "django.core.mail.backends.filebased.EmailBackend"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": TO_FILES, "OPTIONS": {"file_path": MAILS}}}
else:
    EMAIL_BACKEND, EMAIL_FILE_PATH = TO_FILES, MAILS
DEFAULT_FROM_EMAIL = "Photo desk <desk@example.com>"

DESK_SERVICE = os.environ.get(
    "DESK_SERVICE", "http://127.0.0.1:8099"
)  # the courier and the bank; `manage.py demo` starts it

REDIS_URL = os.environ.get("REDIS_URL")
KIQ = {
    # A real Valkey that the processes of this project share, unless there is a Redis to use.
    "REDIS": REDIS_URL or f"embedded:{VAR / 'valkey'}",
    # On a server that others use too, the desk keeps to its own keys: its worker must not run their jobs.
    "PREFIX": os.environ.get("KIQ_PREFIX", "desk:" if REDIS_URL else ""),
    "QUEUES": {"mail": 3, "default": 2, "imports": 1, "photos": 1},
    "DEFAULTS": {"retry": 5},
    "MIDDLEWARE": {"server": ["example_project.desk.middleware.keep_book"]},
    # Far quicker than a server needs it, to watch retries, scheduled jobs and the recovery after a kill.
    "WORKER": {"concurrency": 5, "shutdown_timeout": 10, "poll_interval": 0.5, "heartbeat": 1, "lease": 5},
}
