"""Commands on their way: sent, and not answered yet."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

Land = Callable[[], None]
"""Waits for the answers, and raises a StoreError for the first that was refused. To be called once."""


def landed() -> None:
    """Of commands that have been answered already."""


class Flight:
    """What was sent over one connection, which is nobody else's until it has landed."""

    def __init__(self, loan: ExitStack, read: Callable[[], list[Any]], told: Callable[[list[Any]], object]) -> None:
        """`loan` gives the connection back, `read` reads all replies, `told` raises for those that are errors."""
        self._loan = loan
        self._read = read
        self._told = told

    def land(self) -> None:
        """Wait for the answers.

        Raises:
            StoreError: the first that was refused; or the server is away, and what ran is unknown.
        """
        with self._loan:
            replies = self._read()
        self._told(replies)
