"""What a worker loads: its jobs and what runs them, and nothing that only other processes need."""

import json
from fnmatch import fnmatch

import pytest

from tests.support import wait_for

pytestmark = pytest.mark.acceptance

FULL = {"DJANGO_SETTINGS_MODULE": "tests.acceptance.full_settings"}
SETTLED = 8
"""Beats after which every service has had its turn: the slowest look every two seconds."""
FOR_OTHERS = {
    "kiq_django.admin.[!p]*": "pages",
    "kiq_django.admin.pages.*": "pages",
    "kiq_django.api*": "pages, commands, and a worker that meets an operation or a parked job",
    "kiq_django.contrib.*": "who names them",
    "kiq_django.deadline": "a job with a time limit",
    "kiq_django.embedded": "a worker inside of another program",
    "kiq_django.management.commands.kiq": "another command",
    "kiq_django.management.kiq*": "another command",
    "kiq_django.management.processes.[!r]*": "--processes",
    "kiq_django.pytest_plugin": "tests",
    "kiq_django.store.acl": "another command",
    "kiq_django.store.cluster_link": "a cluster",
    "kiq_django.store.embedded*": "embedded:",
    "kiq_django.store.fleet*": "several servers, a cluster, partitions",
    "kiq_django.store.guardian*": "embedded:",
    "kiq_django.task_backend*": "TASKS",
    "kiq_django.templatetags*": "pages",
    "kiq_django.testing*": "tests",
    "kiq_django.worker.health": "--health",
    "kiq_django.worker.http": "--health",
    "kiq_django.worker.migrations": "wait_for_migrations",
    "kiq_django.worker.unparking": "a worker that meets a parked job",
    "django.contrib.admin.views.main": "pages",
    "django.core.management.commands.*": "other commands",
    "django.db.migrations.executor": "migrate, and wait_for_migrations",
    "http.server": "nobody",
    "tests.acceptance.full_urls": "pages",
    "tomllib*": "-C",
}
"""Patterns of modules, and who needs them."""


def carried(directory, processes=1):
    """Modules of each process under the settled worker."""

    def settled():
        told = [json.loads(path.read_text()) for path in directory.glob("modules-*.json")]
        return [set(modules) for beats, modules in told if beats >= SETTLED]

    return wait_for(lambda: (found := settled()) and len(found) == processes and found, 30, "beats of the worker")


def test_an_idle_worker_carries_nothing_that_only_others_need(worker, tmp_path):
    worker("-r", "tests.acceptance.app.modules", environment=FULL).ready()
    [modules] = carried(tmp_path)
    assert {"redis", "kiq_django.worker.fetcher", "kiq_django.features.operations"} <= modules
    needless = {name: who for name in modules for pattern, who in FOR_OTHERS.items() if fnmatch(name, pattern)}
    assert needless == {}


def test_forked_children_share_what_links_are_made_of(worker, tmp_path):
    worker("-r", "tests.acceptance.app.modules", "--processes", "2", "--preload", environment=FULL).ready()
    for modules in carried(tmp_path, processes=2):
        assert "tests.acceptance.full_urls" in modules


def test_pages_that_do_not_load_are_no_trouble_of_a_worker(worker, push, tmp_path):
    urls = {**FULL, "KIQ_TEST_URLS": "no.such.urls"}
    push("touch", 1)
    worker("-r", "tests.acceptance.app.modules", environment=urls).ready()
    wait_for((tmp_path / "effects").exists)


def test_a_worker_does_not_start_on_what_a_check_calls_an_error(worker):
    process = worker(environment=FULL, kiq={"ADAPTER": "rediss"})
    assert process.wait() == 1
    assert "kiq_django.E001" in process.output
