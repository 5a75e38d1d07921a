import tracemalloc

import pytest
from django.db import transaction

from kiq_django import adapters, client, clock, signals
from kiq_django.bulk import SLICE, Slice, slices
from kiq_django.delivery import Care
from kiq_django.exceptions import NotReplicated, PayloadError, StoreUnavailable, Unsupported
from kiq_django.jids import JidRange
from kiq_django.payload import Payload
from tests.jobsapp import jobs


def payload(name="a", **fields):
    return Payload.new(name, [1], {}, queue=fields.pop("queue", "default"), retry=True, now=1.0, **fields)


def push(*args, **kwargs):
    return client.push(payload(*args, **kwargs), on_commit=False)


def parts(payloads):
    return (Slice(part, [each.jid for each in part], lambda call, jid: call) for part in slices(payloads))


@pytest.fixture
def kiq(settings):
    def change(**values):
        settings.KIQ = {**settings.KIQ, **values}

    return change


class Slices(adapters.Adapter):
    """Remembers how many payloads each push had, and nothing else."""

    persistent = False
    schedules = True
    bulk = True
    sizes: list[int] = []

    def push(self, payloads):
        self.sizes.append(len(payloads))


class Away(Slices):
    def push(self, payloads):
        raise ConnectionError("away")


class Lonely(Slices):
    """Its server has no replica."""

    def push_with_care(self, payloads, *, once=False, replicas=0):
        self.push(payloads)
        raise NotReplicated("0 of 1")


class Gone(Slices):
    def push(self, payloads):
        super().push(payloads)
        raise StoreUnavailable("away")


def vetoing(payload, proceed):
    return None if payload.document.get("veto") else proceed(payload)


def renaming(payload, proceed):
    return proceed(payload.evolve(queue="changed"))


def failing(payload, proceed):
    if payload.document.get("fail"):
        raise ZeroDivisionError
    return proceed(payload)


def test_the_handle():
    handle = push(jid="f" * 24)
    assert (handle.id, handle.job, bool(handle)) == ("f" * 24, "a", True)
    with pytest.raises(AttributeError):
        handle.id = "x"


def test_the_stored_payload(adapter, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: 1795318639.5)
    push()
    (stored,) = adapter.enqueued()
    assert stored.document.keys() == {"retry", "queue", "class", "args", "jid", "created_at", "enqueued_at"}
    assert stored.enqueued_at == 1795318639.5


def test_a_time_ahead_and_a_time_past(adapter):
    push("ahead", at=clock.now() + 60)
    push("past", at=clock.now() - 60)
    ahead, past = adapter.enqueued()
    assert ahead.at
    assert ahead.enqueued_at is None
    assert "at" not in past.document
    assert past.enqueued_at


def test_a_veto(kiq, adapter):
    kiq(MIDDLEWARE={"client": [f"{__name__}.vetoing"]})
    assert not push(veto=True)
    assert push()
    assert len(adapters.get().enqueued()) == 1


def test_a_link_changes_the_payload(kiq):
    kiq(MIDDLEWARE={"client": [f"{__name__}.renaming"]})
    push()
    assert adapters.get().enqueued()[0].queue == "changed"


def test_what_passes_is_pushed_though_a_link_failed_for_another(kiq):
    kiq(MIDDLEWARE={"client": [f"{__name__}.failing"]})
    bulk = [payload("a"), payload("b", fail=True), payload("c")]
    with pytest.raises(ZeroDivisionError):
        client.push_many(parts(bulk), JidRange(3), on_commit=False)
    assert [each.name for each in adapters.get().enqueued()] == ["a", "c"]


def test_too_large(kiq):
    kiq(LIMITS={"payload": 300})
    push()
    with pytest.raises(PayloadError, match=r"The payload of a has \d+ bytes, more than .* \(300\)"):
        push(blob="x" * 300)


def test_an_adapter_without_a_schedule(kiq):
    kiq(ADAPTER="inline")
    with pytest.raises(Unsupported, match="KIQ\\['ADAPTER'\\] 'inline' cannot run a later"):
        push(at=clock.now() + 60)


