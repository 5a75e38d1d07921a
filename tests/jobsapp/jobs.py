"""Jobs that the tests enqueue and run. What they did stands in `done`."""

from typing import Any

from kiq_django import current_job, job

done: list[Any] = []


@job
def record(value: Any) -> Any:
    done.append(value)
    return value


@job(queue="mail", retry=5, tags=["billing"])
def invoice(order_id: int, locale: str = "en") -> str:
    done.append((order_id, locale))
    return f"{order_id} {locale}"


@job
async def sync(shop_id: int) -> int:
    done.append(shop_id)
    return shop_id * 2


@job
def fail(message: str) -> None:
    raise ValueError(message)


@job
def chain(depth: int) -> None:
    done.append(depth)
    if depth:
        chain.enqueue(depth - 1)


@job
def who() -> str:
    running = current_job()
    assert running is not None
    done.append((running.id, running.name, running.queue, running.attempt))
    return running.id


@job(name="HardWorker")
class HardWorker:
    """A class job under the name that a Ruby program uses for it."""

    def perform(self, name: str, count: int = 1) -> str:
        done.append((name, count))
        return name * count
