"""What is too large, and what is too much."""

import threading

import pytest
from django.db import transaction

from kiq_django import conf, delivery
from kiq_django.exceptions import ConfigurationError, Oversized, PayloadError, QueueFull
from kiq_django.signals import job_dead
from tests.support import round_trips, wait_for


@pytest.fixture
def limited(settings, store, declare):
    """Say `limited(limit=3)`: the job of a queue that holds no more."""

    def make(**options):
        settings.KIQ = {**settings.KIQ, "QUEUES": {"default": 1, "narrow": {"weight": 1, **options}}}
        return declare(lambda number: None, name="narrow_job", queue="narrow")

    return make


class TestSize:
    def test_a_worker_buries_unread_what_is_too_large(self, settings, store, push, start, caplog):
        settings.KIQ = {**settings.KIQ, "LIMITS": {"worker_payload": 1_000}}
        told = []

        def receiver(payload, error, **_):
            told.append((payload, type(error)))

        job_dead.connect(receiver)
        try:
            raw = push("unknown", "x" * 2_000)
            start()
            wait_for(lambda: told)
        finally:
            job_dead.disconnect(receiver)
        assert [each for each, _ in store.sets.page("dead", 0, 9)] == [raw]
        assert told == [(None, Oversized)]
        assert "more than a worker may read" in caplog.text
        assert "xxx" not in caplog.text

    def test_a_large_one_is_warned_of_once_and_pushed(self, settings, store, declare, caplog, monkeypatch):
        monkeypatch.setattr(delivery, "_warned", {})
        settings.KIQ = {**settings.KIQ, "LIMITS": {"payload_warning": 1_000, "payload": 2_000}}
        large = declare(lambda text: None, name="large")
        large.enqueue("x" * 500)
        assert caplog.text == ""
        for _ in range(3):
            large.enqueue("x" * 1_000)
        assert caplog.text.count("The payload of large has 1,") == 1
        with pytest.raises(PayloadError):
            large.enqueue("x" * 2_000)
        assert store.queues.sizes(["default"]) == {"default": 4}


class TestFullQueue:
    def test_it_refuses_and_stores_nothing(self, limited, store):
        narrow = limited(limit=3)
        for number in range(3):
            narrow.enqueue(number)
        with pytest.raises(
            QueueFull, match=r"'narrow' is full: 3 jobs wait, .*\['limit'\] is 3\. The job is not stored"
        ):
            narrow.enqueue(3)
        with pytest.raises(QueueFull):
            narrow.enqueue_all([(4,)])
        assert store.queues.sizes(["narrow"]) == {"narrow": 3}
        narrow.using(queue="default").enqueue(5)

    def test_it_waits_for_room(self, limited, store):
        narrow = limited(limit=1, wait=10)
        narrow.enqueue(1)
        done = threading.Event()

        def enqueue():
            narrow.enqueue(2)
            done.set()

        threading.Thread(target=enqueue).start()
        assert not done.wait(0.1)
        store.queues.clear("narrow")
        assert done.wait(5)
        assert store.queues.sizes(["narrow"]) == {"narrow": 1}

    def test_it_waits_no_longer_than_it_should(self, limited):
        narrow = limited(limit=1, wait=0.05)
        narrow.enqueue(1)
        with pytest.raises(QueueFull, match=r"no room within 0\.05 s"):
            narrow.enqueue(2)

    def test_a_bulk_goes_at_the_pace_of_the_workers(self, limited, store, start):
        narrow, longest = limited(limit=1_500, wait=20), 0
        start({"narrow": 0}, concurrency=4)

        def items():
            nonlocal longest
            for number in range(8_000):
                if number % 1_000 == 0:
                    longest = max(longest, store.queues.sizes(["narrow"])["narrow"])
                yield (number,)

        assert len(narrow.enqueue_all(items())) == 8_000
        assert longest < 2_500
        wait_for(lambda: not store.queues.sizes(["narrow"])["narrow"])

    @pytest.mark.django_db(transaction=True)
    def test_in_a_transaction_it_is_asked_at_the_call(self, limited, store):
        narrow = limited(limit=1)
        with transaction.atomic():
            narrow.enqueue(1)
            narrow.enqueue(2)
        assert store.queues.sizes(["narrow"]) == {"narrow": 2}, "what was admitted is not refused after the commit"
        with pytest.raises(QueueFull), transaction.atomic():
            narrow.enqueue(3)
        assert store.queues.sizes(["narrow"]) == {"narrow": 2}

    async def test_from_an_event_loop(self, limited):
        narrow = limited(limit=1)
        await narrow.aenqueue(1)
        with pytest.raises(QueueFull):
            await narrow.aenqueue(2)

    def test_a_queue_without_one_pays_nothing(self, limited, declare):
        limited(limit=1)
        plain = declare(lambda: None, name="plain")
        plain.enqueue()
        with round_trips() as sent:
            plain.enqueue()
        assert len(sent) == 1

    def test_a_limit_of_nothing_is_refused(self, settings):
        settings.KIQ = {**settings.KIQ, "QUEUES": {"narrow": {"limit": 0}}}
        with pytest.raises(ConfigurationError, match="a whole number above 0"):
            conf.get()
