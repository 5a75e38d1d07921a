"""Jobs on their way through the outbox, on real SQLite connections and a real Redis."""

import threading
from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from kiq_django import adapters, job, registry, signals
from kiq_django import store as stores
from kiq_django.adapters.redis import RedisAdapter
from kiq_django.exceptions import ConfigurationError, PayloadError, QueueFull, StoreUnavailable
from kiq_django.features import outbox as feature
from tests import faults
from tests.conftest import LAYOUT
from tests.support import round_trips
from tests.tasks import sample
from tests.worker.conftest import encoded

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


@pytest.fixture(autouse=True)
def _own_jobs(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))


@pytest.fixture
def order(store, outbox):
    """A job whose calls go by way of the outbox."""

    @job(name="order", outbox=True)
    def order(number): ...

    return order


@pytest.fixture
def away(settings, store):
    """From a call on Redis cannot be reached; from another on it can."""
    there = settings.KIQ

    def switch(*, on):
        settings.KIQ = {**there, "REDIS": "redis://127.0.0.1:1/0"} if on else there

    return switch


@pytest.fixture
def relay(outbox, monkeypatch):
    """One look of a worker into the outboxes, at once."""
    monkeypatch.setattr(feature, "GRACE", -1.0)

    def look():
        store = stores.get()
        store.link.call("DEL", store.keys.relay())
        one = feature.Relay(store)
        one.tick()
        return one

    return look


def vetoing(payload, proceed):
    return None if payload.args == [13] else proceed(payload)


def failing(payload, proceed):
    if payload.args == [13]:
        raise ZeroDivisionError
    return proceed(payload)


class Dies(RedisAdapter):
    """Loses its life, as far as a caller can see, on the way back from Redis."""

    def push_with_care(self, payloads, **options):
        super().push_with_care(payloads, **options)
        raise StoreUnavailable("the answer is lost")


class TestTransaction:
    def test_a_row_until_the_commit_and_a_push_right_after_it(self, order, outbox, waiting):
        with transaction.atomic():
            handle = order.enqueue(1)
            (row,) = outbox.objects.all()
            assert row.jid == handle.id
            assert waiting() == []
        assert waiting() == [1]
        assert not outbox.objects.exists()

    def test_a_rollback_takes_the_row_along(self, order, outbox, waiting):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            order.enqueue(1)
            raise ZeroDivisionError
        assert not outbox.objects.exists()
        assert waiting() == []

    def test_a_savepoint_takes_its_own_along(self, order, outbox, waiting):
        with transaction.atomic():
            order.enqueue(1)
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                order.enqueue(2)
                raise ZeroDivisionError
            order.enqueue(3)
        assert waiting() == [1, 3]
        assert not outbox.objects.exists()

    def test_a_plain_job_knows_nothing_of_it(self, order, outbox, waiting, django_assert_num_queries):
        with transaction.atomic(), django_assert_num_queries(0):
            order.using(outbox=False).enqueue(1)
        assert waiting() == [1]

    def test_a_bulk_and_a_schedule(self, order, outbox, store):
        with transaction.atomic():
            order.enqueue_all([(n,) for n in range(1_200)])
            order.enqueue_in(60, 7)
            assert outbox.objects.count() == 1_201
        assert store.queues.sizes(["default"]) == {"default": 1_200}
        assert store.sets.count("schedule") == 1
        assert not outbox.objects.exists()

    def test_what_is_too_large_is_refused_at_the_call(self, order, settings):
        settings.KIQ = {**settings.KIQ, "LIMITS": {"payload": 300}}
        with transaction.atomic(), pytest.raises(PayloadError):
            order.enqueue("x" * 300)

    def test_the_outbox_for_all_jobs_by_the_settings(self, store, outbox, settings, waiting):
        settings.KIQ = {**settings.KIQ, "DEFAULTS": {"outbox": True}}

        @job(name="plain")
        def plain(number): ...

        with transaction.atomic():
            plain.enqueue(1)
            assert outbox.objects.count() == 1
        assert waiting() == [1]

    def test_without_waiting_for_the_commit_it_has_no_part(self, order, outbox, waiting):
        with transaction.atomic():
            order.using(on_commit=False).enqueue(1)
            assert waiting() == [1]
            assert not outbox.objects.exists()

    def test_with_an_adapter_that_forgets_no_row_is_written(self, order, outbox, settings):
        settings.KIQ = {**settings.KIQ, "ADAPTER": "test"}
        with transaction.atomic():
            order.enqueue(1)
            assert not outbox.objects.exists()
        assert len(adapters.get().enqueued()) == 1


