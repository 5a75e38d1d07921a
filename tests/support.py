"""What several tests need: waiting for a condition instead of for time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

from redis.connection import AbstractConnection

T = TypeVar("T")


def wait_for(probe: Callable[[], T], timeout: float = 10, what: str = "") -> T:
    """Call `probe` until it answers something true and return that; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or probe}; last answer {found!r}")
        time.sleep(0.005)


@contextmanager
def round_trips() -> Iterator[list[Any]]:
    """What is sent to Redis inside of the block: an entry for each time, however many commands go at once.

    A connection that is opened meanwhile counts too: send something before.
    """
    sent: list[Any] = []
    send = AbstractConnection.send_packed_command

    def noted(connection: AbstractConnection, command: Any, *args: Any, **options: Any) -> Any:
        sent.append(command)
        return send(connection, command, *args, **options)

    with mock.patch.object(AbstractConnection, "send_packed_command", noted):
        yield sent
