"""Hold payloads back until the open database transactions commit.

A payload is entered in the ledger of every connection that has an atomic block open in this thread. Each
commit ticks it off; the last one hands it over, with all others of that transaction in one call. What a
rollback takes from any ledger never arrives.

Django's `TestCase` wraps each test in atomic blocks that never commit. They do not count as open. For a block
of the application inside them there is no commit to wait for either, so the release of its savepoint takes
that part. (An outermost block without a savepoint leaves no trace at its end: in a `TestCase`,
`atomic(savepoint=False)` does not count.)
"""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any
from weakref import WeakSet

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.transaction import Atomic
from django.db.utils import ConnectionHandler

from kiq_django.bulk import for_each
from kiq_django.payload import Payload

Flush = Callable[[list[Payload]], object]


def _thread_storage(handler: ConnectionHandler) -> threading.local | None:
    storage = getattr(getattr(handler, "_connections", None), "_storage", None)
    return storage if isinstance(storage, threading.local) else None


# Asking `connections.all()` costs 5 us in a thread without any, more than all else around an empty job.
_storage = _thread_storage(connections)


def initialised() -> Collection[BaseDatabaseWrapper]:
    """The database connections that this thread has used so far."""
    if _storage is not None:
        found = vars(_storage)
        if not found:
            return ()
        if "cvar" not in found:  # else an event loop runs here, and each task has connections of its own
            return list(found.values())
    return connections.all(initialized_only=True)


def open_connections() -> list[BaseDatabaseWrapper]:
    """This thread's connections whose commit is to be waited for; the blocks of Django's `TestCase` do not
    count.

    Raises:
        django.db.transaction.TransactionManagementError: a connection has autocommit off outside of an atomic
            block, so that nobody can know when it commits.
    """
    return [connection for connection in initialised() if awaits_commit(connection)]


def none_open_anywhere() -> bool:
    """Whether no thread of this process is in a transaction: an event loop cannot see whose thread it stands for.

    True costs a look at each connection that is alive.
    """
    with _guard:
        return not any(c.in_atomic_block or (c.connection is not None and not c.autocommit) for c in _connected)


_connected: WeakSet[BaseDatabaseWrapper] = WeakSet()
_guard = threading.Lock()


def _note_connection(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    with _guard:
        _connected.add(connection)


connection_created.connect(_note_connection, dispatch_uid="kiq_django.transactions")


def hold(payloads: Sequence[Payload], flush: Flush) -> None:
    """Call `flush` with the payloads once everything open in this thread has committed; at once when nothing
    is.

    All payloads that become free together and were held with the same `flush` arrive in one call, in order.
    An error of `flush` comes out of the `with atomic()` that committed, once every other `flush` was called.
    """
    opened = open_connections()
    if not opened:
        flush(list(payloads))
        return
    held = [_Held(payload, flush, len(opened)) for payload in payloads]
    for connection in opened:
        _ledger(connection).enter(held)


def forget(connection: BaseDatabaseWrapper) -> None:
    """For tests that play a killed process: what the connection's transaction holds never arrives."""
    for name in (_ATTRIBUTE, "savepoint_commit"):
        vars(connection).pop(name, None)


def awaits_commit(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction of the application is open there.

    Raises:
        django.db.transaction.TransactionManagementError: as for `open_connections`.
    """
    if not connection.in_atomic_block:
        if connection.connection is not None and not connection.autocommit:
            connection.on_commit(_nothing)  # says so better than we could
        return False
    tests_own = sum(map(_is_tests_own, connection.atomic_blocks))
    if not tests_own:
        return True
    # Every block but the first has a savepoint, or None; those of the application come after the test's own.
    return any(sid is not None for sid in connection.savepoint_ids[tests_own - 1 :])


def _nothing() -> None: ...


def _is_tests_own(block: Atomic) -> bool:
    return bool(getattr(block, "_from_testcase", False))


class _Held:
    """One payload and the number of commits it still waits for."""

    __slots__ = ("flush", "missing", "payload")

    def __init__(self, payload: Payload, flush: Flush, missing: int) -> None:
        self.payload = payload
        self.flush = flush
        self.missing = missing


class _Ledger:
    """What one transaction holds. It stands in Django's list of commit hooks, in place of the hook's
    savepoints.

    On a rollback to a savepoint Django drops the hooks that were registered inside it, by asking
    `sid in savepoints` for each. We answer for all our payloads at once: those inside are struck out, and the
    hook goes only with the last of them. So a transaction has one hook of ours however many jobs it enqueues,
    and entering one more costs an append.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._entries: list[tuple[frozenset[str | None], _Held]] = []
        self._position = len(connection.run_on_commit)
        connection.run_on_commit.append((self, self.committed, False))  # type: ignore[arg-type]

    def enter(self, held: Sequence[_Held]) -> None:
        savepoints = frozenset(self._connection.savepoint_ids)
        self._entries.extend((savepoints, each) for each in held)

    def __contains__(self, rolled_back: str) -> bool:
        self._entries = [entry for entry in self._entries if rolled_back not in entry[0]]
        return not self._entries

    def committed(self) -> None:
        """Tick off; hand over what waits for nothing else."""
        entries, self._entries = self._entries, []
        free = []
        for _, held in entries:
            held.missing -= 1
            if not held.missing:
                free.append(held)
        _hand_over(free)

    def is_current(self) -> bool:
        """Whether the transaction that this ledger was opened in is still the connection's."""
        hooks: list[tuple[Any, ...]] = self._connection.run_on_commit
        if self._position < len(hooks) and hooks[self._position][0] is self:
            return True
        self._position = next((index for index, hook in enumerate(hooks) if hook[0] is self), len(hooks))
        return self._position < len(hooks)

    def close(self) -> None:
        """Take the hook away: the savepoint that stands for the commit was released."""
        if self.is_current():
            del self._connection.run_on_commit[self._position]
        self.committed()


def _hand_over(free: Sequence[_Held]) -> None:
    """Flush, in order of holding. A block opened later on another connection holds them once more."""
    groups: dict[Flush, list[Payload]] = {}
    for held in free:
        groups.setdefault(held.flush, []).append(held.payload)
    for_each(lambda flush: hold(groups[flush], flush), groups)


_ATTRIBUTE = "_kiq_django_ledger"


def _ledger(connection: BaseDatabaseWrapper) -> _Ledger:
    """The ledger of the connection's transaction, opened on first use."""
    ledger: _Ledger | None = getattr(connection, _ATTRIBUTE, None)
    if ledger is None or not ledger.is_current():
        ledger = _Ledger(connection)
        setattr(connection, _ATTRIBUTE, ledger)
        if any(map(_is_tests_own, connection.atomic_blocks)):
            _watch_savepoints(connection)
    return ledger


def _watch_savepoints(connection: BaseDatabaseWrapper) -> None:
    """Inside a `TestCase`: take the release of the application's outermost savepoint for its commit."""
    if "savepoint_commit" in vars(connection):
        return
    release = connection.savepoint_commit

    def savepoint_commit(sid: str) -> None:
        release(sid)
        if not awaits_commit(connection):
            del connection.savepoint_commit
            ledger: _Ledger | None = vars(connection).pop(_ATTRIBUTE, None)
            if ledger is not None and ledger.is_current():
                ledger.close()

    connection.savepoint_commit = savepoint_commit  # type: ignore[method-assign]