class TestSeveralDatabases:
    def test_the_row_goes_into_the_one_whose_transaction_is_open(self, order, outbox, waiting):
        with transaction.atomic(using="other"):
            order.enqueue(1)
            assert outbox.objects.using("other").count() == 1
            assert not outbox.objects.exists()
        assert waiting() == [1]
        assert not outbox.objects.using("other").exists()

    def test_of_several_into_the_one_that_the_router_writes_to(self, order, outbox, waiting):
        with transaction.atomic(using="other"), transaction.atomic():
            order.enqueue(1)
            assert outbox.objects.count() == 1
        assert waiting() == [1]

    def test_never_into_one_that_the_router_forbids(self, order, outbox, settings, waiting):
        settings.DATABASE_ROUTERS = [f"{__name__}.OnlyOther"]
        with transaction.atomic(using="other"), transaction.atomic():
            order.enqueue(1)
            assert outbox.objects.using("other").count() == 1
        assert waiting() == [1]
        with (
            transaction.atomic(),
            pytest.raises(ConfigurationError, match="'default', where DATABASE_ROUTERS"),
        ):
            order.enqueue(2)
        assert waiting() == [1]


class OnlyOther:
    def db_for_write(self, model, **hints):
        return "other" if model._meta.app_label == "kiq_outbox" else None

    def allow_migrate(self, alias, app_label, **hints):
        return alias == "other" if app_label == "kiq_outbox" else None


