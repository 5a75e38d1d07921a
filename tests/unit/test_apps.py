"""What happens when Django starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kiq_django
from kiq_django import registry

ROOT = Path(__file__).parents[2]


def python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_start_up_imports_no_redis_and_finds_the_jobs():
    done = python(
        "import django, sys; django.setup()\n"
        "from kiq_django import registry\n"
        "assert 'tests.jobsapp.jobs.invoice' in registry.all_jobs()\n"
        "assert 'redis' not in sys.modules, 'redis'\n"
        "assert 'kiq_django.store' not in sys.modules, 'store'\n"
    )
    assert done.returncode == 0, done.stderr


def test_start_up_loads_jobs_and_checks_and_no_pages():
    """The admin is found by every process, its pages are for those that have its URLs."""
    done = python(
        "import django, sys; django.setup()\n"
        "from django.contrib import admin\n"
        "from kiq_django import models\n"
        "assert admin.site.is_registered(models.Overview)\n"
        "rooms = {'.'.join(name.split('.')[:3]) for name in sys.modules if name.startswith('kiq_django.')}\n"
        "others = 'admin api contrib features log management store task_backend templatetags testing worker'.split()\n"
        "found = sorted(room for room in rooms if room.split('.')[1] in others)\n"
        "assert found == ['kiq_django.admin', 'kiq_django.admin.pages'], found\n"
        "assert 'kiq_django.deadline' not in sys.modules\n"
        "from django.urls import reverse\n"
        "reverse('admin:index')\n"
        "from kiq_django.admin.pages.overview import OverviewPage\n"
        "assert isinstance(admin.site.get_model_admin(models.Overview), OverviewPage)\n"
    )
    assert done.returncode == 0, done.stderr


def test_the_package_imports_nothing_until_a_name_is_used():
    done = python(
        "import sys, kiq_django\n"
        "assert not [name for name in sys.modules if name.startswith('kiq_django.') and name != 'kiq_django.version']\n"
        "kiq_django.job\n"
        "assert 'kiq_django.jobs' in sys.modules\n"
    )
    assert done.returncode == 0, done.stderr


def test_jobs_of_installed_apps_are_known():
    assert "tests.jobsapp.jobs.invoice" in registry.all_jobs()


def test_public_names():
    for name in kiq_django.__all__:
        assert getattr(kiq_django, name) is not None
        assert name in dir(kiq_django)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = kiq_django.nothing


def test_it_needs_no_other_app_of_django():
    """No admin, no auth, no contenttypes, no database: jobs run all the same."""
    code = """
import sys, django
from django.conf import settings
settings.configure(INSTALLED_APPS=["kiq_django"], KIQ={"ADAPTER": "inline"}, SECRET_KEY="x", USE_TZ=True)
django.setup()
from django.core.management import call_command
call_command("check")
call_command("makemigrations", "--check", "--dry-run")
assert "redis" not in sys.modules
from kiq_django import job
from kiq_django.testing import enqueued

@job(name="add", result=True)
def add(a, b):
    return a + b

assert add.enqueue(1, 2).result() == 3
import kiq_django.management.commands.kiq, kiq_django.management.commands.runworker
foreign = [name for name in sys.modules if name.startswith("django.contrib.") and name.count(".") == 2]
assert foreign == [], foreign
"""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
