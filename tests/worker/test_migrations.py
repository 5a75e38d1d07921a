"""A worker that comes up before the database is ready; connections out of a pool. A real PostgreSQL."""

import asyncio
import contextlib
import logging

import pytest
from django.core.management import call_command
from django.db import connection, connections

from kiq_django.worker import migrations
from tests.outbox.postgres import USER, cluster
from tests.support import wait_for
from tests.worker.test_runner import Running


@pytest.fixture(scope="module")
def server():
    """Settings of an empty database."""
    with cluster() as folder:
        yield {"ENGINE": "django.db.backends.postgresql", "NAME": USER, "USER": USER, "HOST": str(folder)}


@pytest.fixture
def database(server, request, django_db_blocker):
    """The default database is that server's; `param` has more of its settings."""
    former = connections.settings["default"]
    wanted = {**former, **server, "CONN_MAX_AGE": 0, **getattr(request, "param", {})}

    def use(settings):
        connections.close_all()
        connections.settings["default"] = settings
        with contextlib.suppress(AttributeError):  # this thread has not used it yet
            del connections["default"]

    with django_db_blocker.unblock():
        use(wanted)
        yield server
        if getattr(connection, "pool", None):
            connection.close_pool()
        use(former)


@pytest.fixture
def running(store, settings):
    settings.KIQ = {**settings.KIQ, "WORKER": {"wait_for_migrations": True}}
    made = []

    def make():
        made.append(Running().start())
        return made[-1]

    yield make
    for each in made:
        each.tell("TERM")
        each.tell("TERM")
        each.thread.join(10)


def apply(database):
    """In the order of a deploy: the worker is there first."""
    for alias in ("default", "other"):
        call_command("migrate", database=alias, verbosity=0)


def test_it_waits_for_migrate_and_says_so(database, running, declare, monkeypatch, caplog):
    monkeypatch.setattr(migrations, "LOOK_EVERY", 0.05)
    from django.contrib.auth.models import User

    counted = []
    declare(lambda: counted.append(User.objects.count()), name="count").enqueue()
    with caplog.at_level(logging.INFO, "kiq_django.worker"):
        worker = running()
        wait_for(lambda: "Run manage.py migrate" in caplog.text)
        assert (worker.infos, counted) == ([], [])
        apply(database)
        wait_for(lambda: counted)
    assert counted == [0]
    assert worker.infos
    assert "All migrations are applied" in caplog.text


def test_it_can_be_stopped_while_it_waits(running, monkeypatch, caplog):
    monkeypatch.setattr(migrations, "_missing", lambda alias: ["shop.0001"])
    worker = running()
    wait_for(lambda: "shop.0001" in caplog.text)
    worker.tell("TERM")
    wait_for(lambda: worker.is_over)
    assert worker.code == 0


POOL = {"OPTIONS": {"pool": {"min_size": 1, "max_size": 2, "timeout": 5}}, "CONN_HEALTH_CHECKS": False}


def ask():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("database", [POOL], indirect=True)
@pytest.mark.parametrize("is_async", [False, True])
def test_jobs_give_back_what_they_take_out_of_a_pool(database, store, start, declare, is_async):
    """Twenty jobs one after the other, in more threads than the pool has connections."""
    from asgiref.sync import sync_to_async

    pids = []

    def plain():
        pids.append(ask())

    async def asynchronous():
        await asyncio.sleep(0)
        pids.append(await sync_to_async(ask)())

    made = declare(asynchronous if is_async else plain, name="ask", retry=0)
    start(concurrency=4)
    for _ in range(20):
        made.enqueue()
    wait_for(lambda: len(pids) == 20, 20)
    assert len(set(pids)) <= 2
    assert store.sets.count("dead") == 0
    wait_for(lambda: connection.pool.get_stats()["pool_available"] == connection.pool.get_stats()["pool_size"])