class TestTrouble:
    def test_redis_is_away_and_a_worker_does_it_later(self, order, outbox, away, relay, waiting, caplog):
        away(on=True)
        with transaction.atomic():
            order.enqueue(1)
        assert "wait in the outbox of 'default' for a worker" in caplog.text
        assert outbox.objects.count() == 1
        away(on=False)
        relay()
        assert waiting() == [1]
        assert not outbox.objects.exists()

    def test_without_a_transaction_redis_is_asked_first_and_the_database_takes_what_it_refuses(
        self, order, outbox, away, relay, waiting, django_assert_num_queries
    ):
        with django_assert_num_queries(0):
            order.enqueue(1)
        assert waiting() == [1]
        away(on=True)
        handle = order.enqueue(2)
        order.enqueue_all([(3,), (4,)])
        assert outbox.objects.order_by("pk").first().jid == handle.id
        away(on=False)
        relay()
        assert waiting() == [1, 2, 3, 4]

    def test_an_answer_that_is_lost_makes_no_second_job(self, order, outbox, settings, relay, waiting):
        redis = settings.KIQ
        settings.KIQ = {**redis, "ADAPTER": f"{__name__}.Dies"}
        Dies.persistent = True
        with transaction.atomic():
            order.enqueue(1)
        order.enqueue(2)
        assert outbox.objects.count() == 2
        settings.KIQ = redis
        relay()
        assert waiting() == [1, 2]
        assert not outbox.objects.exists()

    def test_a_full_redis(self, order, outbox, store, relay, waiting):
        with faults.full(store.link.client, drains=True):
            with transaction.atomic():
                order.enqueue(1)
            assert outbox.objects.count() == 1
        relay()
        assert waiting() == [1]

    def test_two_workers_at_once(self, order, outbox, away, waiting, monkeypatch, store):
        monkeypatch.setattr(feature, "GRACE", -1.0)
        away(on=True)
        with transaction.atomic():
            order.enqueue_all([(n,) for n in range(300)])
        away(on=False)
        monkeypatch.setattr("kiq_django.store.deliveries.Deliveries.may_relay", lambda *_: True)
        begin = threading.Barrier(2)

        def look():
            begin.wait()
            one = feature.Relay(stores.get())
            one.tick()
            one.last_tick()

        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        feature.Relay(stores.get()).tick()
        assert waiting() == list(range(300))
        assert not outbox.objects.exists()

    def test_one_worker_looks_for_all(self, outbox, store):
        assert store.deliveries.may_relay(5)
        assert not store.deliveries.may_relay(5)

    def test_a_fresh_row_is_left_to_its_own_process(self, order, outbox, away, waiting, store):
        away(on=True)
        with transaction.atomic():
            order.enqueue(1)
        away(on=False)
        feature.Relay(stores.get()).tick()
        assert waiting() == []

    def test_a_row_that_is_no_job_stops_nobody(self, order, outbox, relay, away, waiting, caplog):
        outbox.objects.create(jid="0", payload=b"{")
        away(on=True)
        order.enqueue(1)
        away(on=False)
        relay()
        assert waiting() == [1]
        assert "Row '0' of the outbox holds no job" in caplog.text

    def test_a_database_without_its_table_stops_no_other(self, order, outbox, relay, away, waiting, caplog):
        away(on=True)
        order.enqueue(1)
        away(on=False)
        connection.cursor().execute("ALTER TABLE kiq_outbox_entry RENAME TO away")
        try:
            relay()
        finally:
            connection.cursor().execute("ALTER TABLE away RENAME TO kiq_outbox_entry")
        assert "The outbox of database 'default' cannot be emptied" in caplog.text
        relay()
        assert waiting() == [1]


class TestLinks:
    def test_a_veto_ends_it(self, order, outbox, settings, waiting):
        settings.KIQ = {**settings.KIQ, "MIDDLEWARE": {"client": [f"{__name__}.vetoing"]}}
        with transaction.atomic():
            order.enqueue(13)
            order.enqueue(14)
        assert not order.enqueue(13)
        assert waiting() == [14]
        assert not outbox.objects.exists()

    def test_one_that_raises_keeps_the_row(self, order, outbox, settings, waiting, relay):
        settings.KIQ = {**settings.KIQ, "MIDDLEWARE": {"client": [f"{__name__}.failing"]}}
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            order.enqueue(13)
            order.enqueue(14)
        assert waiting() == [14]
        relay()
        assert outbox.objects.count() == 1
        settings.KIQ = {**settings.KIQ, "MIDDLEWARE": {}}
        relay()
        assert sorted(waiting()) == [13, 14]

    def test_job_enqueued_is_sent_once(self, order, outbox, settings, relay):
        seen = []

        def receiver(payload, **_):
            seen.append(payload.args[0])

        signals.job_enqueued.connect(receiver)
        try:
            with transaction.atomic():
                order.enqueue(1)
            for _ in range(2):
                outbox.objects.create(jid="again", payload=encoded("order", 2, jid="again"))
                relay()
        finally:
            signals.job_enqueued.disconnect(receiver)
        assert seen == [1, 2]


class TestCost:
    def test_one_round_trip_and_two_queries(self, order, outbox, django_assert_num_queries):
        order.enqueue(0)
        with round_trips() as sent, django_assert_num_queries(4), transaction.atomic():
            order.enqueue(1)
        assert len(sent) == 1, "BEGIN, INSERT, COMMIT, one push, DELETE"

    @pytest.mark.skipif(LAYOUT == "cluster", reason="there nobody knows where the notes are: they end by themselves")
    def test_what_was_noted_in_redis_is_let_go(self, order, store):
        def lives(jid):
            return store.link.call("TTL", store.keys.delivered("", jid))

        with transaction.atomic():
            first = order.enqueue(1)
        assert lives(first.id) > 86_400
        order.enqueue(2)
        assert 0 < lives(first.id) <= 300


