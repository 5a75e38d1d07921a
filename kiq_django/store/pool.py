"""redis-py's connection pool, from which a connection is had in half the time: it is a fifth of what a push costs."""

import select
from collections import deque
from contextlib import suppress
from functools import cached_property
from inspect import Parameter, signature
from typing import Any

from redis.connection import ConnectionPool

UNLIMITED = 2**31
"""redis-py 8 allows 100 connections a pool unless told otherwise; a worker may have more threads."""
TAKES_NO_COMMAND = signature(ConnectionPool.get_connection).parameters["command_name"].default is not Parameter.empty
"""redis-py up to 5.2 wants to know for which command a connection is."""


def take(pool: ConnectionPool) -> Any:
    """A connection out of any pool, to be given back with `give`. It is open, and nothing is left to be read on it."""
    return pool.get_connection() if TAKES_NO_COMMAND else pool.get_connection("_")


def give(pool: ConnectionPool, connection: Any) -> None:
    """Give back what `take` gave."""
    if isinstance(pool, Pool):
        pool.take_back(connection)
    else:
        pool.release(connection)


CAN_POLL = hasattr(select, "poll")
"""Not on Windows."""


class Pool(ConnectionPool):
    """Connections that were lent and came back stay at hand: for redis-py they are still in use, and it need not note
    each coming and going. What it does with those that come back, for credentials that expire, and where their
    number is limited, it still does.
    """

    _at_hand: deque[Any]

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """A connection, one that is at hand if there is one.

        Raises:
            redis.ConnectionError: none can be opened.
        """
        self._checkpid()
        try:
            connection = self._at_hand.pop()
        except IndexError:
            return super().get_connection(*args, **options)
        if _is_silent(connection):
            return connection
        connection.disconnect()
        self.release(connection)
        return super().get_connection(*args, **options)

    def take_back(self, connection: Any) -> None:
        """It may be lent again."""
        if self._keeps_at_hand and connection.pid == self.pid:
            self._at_hand.append(connection)
        else:
            self.release(connection)

    def disconnect(self, inuse_connections: bool = True) -> None:
        """Close all that nobody uses, and with `inuse_connections` the others too."""
        with suppress(IndexError):
            while True:
                self.release(self._at_hand.pop())
        super().disconnect(inuse_connections)

    def reset(self) -> None:
        """Begin anew; also called at first, and in the child of a fork."""
        self._at_hand = deque()
        super().reset()

    @cached_property
    def _keeps_at_hand(self) -> bool:
        return CAN_POLL and self.max_connections >= UNLIMITED and not self.connection_kwargs.get("credential_provider")


def _is_silent(connection: Any) -> bool:
    """Whether it is open, and the server has neither hung up nor said what nobody asked for.

    Of what has been read from it nothing is left: `Link` closes what it was interrupted on.
    """
    if connection._sock is None:
        return False
    poll = select.poll()
    poll.register(connection._sock, select.POLLIN)
    return not poll.poll(0)
