"""Django's tests name the backends that they test, and `django.tasks`: the same text with other names tests ours."""

import re
from pathlib import Path

OURS = "kiq_django.task_backend.KiqBackend"
WORKED = "tests.conformance.worked.WorkedBackend"

REASONS = {
    "inline": {
        "test_immediate_backend.ImmediateBackendTestCase.test_cannot_get_result": "we can",
        "test_immediate_backend.ImmediateBackendTestCase.test_cannot_refresh_result": "we can",
        "test_immediate_backend.ImmediateBackendTestCase.test_cannot_pass_run_after": "the backend takes it",
    },
    "worker": {
        "test_immediate_backend.ImmediateBackendTestCase.test_cannot_get_result": "we can",
        "test_immediate_backend.ImmediateBackendTestCase.test_cannot_refresh_result": "we can",
        "test_immediate_backend.ImmediateBackendTestCase.test_cannot_pass_run_after": "we can",
        "test_immediate_backend.ImmediateBackendTestCase.test_throws_keyboard_interrupt":
            "raised in a thread of the worker, which is another process",
    },
    "memory": {
        "test_dummy_backend.DummyBackendTestCase.test_refresh_result": "changes an object in DummyBackend's memory",
        "test_dummy_backend.DummyBackendTestCase.test_refresh_result_async":
            "changes an object in DummyBackend's memory",
    },
    "redis": {
        "test_dummy_backend.DummyBackendTestCase.test_enqueue_task": "looks at DummyBackend.results",
        "test_dummy_backend.DummyBackendTestCase.test_enqueue_task_async": "looks at DummyBackend.results",
        "test_dummy_backend.DummyBackendTestCase.test_refresh_result": "looks at DummyBackend.results",
        "test_dummy_backend.DummyBackendTestCase.test_refresh_result_async": "looks at DummyBackend.results",
        "test_dummy_backend.DummyBackendTestCase.test_clear": "asks Redis to forget",
        "test_dummy_backend.DummyBackendTransactionTestCase.test_doesnt_wait_until_transaction_commit_by_default":
            "looks at DummyBackend.results",
        "test_tasks.TaskTestCase.test_enqueue_task": "looks at DummyBackend.results",
        "test_tasks.TaskTestCase.test_enqueue_task_async": "looks at DummyBackend.results",
    },
}  # fmt: skip
"""Why a test says nothing about us, by mode."""
FILES = {
    "inline": ["test_immediate_backend"],
    "worker": ["test_immediate_backend"],
    "memory": ["test_dummy_backend", "test_tasks"],
    "redis": ["test_dummy_backend", "test_tasks"],
}
"""Modes: at once in this process, by a worker at once, kept by the adapter `test`, kept in Redis. What is in
`test_custom_backend` is about backends that are not ours."""


def translate(source: Path, target: Path, mode: str, *, backport: bool) -> None:
    """Copy the tests of a release of Django, with our names in them."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob("*.py"):
        (target / path.name).write_text(_translated(path, mode, backport=backport))


def _translated(path: Path, mode: str, *, backport: bool) -> str:
    text = path.read_text()
    for module, name in (("immediate", "ImmediateBackend"), ("dummy", "DummyBackend")):
        if path.stem == "test_tasks" and module == "immediate":
            continue  # a second backend beside ours, as they are in a project
        ours = WORKED if mode == "worker" else OURS
        package, _, backend = ours.rpartition(".")
        home = f"from django.tasks.backends.{module} import {name}"
        text = text.replace(home, f"from {package} import {backend} as {name}")
        text = text.replace(f'"django.tasks.backends.{module}.{name}"', f'"{ours}"')
    return _for_the_backport(text) if backport else text


def _for_the_backport(text: str) -> str:
    text = re.sub(r"\bInvalidTask(Backend)?\b", r"InvalidTask\1Error", text)
    return text.replace("django.tasks", "django_tasks").replace("async Tasks.", "async tasks.")
