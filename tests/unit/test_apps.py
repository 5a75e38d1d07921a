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
