"""Queues with a limit: who enqueues is refused, or waits, while as many jobs wait as the queue may hold."""

import time
from typing import Final

from kiq_django import adapters, clock
from kiq_django.exceptions import QueueFull
from kiq_django.sections import QueueSettings

FIRST_PAUSE: Final = 0.01
LONGEST_PAUSE: Final = 0.5
"""Seconds between two looks."""


def admit(queue: QueueSettings) -> None:
    """Return as soon as there is room in a queue.

    The limit is asked for before a push, and not by it: producers that ask in the same moment may go beyond it by what
    each of them pushes at once.

    Raises:
        QueueFull: there is none within `queue.wait` seconds. Nothing was pushed.
        StoreError: Redis does not tell.
    """
    if queue.limit is None:
        return
    deadline, pause = clock.monotonic() + queue.wait, FIRST_PAUSE
    while (size := adapters.get().waiting(queue.name)) >= queue.limit:
        left = deadline - clock.monotonic()
        if left <= 0:
            raise QueueFull(
                f"Queue {queue.name!r} is full: {size:,} jobs wait, KIQ['QUEUES'][{queue.name!r}]['limit'] is "
                f"{queue.limit:,}{_waited(queue)}. The job is not stored. Try again later, or start more workers"
            )
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)


def _waited(queue: QueueSettings) -> str:
    return f", and there was no room within {queue.wait:g} s" if queue.wait else ""
