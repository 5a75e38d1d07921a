"""Django's tasks, or the backport's where Django has none: one place for the names of both."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import django
from django.dispatch import Signal

from kiq_django.exceptions import ConfigurationError

NAME: Final = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Django {django.get_version()} has no tasks of its own. Install the backport: pip install django-tasks"
        ) from error


if TYPE_CHECKING:
    from django.tasks.backends.base import BaseTaskBackend as BaseTaskBackend
    from django.tasks.base import Task as Task
    from django.tasks.base import TaskContext as TaskContext
    from django.tasks.base import TaskError as TaskError
    from django.tasks.base import TaskResult as TaskResult
    from django.tasks.base import TaskResultStatus as TaskResultStatus
    from django.tasks.exceptions import InvalidTask as InvalidTask
    from django.tasks.exceptions import TaskResultDoesNotExist as TaskResultDoesNotExist
else:
    _module(NAME)
    _base, _exceptions = _module(f"{NAME}.base"), _module(f"{NAME}.exceptions")
    Task, TaskContext, TaskError = _base.Task, _base.TaskContext, _base.TaskError
    TaskResult, TaskResultStatus = _base.TaskResult, _base.TaskResultStatus
    TaskResultDoesNotExist = _exceptions.TaskResultDoesNotExist
    InvalidTask = getattr(_exceptions, "InvalidTask", None) or _exceptions.InvalidTaskError
    BaseTaskBackend = _module(f"{NAME}.backends.base").BaseTaskBackend

signals: Final = _module(f"{NAME}.signals")


def does_not_exist(result_id: Any) -> Exception:
    """`TaskResultDoesNotExist`, which code written for the backport catches too where both are loaded."""
    other = sys.modules.get("django_tasks.exceptions")
    if NAME == "django_tasks" or other is None:
        return TaskResultDoesNotExist(result_id)
    bases = (TaskResultDoesNotExist, other.TaskResultDoesNotExist)
    return type("TaskResultDoesNotExist", bases, {})(result_id)  # type: ignore[no-any-return]


def signal(name: str) -> list[Signal]:
    """A signal of Django, and the backport's of the same name where both are loaded."""
    other = sys.modules.get("django_tasks.signals") if NAME != "django_tasks" else None
    return [getattr(module, name) for module in (signals, other) if module is not None]
