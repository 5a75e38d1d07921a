"""Django's tasks, or the backport's: the tests are the same for both."""

import threading
from importlib import import_module
from types import SimpleNamespace

import pytest

from kiq_django.task_backend import framework, worker_name
from tests.tasks import sample
from tests.worker.conftest import _plain, start  # noqa: F401 - fixtures


@pytest.fixture(autouse=True)
def _clean():
    """No test sees what another did, or the name of its worker."""
    sample.seen.clear()
    sample.fail_times.clear()
    sample.gate = threading.Event()
    yield
    sample.gate.set()
    worker_name._names.clear()


@pytest.fixture
def backend():
    """The default one."""
    return import_module(framework.NAME).task_backends["default"]


@pytest.fixture
def heard():
    """What Django's signals told: name, sender, id and status."""
    told = []
    names = ("task_enqueued", "task_started", "task_finished")

    def listener(name):
        def listen(sender, task_result, **_):
            told.append(SimpleNamespace(name=name, sender=sender, id=task_result.id, status=str(task_result.status)))

        return listen

    listeners = {name: listener(name) for name in names}
    for name, listen in listeners.items():
        getattr(framework.signals, name).connect(listen)
    yield told
    for name, listen in listeners.items():
        getattr(framework.signals, name).disconnect(listen)
