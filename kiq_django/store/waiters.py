"""Blocking fetch over several queues with one thread.

`BLMOVE` takes one source, so an idle fetcher has one waiter per queue: a connection of its own on which `BLMOVE
queue -> working list` is pending. Behind it stands a question that the server answers in the same breath: may
this owner take jobs from this queue? So a job that came in can begin at once. One `select` watches them all. A
waiter that is no longer wanted is ended by CLIENT UNBLOCK, or, where the server lacks it, by closing its
socket; what it may have received meanwhile is on the working list, where the fetcher looks after any such end.
"""

import selectors
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import redis

from kiq_django import clock
from kiq_django.exceptions import StoreError
from kiq_django.store import connections, working
from kiq_django.store.keys import Keys
from kiq_django.store.link import Link, reply
from kiq_django.store.packing import packed

BLOCK_SECONDS = 2
"""The server's own time-out: how long a lost connection may still take a job from its queue."""
ANSWER = 0.005
"""Seconds in which the answer of a waiter that was ended arrives, as a rule."""


class Arrival(NamedTuple):
    """A job that came in by itself."""

    payload: bytes
    admitted: bool
    """The server said behind it that the queue is open and the owner in force. False: unknown, ask by a turn."""


class Waiters:
    """The pending BLMOVEs of one owner. Used by its fetcher's thread alone."""

    def __init__(
        self, link: Link, keys_of: Callable[[str], Keys], admission: Callable[[str, str], Sequence[tuple[Any, ...]]]
    ) -> None:
        """`keys_of` tells the keys of a queue, `admission` the commands of `Working.admission`."""
        self._link = link
        self._keys_of = keys_of
        self._admission = admission
        self._connections: dict[str, Any] = {}
        self._ids: dict[str, int] = {}
        self._pending: set[str] = set()
        self._watched: dict[str, Any] = {}
        """Sockets that stand in the selector; a connection forgets its own as soon as it is lost."""
        self._can_unblock = True

    def __len__(self) -> int:
        return len(self._pending)

    def arm(self, owner: str, queues: Sequence[str], selector: selectors.BaseSelector) -> None:
        """Begin to wait on each queue that has no waiter yet; the sockets join `selector` with the queue as data."""
        for queue in queues:
            if queue not in self._pending:
                connection = self._connection(queue)
                keys = self._keys_of(queue)
                wait = ("BLMOVE", keys.queue(queue), keys.working(queue, owner), "RIGHT", "LEFT", BLOCK_SECONDS)
                self._guarded(connection.send_packed_command, [packed([wait, *self._admission(owner, queue)])])
                if queue not in self._watched:
                    self._watched[queue] = connection._sock
                    selector.register(connection._sock, selectors.EVENT_READ, queue)
                self._pending.add(queue)

    def receive(self, queue: str, selector: selectors.BaseSelector) -> Arrival | None:
        """Read the answers of a waiter whose socket is readable. None when it timed out or was unblocked."""
        if queue not in self._pending:  # nothing was asked there: the server has hung up
            self._hang_up(queue, selector)
            return None
        self._pending.discard(queue)
        connection = self._connections[queue]
        try:
            with self._link.translated():
                return _arrival(connection)
        except StoreError as error:
            is_lost = connection._sock is None
            if is_lost or (error.__cause__ is not None and connections.must_disconnect(error.__cause__)):
                self._hang_up(queue, selector)  # to a demoted master, it may be: the next one finds the new
            raise

    def cancel(self, selector: selectors.BaseSelector) -> list[tuple[str, bytes]]:
        """End all pending waiters. Returns what they had received before."""
        if not self._pending:
            return []
        if not self._end_all():
            self.close(selector)
            return []
        received = [(queue, self.receive(queue, selector)) for queue in sorted(self._pending)]
        return [(queue, arrival.payload) for queue, arrival in received if arrival is not None]

    def close(self, selector: selectors.BaseSelector | None = None) -> None:
        """Drop all connections, and with them what was pending. The working lists must be looked at afterwards."""
        self._pending.clear()
        for queue in list(self._connections):
            self._hang_up(queue, selector)

    def _hang_up(self, queue: str, selector: selectors.BaseSelector | None) -> None:
        sock = self._watched.pop(queue, None)
        if selector and sock is not None:
            selector.unregister(sock)
        self._connections.pop(queue).disconnect()

    def _connection(self, queue: str) -> Any:
        if queue not in self._connections:
            connection = self._link.new_connection(self._keys_of(queue).queue(queue))
            self._guarded(connection.connect)
            self._guarded(connection.send_command, "CLIENT", "ID")
            self._ids[queue] = self._guarded(self._id_of, connection)
            self._connections[queue] = connection
        return self._connections[queue]

    def _id_of(self, connection: Any) -> int:
        """By which the connection can be told to wait no longer; a server may have no such thing."""
        try:
            return int(connection.read_response())
        except redis.exceptions.NoPermissionError:
            raise
        except redis.ResponseError:
            self._can_unblock = False
            return 0

    def _end_all(self) -> bool:
        """Ask the server to end the waiters, until each has its answer: the asking may overtake a wait on its way.

        Returns:
            False when the server does not know how, or an answer does not come although the wait is over by now.
        """
        waiting = sorted(self._pending)
        deadline = clock.monotonic() + BLOCK_SECONDS + 1
        while waiting:
            if clock.monotonic() > deadline or not self._can_unblock or not self._unblock(waiting):
                return False
            waiting = [q for q in waiting if not self._guarded(self._connections[q].can_read, timeout=ANSWER)]
        return True

    def _unblock(self, queues: Sequence[str]) -> bool:
        replies = self._link.end_waits({self._keys_of(queue).queue(queue): self._ids[queue] for queue in queues})
        refusals = [reply for reply in replies if isinstance(reply, redis.ResponseError)]
        self._can_unblock = not any(map(_is_for_good, refusals))
        return not refusals

    def _guarded(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        with self._link.translated():
            return function(*args, **kwargs)


def _arrival(connection: Any) -> Arrival | None:
    """All answers are read whatever they are: one left behind would answer the next wait."""
    payload, *admission = [reply(connection) for _ in range(3)]
    if isinstance(payload, redis.ResponseError):
        raise payload
    return None if payload is None else Arrival(payload, working.is_admitted(admission))


def _is_for_good(refusal: redis.ResponseError) -> bool:
    """A server that is loading, say, will know how to unblock another time."""
    return isinstance(refusal, redis.exceptions.NoPermissionError) or "unknown" in str(refusal).lower()
