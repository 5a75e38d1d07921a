"""When a held payload is pushed, on real SQLite connections."""

import pytest
from django.db import connection, connections, transaction
from django.test import TestCase, TransactionTestCase

from kiq_django import transactions
from kiq_django.payload import Payload


def payload(name: str) -> Payload:
    return Payload.new(name, [], {}, queue="default", retry=True, now=1.0)


class Pushes:
    """Notes each call of `flush` as the names in it."""

    def __init__(self):
        self.calls: list[list[str]] = []

    def __call__(self, payloads):
        self.calls.append([each.name for each in payloads])

    def hold(self, *names):
        transactions.hold([payload(name) for name in names], self.flush)

    @property
    def flush(self):
        return self.__call__


class Recording:
    databases = {"default", "other"}

    def setUp(self):
        self.pushes = Pushes()
        self.flush = self.pushes.flush  # one object, as in the client

    def hold(self, *names):
        transactions.hold([payload(name) for name in names], self.flush)

    @property
    def calls(self):
        return self.pushes.calls


class CommitTests(Recording, TransactionTestCase):
    def test_without_a_transaction_at_once(self):
        self.hold("a")
        assert self.calls == [["a"]]

    def test_all_of_one_transaction_in_one_call_in_order(self):
        with transaction.atomic():
            self.hold("a")
            self.hold("b", "c")
            with transaction.atomic():
                self.hold("d")
            assert self.calls == []
        assert self.calls == [["a", "b", "c", "d"]]

    def test_a_rollback_drops_all(self):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            self.hold("a")
            1 / 0  # noqa: B018
        assert self.calls == []
        with transaction.atomic():
            self.hold("b")
        assert self.calls == [["b"]]

    def test_set_rollback_drops_all(self):
        with transaction.atomic():
            self.hold("a")
            transaction.set_rollback(True)
        assert self.calls == []

    def test_a_savepoint_rolled_back_drops_its_own(self):
        with transaction.atomic():
            self.hold("before")
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                self.hold("inside")
                with transaction.atomic():
                    self.hold("released inside")
                1 / 0  # noqa: B018
            self.hold("after")
        assert self.calls == [["before", "after"]]

    def test_the_first_job_in_a_savepoint_that_is_rolled_back(self):
        with transaction.atomic():
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                self.hold("inside")
                1 / 0  # noqa: B018
            assert connection.run_on_commit == []
            self.hold("after")
        assert self.calls == [["after"]]

    def test_a_savepoint_rolled_back_after_hooks_of_others(self):
        ran = []
        with transaction.atomic():
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                transaction.on_commit(lambda: ran.append("dropped"))
                1 / 0  # noqa: B018
            transaction.on_commit(lambda: ran.append("kept"))
            self.hold("a")
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                transaction.on_commit(lambda: ran.append("dropped"))
                self.hold("dropped")
                1 / 0  # noqa: B018
            self.hold("b")
        assert self.calls == [["a", "b"]]
        assert ran == ["kept"]

    def test_a_block_without_savepoint_takes_all_with_it(self):
        with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
            self.hold("a")
            with pytest.raises(ZeroDivisionError), transaction.atomic(savepoint=False):
                self.hold("b")
                1 / 0  # noqa: B018
            connection.ensure_connection()
            connection.cursor().execute("SELECT 1")
        assert self.calls == []

    def test_hooks_that_django_forgot_are_gone(self):
        with transaction.atomic():
            self.hold("a")
            connection.run_on_commit = []  # what closing or rolling back a connection does
            self.hold("b")
        assert self.calls == [["b"]]

    def test_a_lost_connection_drops_all(self):
        with transaction.atomic():
            self.hold("a")
            connection.close()
        assert self.calls == []
        self.hold("b")
        assert self.calls == [["b"]]

    def test_every_open_connection_must_commit(self):
        with transaction.atomic(), transaction.atomic("other"):
            self.hold("a")
        assert self.calls == [["a"]]
        with transaction.atomic():
            with transaction.atomic("other"):
                self.hold("b")
            assert self.calls == [["a"]]
        assert self.calls == [["a"], ["b"]]

    def test_a_rollback_of_either_connection_drops(self):
        with transaction.atomic():
            with pytest.raises(ZeroDivisionError), transaction.atomic("other"):
                self.hold("a")
                1 / 0  # noqa: B018
            self.hold("b")
        assert self.calls == [["b"]]

    def test_it_moves_on_to_a_block_that_was_opened_later(self):
        first, second = transaction.atomic(), transaction.atomic("other")
        first.__enter__()
        self.hold("a")
        second.__enter__()
        first.__exit__(None, None, None)
        assert self.calls == []
        second.__exit__(None, None, None)
        assert self.calls == [["a"]]

    def test_a_rollback_of_the_block_it_moved_on_to_drops(self):
        first, second = transaction.atomic(), transaction.atomic("other")
        first.__enter__()
        self.hold("a")
        second.__enter__()
        first.__exit__(None, None, None)
        transaction.set_rollback(True, using="other")
        second.__exit__(None, None, None)
        assert self.calls == []

    def test_a_hook_of_the_application_that_holds_pushes_at_once(self):
        with transaction.atomic():
            self.hold("a")
            transaction.on_commit(lambda: self.hold("from a hook"))
        assert self.calls == [["a"], ["from a hook"]]

    def test_autocommit_off_is_an_error(self):
        transaction.set_autocommit(False)
        try:
            with pytest.raises(transaction.TransactionManagementError, match="manual transaction management"):
                transactions.open_connections()
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)

    def test_an_atomic_block_with_autocommit_off_waits_for_the_commit(self):
        transaction.set_autocommit(False)
        try:
            with transaction.atomic():
                self.hold("a")
            assert self.calls == []
            transaction.commit()
            assert self.calls == []
        finally:
            transaction.set_autocommit(True)
        assert self.calls == [["a"]]

    def test_two_kinds_of_flush_get_a_call_each(self):
        other = Pushes()
        with transaction.atomic():
            self.hold("a")
            other.hold("b")
            self.hold("c")
        assert self.calls == [["a", "c"]]
        assert other.calls == [["b"]]

    def test_an_error_of_flush_comes_out_of_the_block(self):
        def refuse(payloads):
            raise ConnectionError("away")

        with pytest.raises(ConnectionError), transaction.atomic():
            transactions.hold([payload("a")], refuse)

    def test_holding_stays_cheap(self):
        with transaction.atomic():
            for number in range(1000):
                self.hold(str(number))
            assert len(connection.run_on_commit) == 1
        assert [len(call) for call in self.calls] == [1000]


