"""What the outbox is for, with real processes: killed between the commit and the push, and everywhere around."""

import signal
import sys

import pytest

from tests.acceptance.process import WorkerProcess, effects
from tests.outbox.conftest import environment_of, run
from tests.support import wait_for

pytestmark = pytest.mark.acceptance


@pytest.fixture
def world(store, server_url, tmp_path, databases):
    """Runs producers on one database and one Redis, and then a worker, until all is done."""

    def take_orders(*arguments, url=server_url):
        command = [sys.executable, "-m", "tests.outbox.producer", *map(str, arguments)]
        return run(command, environment_of(url, tmp_path, databases), check=False)

    def work(expected):
        worker = WorkerProcess(server_url, tmp_path, "-v", "0", environment=environment_of("", tmp_path, databases))
        try:
            wait_for(lambda: len(effects(tmp_path)) >= expected, 20, f"{expected} jobs to run")
            wait_for(lambda: not rows("kiq_outbox_entry"), 10, "the outbox to be empty")
        finally:
            worker.kill()
        return effects(tmp_path)

    def rows(table):
        column = "id" if table == "orders" else "jid"
        code = f"from django.db import connection as c\nu = c.cursor(); u.execute('SELECT {column} FROM {table}')\n"
        code += "print([row[0] for row in u.fetchall()])"
        command = [sys.executable, "-m", "django", "shell", "-v", "0", "-c", code]
        shown = run(command, environment_of("", tmp_path, databases))
        return eval(shown.stdout)

    return take_orders, work, rows


def test_killed_around_the_commit_nothing_is_lost_and_nothing_runs_twice(world):
    take_orders, work, rows = world
    for first, moment in ((0, "commit"), (10, "push"), (20, "open")):
        killed = take_orders(first, first + 10, moment, first + 5)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    orders = rows("orders")
    assert sorted(orders) == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24]
    assert len(rows("kiq_outbox_entry")) == 2, "one that was not pushed, one that was"
    assert work(len(orders)) == {f"touch {number}": 1 for number in orders}


def test_without_redis_orders_are_taken_all_the_same(world):
    take_orders, work, rows = world
    taken = take_orders(0, 5, url="redis://127.0.0.1:1/0")
    assert taken.returncode == 0, taken.stderr
    assert "wait in the outbox of 'default'" in taken.stderr
    assert len(rows("kiq_outbox_entry")) == 5
    assert work(5) == {f"touch {number}": 1 for number in range(5)}
