"""Commits. A scenario runs inside of a transaction that is rolled back, as the tests of a `TestCase` do; what is a
savepoint to the database there is the application's transaction."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest import mock

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic
from django.test import testcases

from kiq_django import transactions
from kiq_django.testing.crash.points import Watch

READS: Final = frozenset({"SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK", "EXPLAIN", "SHOW", "PRAGMA", "SET"})
"""First words of statements that leave nothing behind."""
ENDS: Final = frozenset({"ROLLBACK", "RELEASE"})
"""What a database does by itself when a client is gone."""


FORBIDDEN: type[BaseException] = testcases.DatabaseOperationForbidden  # type: ignore[attr-defined]
"""What Django's tests raise where they are not to use a database."""


def usable() -> list[str]:
    """Aliases of the databases that this test may use, replicas left out."""
    return [alias for alias in connections if _is_usable(alias)]


def _is_usable(alias: str) -> bool:
    if connections[alias].settings_dict.get("TEST", {}).get("MIRROR"):
        return False
    try:
        with connections[alias].cursor():
            return True
    except (FORBIDDEN, ImproperlyConfigured):
        return False


@contextmanager
def rolled_back(aliases: Sequence[str]) -> Iterator[None]:
    """Take everything back that this block writes to these databases."""
    with ExitStack() as stack:
        for alias in aliases:
            block = transaction.atomic(using=alias)
            block._from_testcase = True  # type: ignore[attr-defined]
            stack.enter_context(block)
            stack.callback(transaction.set_rollback, True, using=alias)
        yield


@contextmanager
def watched(watch: Watch, aliases: Sequence[str]) -> Iterator[None]:
    """Tell the watch of every commit."""
    with ExitStack() as stack:
        commit, enter = BaseDatabaseWrapper.savepoint_commit, Atomic.__enter__
        stack.enter_context(mock.patch.object(BaseDatabaseWrapper, "savepoint_commit", _committed(watch, commit)))
        stack.enter_context(mock.patch.object(Atomic, "__enter__", _entered(enter)))
        for alias in aliases:
            stack.enter_context(connections[alias].execute_wrapper(_executed(watch)))
        yield


@contextmanager
def process(watch: Watch, aliases: Sequence[str]) -> Iterator[None]:
    """One run. At its end the hooks of its last commits run, or, if it was killed, are gone with it."""
    hooks = {alias: len(connections[alias].run_on_commit) for alias in aliases}
    yield
    for alias, count in hooks.items():
        connection = connections[alias]
        connection.needs_rollback = False
        if watch.is_dead:
            transactions.forget(connection)
            del connection.run_on_commit[count:]
        else:
            _run_hooks(connection, count)


def _run_hooks_of(connection: BaseDatabaseWrapper, sid: str) -> None:
    """What was registered inside of this savepoint. Our own ledger is no set; it sees the release by itself."""
    own = [hook for hook in connection.run_on_commit if isinstance(hook[0], set) and sid in hook[0]]
    connection.run_on_commit = [hook for hook in connection.run_on_commit if hook not in own]
    for _, hook, *_ in own:
        hook()


def _run_hooks(connection: BaseDatabaseWrapper, count: int) -> None:
    hooks = connection.run_on_commit[count:]
    del connection.run_on_commit[count:]
    for _, hook, *_ in hooks:
        hook()


def _executed(watch: Watch) -> Callable[..., Any]:
    def execute(run: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        word = str(sql).lstrip(" (\n\t").partition(" ")[0].upper()
        if word not in ENDS:
            watch.breathe()
        connection = context["connection"]
        if transactions.awaits_commit(connection):
            return run(sql, params, many, context)
        connection.needs_rollback = False  # a statement that failed outside of a transaction breaks none
        if word in READS:
            return run(sql, params, many, context)
        answer = _by_itself(connection, lambda: run(sql, params, many, context))
        watch.reach("commit", f"a commit on {connection.alias} ({_short(sql)})")
        return answer

    return execute


def _by_itself(connection: BaseDatabaseWrapper, run: Callable[[], Any]) -> Any:
    """A statement outside of the application's transactions: if it fails, no other knows of it."""
    sid = connection.savepoint()
    try:
        return run()
    except BaseException:
        connection.savepoint_rollback(sid)  # type: ignore[arg-type]
        raise
    # Not released: SQLite cannot do it while somebody reads what a statement returns. It goes with the scenario.


def _committed(watch: Watch, commit: Callable[..., None]) -> Callable[..., None]:
    """The release of a savepoint; that of the outermost is the commit. With a dead client there is none."""

    def committed(connection: BaseDatabaseWrapper, sid: str) -> None:
        if watch.is_dead:
            connection.savepoint_rollback(sid)
        commit(connection, sid)
        if not watch.is_dead and not transactions.awaits_commit(connection):
            watch.reach("commit", f"a commit on {connection.alias}")
            _run_hooks_of(connection, sid)

    return committed


def _entered(enter: Callable[..., None]) -> Callable[..., None]:
    """Blocks that want no savepoint need one here, if to them nothing is open: it stands for the transaction."""

    def entered(block: Atomic) -> None:
        outer = connections[block.using or "default"].atomic_blocks
        wanted = block.savepoint
        block.savepoint = wanted or all(getattr(each, "_from_testcase", False) for each in outer)
        try:
            enter(block)
        finally:
            block.savepoint = wanted

    return entered


def _short(sql: Any) -> str:
    words = str(sql).split()
    return " ".join(words[:3])