class InsideTestCaseTests(Recording, TestCase):
    def test_the_tests_own_blocks_do_not_count(self):
        assert connection.in_atomic_block
        assert transactions.open_connections() == []
        self.hold("a")
        assert self.calls == [["a"]]

    def test_pushed_when_the_outermost_block_of_the_application_ends(self):
        with transaction.atomic():
            self.hold("a")
            with transaction.atomic():
                self.hold("b")
            assert self.calls == []
        assert self.calls == [["a", "b"]]
        with transaction.atomic():
            self.hold("c")
        assert self.calls == [["a", "b"], ["c"]]

    def test_a_durable_block_counts(self):
        with transaction.atomic(durable=True):
            self.hold("a")
            assert self.calls == []
        assert self.calls == [["a"]]

    def test_a_rollback_drops(self):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            self.hold("a")
            1 / 0  # noqa: B018
        assert self.calls == []
        assert connection.run_on_commit == []
        with transaction.atomic():
            self.hold("b")
        assert self.calls == [["b"]]

    def test_an_inner_rollback_drops_its_own(self):
        with transaction.atomic():
            self.hold("a")
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                self.hold("b")
                1 / 0  # noqa: B018
        assert self.calls == [["a"]]

    def test_two_connections(self):
        with transaction.atomic():
            with transaction.atomic("other"):
                self.hold("a")
            assert self.calls == []
        assert self.calls == [["a"]]

    def test_a_block_on_one_connection_only(self):
        with transaction.atomic("other"):
            self.hold("a")
            assert self.calls == []
        assert self.calls == [["a"]]

    def test_nothing_of_ours_is_left_behind(self):
        with transaction.atomic():
            self.hold("a")
        assert connection.run_on_commit == []
        assert "savepoint_commit" not in vars(connections["default"])

    def test_a_block_without_a_savepoint_does_not_count(self):
        with transaction.atomic(savepoint=False):
            self.hold("a")
            assert self.calls == [["a"]]
            with transaction.atomic():
                self.hold("b")
                assert self.calls == [["a"]]
            assert self.calls == [["a"], ["b"]]

    def test_capturing_hooks_does_not_push_twice(self):
        ran = []
        with self.captureOnCommitCallbacks(execute=True) as callbacks, transaction.atomic():
            transaction.on_commit(lambda: ran.append("hook"))
            self.hold("a")
        assert self.calls == [["a"]]
        assert ran == ["hook"]
        assert len(callbacks) == 1

    def test_capturing_inside_an_open_block_leaves_the_push_to_its_end(self):
        with transaction.atomic():
            self.hold("a")
            with self.captureOnCommitCallbacks(execute=True):
                self.hold("b")
            assert self.calls == []
        assert self.calls == [["a", "b"]]

    def test_capturing_around_a_push_at_once(self):
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            self.hold("a")
        assert self.calls == [["a"]]
        assert callbacks == []


class LeftoversTests(Recording, TestCase):
    """A test that ends while something is held must not disturb the next one."""

    def test_1_leave_something(self):
        block = transaction.atomic()
        block.__enter__()
        self.hold("left")
        transaction.set_rollback(True)
        block.__exit__(None, None, None)

    def test_2_clean(self):
        with transaction.atomic():
            self.hold("a")
        assert self.calls == [["a"]]


class InitialisedTests(TransactionTestCase):
    def test_agrees_with_django(self):
        connections["default"].ensure_connection()
        assert list(transactions.initialised()) == connections.all(initialized_only=True)
        assert connections["default"] in transactions.initialised()

    async def test_agrees_with_django_on_an_event_loop(self):
        assert list(transactions.initialised()) == connections.all(initialized_only=True)

    def test_the_quick_way_is_in_use(self):
        assert transactions._storage is not None
