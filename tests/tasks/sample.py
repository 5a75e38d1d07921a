"""Tasks that the tests enqueue and run."""

from importlib import import_module
from typing import Any

from kiq_django.task_backend import framework

task = import_module(framework.NAME).task
seen: list[Any] = []
fail_times: dict[str, int] = {}


@task
def add(a: int, b: int = 0) -> int:
    seen.append((a, b))
    return a + b


@task(takes_context=True)
def tell(context: Any, word: str) -> list[Any]:
    result = context.task_result
    seen.append((word, context.attempt, str(result.status), result.id, len(result.errors)))
    return [word, context.attempt]


@task
async def double(number: int) -> int:
    return number * 2


@task(takes_context=True)
async def atell(context: Any) -> int:
    return context.attempt


@task
def nothing(value: Any = None) -> Any:
    seen.append(value)
    return value


@task
def unlucky(name: str) -> str:
    if fail_times.get(name, 0):
        fail_times[name] -= 1
        raise ValueError(f"no luck, {name}")
    return name


@task
def exits() -> None:
    raise SystemExit(3)


@task
def unusable() -> Any:
    seen.append("ran")
    return object()


@task
def wait_at_gate() -> str:
    seen.append("begun")
    assert gate.wait(10)
    return "through"


gate: Any = None