@pytest.mark.django_db(transaction=True)
class TestInTransactions:
    def push(self, *args, **kwargs):
        return client.push(payload(*args, **kwargs), on_commit=True)

    def test_one_push_for_all_with_ids_known_before(self, kiq):
        kiq(ADAPTER=f"{__name__}.Slices")
        Slices.sizes.clear()
        with transaction.atomic():
            handles = [self.push() for _ in range(3)]
            assert all(handles)
            assert Slices.sizes == []
        assert Slices.sizes == [3]

    def test_client_links_run_at_the_commit(self, kiq):
        kiq(MIDDLEWARE={"client": [f"{__name__}.vetoing"]})
        with transaction.atomic():
            assert self.push(veto=True)
            self.push()
        assert len(adapters.get().enqueued()) == 1

    def test_one_link_that_fails_costs_the_others_nothing(self, kiq):
        kiq(MIDDLEWARE={"client": [f"{__name__}.failing"]})
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            self.push("a", fail=True)
            self.push("b")
        assert [each.name for each in adapters.get().enqueued()] == ["b"]

    def test_nor_those_of_later_slices(self, kiq):
        kiq(MIDDLEWARE={"client": [f"{__name__}.failing"]})
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            self.push("a", fail=True)
            for _ in range(2 * SLICE):
                self.push("b")
        assert len(adapters.get().enqueued()) == 2 * SLICE

    def test_nor_those_that_are_pushed_with_other_care(self, kiq):
        kiq(MIDDLEWARE={"client": [f"{__name__}.failing"]})
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            self.push("a", fail=True)
            client.push(payload("b"), on_commit=True, care=Care(replicas=1))
        assert [each.name for each in adapters.get().enqueued()] == ["b"]

    def test_too_few_replicas_for_one_slice_cost_the_next_nothing(self, kiq):
        kiq(ADAPTER=f"{__name__}.Lonely")
        Slices.sizes.clear()
        with pytest.raises(NotReplicated), transaction.atomic():
            for _ in range(SLICE + 1):
                client.push(payload(), on_commit=True, care=Care(replicas=1))
        assert Slices.sizes == [SLICE, 1]

    def test_without_redis_later_slices_are_not_waited_for(self, kiq):
        kiq(ADAPTER=f"{__name__}.Gone")
        Slices.sizes.clear()
        with pytest.raises(StoreUnavailable), transaction.atomic():
            for _ in range(SLICE + 1):
                self.push()
        assert Slices.sizes == [SLICE]

    def test_what_cannot_be_pushed_is_refused_at_the_call(self, kiq, adapter):
        kiq(LIMITS={"payload": 300}, ADAPTER="inline")
        with transaction.atomic():
            with pytest.raises(PayloadError):
                self.push(blob="x" * 300)
            with pytest.raises(PayloadError):
                self.push(blob=object())
            with pytest.raises(Unsupported):
                self.push(at=clock.now() + 60)

    def test_an_adapter_that_is_away_is_heard_of(self, kiq):
        kiq(ADAPTER=f"{__name__}.Away")
        with pytest.raises(ConnectionError), transaction.atomic():
            self.push()

    def test_a_bulk_waits_too(self, adapter):
        ids = JidRange()
        with transaction.atomic():
            result = client.push_many(parts(payload(jid=ids.take()) for _ in range(5)), ids, on_commit=True)
            assert adapter.enqueued() == []
        assert [each.jid for each in adapter.enqueued()] == list(result)

    def test_without_waiting(self, adapter):
        with transaction.atomic():
            push()
            assert len(adapter.enqueued()) == 1


def test_a_bulk_in_slices(kiq):
    kiq(ADAPTER=f"{__name__}.Slices")
    Slices.sizes.clear()
    ids = JidRange()
    client.push_many(parts(payload(jid=ids.take()) for _ in range(2500)), ids, on_commit=False)
    assert Slices.sizes == [1000, 1000, 500]


def test_the_ids_of_a_bulk(kiq):
    kiq(MIDDLEWARE={"client": [f"{__name__}.vetoing"]})
    ids = JidRange()
    payloads = (payload(jid=ids.take(), veto=number == 1500) for number in range(2000))
    result = client.push_many(parts(payloads), ids, on_commit=False)
    assert len(result) == 2000
    assert result[1500] is None
    assert result[-500] is None
    assert result[0] == adapters.get().enqueued()[0].jid
    assert result[1499:1502] == [ids[1499], None, ids[1501]]
    assert [each for each in result if each] == [each.jid for each in adapters.get().enqueued()]
    with pytest.raises(IndexError):
        result[2000]


def test_an_empty_bulk(adapter):
    result = client.push_many([], JidRange(), on_commit=False)
    assert list(result) == []
    assert adapter.enqueued() == []


def test_memory_stays_flat(kiq):
    kiq(ADAPTER=f"{__name__}.Slices")

    def peak(count):
        tracemalloc.start()
        ids = JidRange()
        client.push_many(parts(payload(jid=ids.take()) for _ in range(count)), ids, on_commit=False)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1000)
    assert peak(10_000) < 1.2 * peak(2_000)


def test_the_signal_of_a_push():
    seen = []

    def receiver(sender, payload, **_):
        seen.append((sender, payload.jid))

    signals.job_enqueued.connect(receiver)
    try:
        known = jobs.record.enqueue(1)
        unknown = push("unknown")
    finally:
        signals.job_enqueued.disconnect(receiver)
    assert seen == [(jobs.record, known.id), (None, unknown.id)]
