"""Mistakes that a type checker must see: exactly the lines that end in `# wrong`, no more and no fewer."""

from datetime import timedelta

from kiq_django import job
from tests.typed.good import async_work, coroutine, plain, task, with_options, work


def arguments() -> None:
    plain.enqueue("x")  # wrong
    plain.enqueue()  # wrong
    plain.enqueue(1, 2)  # wrong
    plain.enqueue(1, txet="y")  # wrong
    plain.delay("x")  # wrong
    plain.enqueue_in(timedelta(1), "x")  # wrong
    plain.enqueue_in("soon", 1)  # wrong
    plain.enqueue_at(1.0)  # wrong
    plain.perform_now("x")  # wrong
    plain.enqueue_all([1, 2])  # wrong
    plain.using(queue="low").enqueue("x")  # wrong
    plain.using(at="soon").enqueue(1)  # wrong
    with_options.enqueue(1)  # wrong
    with_options.enqueue(1, 2.0)  # wrong


def kinds() -> None:
    coroutine.enqueue("x")  # wrong
    work.enqueue("x")  # wrong
    async_work.enqueue("x")  # wrong
    task.delay("x")  # wrong
    number: int = plain.perform_now(1)  # wrong
    print(number)


async def awaited() -> None:
    await plain.aenqueue("x")  # wrong
    await plain.enqueue(1)  # wrong
    text: str = await coroutine(1)  # wrong
    print(text)


job(retry="often")(print)  # wrong
job(tags=7)(print)  # wrong
