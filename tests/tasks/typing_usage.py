"""Types of tasks as a project sees them, with Django's own stubs. Not run: mypy (strict) must find nothing else."""

from typing import Any, assert_type

from django.tasks import TaskContext, TaskResult, task


@task
def plain(number: int, text: str = "") -> str:
    return text


@task(takes_context=True)
def with_context(context: TaskContext[Any, Any], number: int) -> int:
    return context.attempt + number


result = plain.enqueue(1, text="x")
assert_type(result.return_value, str)
assert_type(with_context.enqueue(1).return_value, int)
plain.enqueue("x")  # type: ignore[arg-type]


def final(found: TaskResult[Any, str]) -> str:
    return found.return_value
