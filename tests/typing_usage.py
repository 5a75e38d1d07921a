"""Types as a project sees them. Not run: mypy (strict) must find exactly the errors that are announced."""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, assert_type

from kiq_django import Handle, job


@job
def plain(number: int, text: str = "") -> str:
    return text


@job(queue="mail", retry=3, tags=["a"], unique_for=60)
def with_options(number: int, *, share: float) -> None: ...


@job
async def coroutine(number: int) -> bytes:
    return b""


@job(retry=False)
async def coroutine_with_options(number: int) -> bytes:
    return b""


class _Work:
    def perform(self, number: int, text: str = "") -> float:
        return 1.0


class _AsyncWork:
    async def perform(self, number: int) -> float:
        return 1.0


work = job(_Work)
async_work = job(name="AsyncWork")(_AsyncWork)


def calls() -> None:
    assert_type(plain(1), str)
    assert_type(plain.enqueue(1, text="y"), Handle)
    assert_type(plain.perform_now(1), str)
    assert_type(plain.using(queue="low").perform_now(1), str)
    assert_type(work(1), float)
    assert_type(work.perform_now(1, "x"), float)
    assert_type(async_work.perform_now(1), float)
    assert_type(coroutine.perform_now(1), bytes)
    assert_type(coroutine_with_options.perform_now(1), bytes)
    plain.enqueue_in(timedelta(1), 1, "x")
    plain.enqueue_at(1.0, 1)
    plain.enqueue_all([(1,), {"number": 1}])
    with_options.enqueue(1, share=2.0)


async def acalls() -> None:
    _ = assert_type(coroutine(1), Coroutine[Any, Any, bytes])
    assert_type(await plain.aenqueue(1), Handle)


def mistakes() -> None:
    plain.enqueue("x")  # type: ignore[arg-type]
    plain.enqueue()  # type: ignore[call-arg]
    plain.enqueue_in(timedelta(1), "x")  # type: ignore[arg-type]
    plain.delay("x")  # type: ignore[arg-type]
    with_options.enqueue(1)  # type: ignore[call-arg]
    coroutine.enqueue("x")  # type: ignore[arg-type]
    work.enqueue("x")  # type: ignore[arg-type]
    async_work.enqueue("x")  # type: ignore[arg-type]
