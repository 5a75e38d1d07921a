"""The registry of processes, as a beat writes it."""

from kiq_django.store.processes import EXPIRY
from tests import faults

FIELDS = {"info": "{}", "busy": "1"}


def beat(store, identity="h:1:a", work=(), **fields):
    return store.processes.beat(identity, {**FIELDS, **fields}, dict(work))


def test_a_beat_writes_both_names_of_the_work(store, redis_call):
    beat(store, work={"t1": b'{"a":1}', "t2": b"\xff"})
    assert redis_call("SMEMBERS", "processes") in ([b"h:1:a"], {b"h:1:a"})
    for key in ("h:1:a:work", "h:1:a:workers"):
        assert store.link.client.hgetall(key) == {b"t1": b'{"a":1}', b"t2": b"\xff"}
        assert 0 < redis_call("TTL", key) <= EXPIRY
    assert store.link.client.hgetall("h:1:a") == {b"info": b"{}", b"busy": b"1"}
    assert 0 < redis_call("TTL", "h:1:a") <= EXPIRY


def test_the_next_beat_forgets_what_has_ended(store):
    beat(store, work={"t1": b"{}", "t2": b"{}"})
    beat(store, work={"t2": b"{}"})
    [found] = store.processes.read(["h:1:a"])
    assert list(found.work) == ["t2"]
    beat(store)
    [found] = store.processes.read(["h:1:a"])
    assert found.work == {}
    assert store.link.call("EXISTS", "h:1:a:work", "h:1:a:workers") == 0


def test_many_at_work(store):
    work = {f"t{number}": b"{}" for number in range(1500)}
    beat(store, work=work)
    [found] = store.processes.read(["h:1:a"])
    assert len(found.work) == 1500


def test_a_beat_takes_one_signal_in_their_order(store):
    for signal in ("TSTP", "TERM"):
        store.processes.signal(["h:1:a", "h:2:b"], signal)
    assert 0 < store.link.call("TTL", "h:1:a-signals") <= EXPIRY
    assert [beat(store) for _ in range(3)] == ["TSTP", "TERM", None]
    assert beat(store, "h:2:b") == "TSTP"


def test_a_pruned_process_that_beats_is_back(store):
    beat(store)
    store.link.call("DEL", "h:1:a")
    assert store.processes.prune() == 1
    assert store.processes.identities() == []
    beat(store)
    assert store.processes.identities() == ["h:1:a"]


def test_one_prunes_for_all_within_a_minute(store):
    store.link.call("SADD", "processes", "gone:1:a")
    assert store.processes.prune() == 1
    store.link.call("SADD", "processes", "gone:2:b")
    assert store.processes.prune() == 0
    assert 0 < store.link.call("TTL", "process_cleanup") <= 60
    store.link.call("DEL", "process_cleanup")
    assert store.processes.prune() == 1


def test_leaving_leaves_nothing_but_that_it_has_left(store):
    beat(store, work={"t": b"{}"})
    store.processes.leave("h:1:a")
    assert store.link.call("KEYS", "*") == [b"h:1:a"]
    assert 0 < store.link.call("TTL", "h:1:a") <= EXPIRY
    store.processes.leave("h:1:a")


def test_a_beat_that_was_under_way_brings_nobody_back(store):
    beat(store)
    store.processes.leave("h:1:a")
    beat(store, work={"t": b"{}"})
    assert (store.processes.identities(), store.processes.read(["h:1:a"])) == ([], [])
    assert store.link.call("EXISTS", "h:1:a:work", "h:1:a:workers") == 0


def test_a_process_without_info_is_not_there(store):
    store.link.call("HSET", "h:1:a", "busy", "1")
    assert store.processes.read(["h:1:a", "nobody"]) == []


def test_a_round_trip_takes_time(store):
    assert 0 < store.processes.ping() < 5_000_000


def test_a_full_server_keeps_no_process_from_beating(store):
    with faults.full(store.link.client, drains=True):
        assert beat(store, work={"t": b"{}"}) is None
    assert store.processes.count() == 1
