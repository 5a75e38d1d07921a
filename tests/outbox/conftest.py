"""The outbox in the databases of the test run, and as processes see it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.acceptance.process import ROOT
from tests.outbox.postgres import USER, cluster

APP = "kiq_django.outbox"


@pytest.fixture
def outbox(settings) -> Any:
    """The app, its tables in both databases, empty; the model."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, APP]
    for alias in ("default", "other"):
        call_command("migrate", "kiq_outbox", database=alias, verbosity=0)
    from kiq_django.outbox.models import Entry

    yield Entry
    for alias in ("default", "other"):
        Entry.objects.using(alias).all().delete()


@pytest.fixture
def waiting(store) -> Callable[..., list[Any]]:
    """First arguments of the jobs that wait on a queue, the next to run first; of several lists sorted."""

    def look(queue: str = "default") -> list[Any]:
        found = [json.loads(raw)["args"][0] for raw in store.queues.page(queue, 0, 10_000)]
        return found if len(store.lists(queue)) == 1 else sorted(found)

    return look


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """The folder of its socket."""
    with cluster() as root:
        yield root


@pytest.fixture(params=["sqlite", "postgres"])
def databases(request, tmp_path) -> dict[str, Any]:
    """`DATABASES` for processes, with the tables of the outbox and of orders."""
    if request.param == "sqlite":
        found = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    else:
        root, name = request.getfixturevalue("postgres"), f"kiq_{os.urandom(4).hex()}"
        run(["psql", "-h", str(root), "-U", USER, "-qc", f"CREATE DATABASE {name}"], {})
        found = {"ENGINE": "django.db.backends.postgresql", "NAME": name, "USER": USER, "HOST": str(root)}
    made = {"default": found}
    environment = environment_of("redis://127.0.0.1:1/0", tmp_path, made)
    run([sys.executable, "-m", "django", "migrate", "-v", "0"], environment)
    table = "from django.db import connection as c; c.cursor().execute('CREATE TABLE orders (id integer)')"
    run([sys.executable, "-m", "django", "shell", "-v", "0", "-c", table], environment)
    return made


def environment_of(url: str, directory: Path, databases: dict[str, Any]) -> dict[str, str]:
    """What a process of ours needs to know."""
    return {
        "DJANGO_SETTINGS_MODULE": "tests.outbox.settings",
        "KIQ_TEST_DATABASES": json.dumps(databases),
        "KIQ_TEST_URL": url,
        "KIQ_TEST_DIRECTORY": str(directory),
    }


def run(command: list[str], environment: dict[str, str], check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done