class TestHints:
    def test_the_check_tells_of_an_option_without_the_app(self, db, settings):
        from kiq_django.checks import configuration as checks

        @job(name="careful", outbox=True)
        def careful(): ...

        (error,) = checks.outbox()
        assert error.id == "kiq_django.E005"
        assert "careful" in error.msg
        with pytest.raises(ConfigurationError, match="is not in INSTALLED_APPS"):
            careful.enqueue()

    def test_the_app_is_all_that_it_takes(self, order):
        from kiq_django import plugins
        from kiq_django.checks import configuration as checks

        assert list(checks.outbox()) == []
        assert next(each.name for each in plugins.features()) == "outbox"

    def test_what_lies_there_for_long_needs_attention(self, order, outbox):
        from kiq_django.api import attention, diagnosis

        outbox.objects.create(jid="1", payload=b"{}")
        assert [point.code for point in attention.attention().findings if point.code == "outbox"] == []
        outbox.objects.update(created_at=timezone.now() - timedelta(minutes=5))
        (point,) = [point for point in attention.attention().findings if point.code == "outbox"]
        assert "jobs wait in the outbox of database default (1)" in point.text
        assert [finding.level for finding in diagnosis.diagnose() if finding.topic == "outbox"] == ["warn"]


class TestTasks:
    """Of `django.tasks`: what `KIQ["DEFAULTS"]` says holds for them too."""

    @pytest.fixture
    def kept(self, store, outbox, settings):
        settings.KIQ = {**settings.KIQ, "DEFAULTS": {"outbox": True}}
        store.link.call("FLUSHALL")

    def test_a_row_until_the_commit_and_a_task_right_after_it(self, kept, outbox, waiting):
        with transaction.atomic():
            result = sample.add.enqueue(1, b=2)
            (row,) = outbox.objects.all()
            assert row.jid == result.id
            assert waiting() == []
        assert waiting() == [1]
        assert str(sample.add.get_result(result.id).status) == "READY"
        assert not outbox.objects.exists()

    def test_a_rollback_takes_it_along(self, kept, outbox, waiting):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            sample.add.enqueue(1)
            raise ZeroDivisionError
        assert not outbox.objects.exists()
        assert waiting() == []

    @pytest.mark.parametrize("atomic", [True, False])
    def test_what_redis_does_not_take_is_pushed_by_a_worker(self, kept, outbox, waiting, away, relay, settings, atomic):
        settings.KIQ = {**settings.KIQ, "REDIS": "redis://127.0.0.1:1/0"}
        with transaction.atomic() if atomic else nullcontext():
            result = sample.add.enqueue(1)
        assert outbox.objects.get().jid == result.id
        away(on=False)
        relay()
        assert waiting() == [1]
        assert str(sample.add.get_result(result.id).status) == "READY"
        assert not outbox.objects.exists()

    async def test_from_an_event_loop(self, kept, outbox, waiting):
        await sample.add.aenqueue(1)
        assert waiting() == [1]

    def test_others_go_without(self, store, outbox, waiting, django_assert_num_queries):
        with transaction.atomic(), django_assert_num_queries(0):
            sample.add.enqueue(1)
        assert waiting() == [1]

    def test_a_full_queue_refuses_them_in_the_transaction(self, store, outbox, settings, waiting):
        settings.KIQ = {**settings.KIQ, "QUEUES": {"default": {"limit": 1}}}
        sample.add.enqueue(1)
        with transaction.atomic(), pytest.raises(QueueFull):
            sample.add.enqueue(2)
        assert waiting() == [1]
