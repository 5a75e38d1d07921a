"""Types as a project sees them. Not run: mypy and pyright, both strict, must find nothing here."""

from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from kiq_django import Discard, Handle, RetryOn, current_job, job
from kiq_django.client import JobIds
from kiq_django.contrib.celery import Sent, shared_task
from kiq_django.payload import Payload
from kiq_django.testing import assert_enqueued, assert_survives_crash, drain, enqueued


@job
def plain(number: int, text: str = "") -> str:
    return text


@job(queue="mail", retry=3, tags=["a"], timeout=60, expires_in=600)
def with_options(number: int, *, share: float) -> None: ...


@job(retry_on=[RetryOn(OSError, wait=5)], discard_on=[KeyError])
def any_number(*numbers: int, **shares: float) -> int:
    running = current_job()
    if running is None or running.attempt > 1:
        raise Discard
    return len(numbers)


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


@shared_task
def task(number: int) -> str:
    return ""


def calls(tomorrow: datetime) -> None:
    assert_type(plain(1), str)
    assert_type(plain.enqueue(1, text="y"), Handle)
    assert_type(plain.delay(1), Handle)
    assert_type(plain.enqueue_in(timedelta(1), 1, "x"), Handle)
    assert_type(plain.enqueue_in(60, 1, text="x"), Handle)
    assert_type(plain.enqueue_at(1.0, 1), Handle)
    assert_type(plain.enqueue_at(tomorrow, 1), Handle)
    assert_type(plain.enqueue_all([(1,), {"number": 1}, [2, "x"]]), JobIds)
    assert_type(plain.enqueue_all(((number,) for number in range(3)), spread=60), JobIds)
    assert_type(plain.perform_now(1), str)
    assert_type(with_options.enqueue(1, share=2.0), Handle)
    assert_type(any_number.enqueue(1, 2, 3, half=0.5), Handle)
    assert_type(any_number(1), int)


def chosen(tomorrow: datetime) -> None:
    assert_type(plain.using(queue="low").perform_now(1), str)
    assert_type(plain.using(queue="low", at=tomorrow).enqueue(1), Handle)
    assert_type(plain.using(expires_at=datetime(2030, 1, 1, tzinfo=UTC)).using(retry=2).enqueue(1, "x"), Handle)
    assert_type(coroutine.using(queue="low").perform_now(1), bytes)


def classes_and_coroutines() -> None:
    assert_type(work(1), float)
    assert_type(work.perform_now(1, "x"), float)
    assert_type(work.enqueue(1, text="x"), Handle)
    assert_type(async_work.perform_now(1), float)
    assert_type(coroutine.perform_now(1), bytes)
    assert_type(coroutine_with_options.perform_now(1), bytes)
    assert_type(coroutine_with_options.enqueue(1), Handle)


async def acalls() -> None:
    pending: Coroutine[Any, Any, bytes] = coroutine(1)
    assert_type(await pending, bytes)
    assert_type(await plain.aenqueue(1), Handle)
    assert_type(await coroutine.aenqueue(1), Handle)
    assert_type(await plain.using(queue="low").aenqueue(1, text="x"), Handle)


def celery() -> None:
    assert_type(task(1), str)
    assert_type(task.delay(1), Sent)
    assert_type(task.apply_async((1,), countdown=5, expires=60), Sent)


def tests() -> None:
    with assert_enqueued(plain, args=[1], queue="default", at=timedelta(hours=1)) as made:
        plain.enqueue(1)
    assert_type(made.found, list[Payload])
    waiting: Sequence[Payload] = enqueued(coroutine)
    assert waiting or drain(until=timedelta(days=1))
    assert_survives_crash(plain, 1, kinds=["commit", "mail"])
