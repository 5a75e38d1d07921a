"""Worker processes and what they run."""

import pytest

from kiq_django import clock
from kiq_django.api import ProcessSet, WorkSet
from kiq_django.exceptions import Unsupported


def test_reads_a_process(beat):
    beat("web1:7:aa", info={"pid": 7})
    (process,) = ProcessSet()
    assert (process.identity, process.hostname, process.pid, process.tag) == ("web1:7:aa", "web1", 7, "shop")
    assert (process.queues, process.weights, process.concurrency) == (["default", "mail"], {"default": 1, "mail": 2}, 5)
    assert (process.busy, process.is_quiet, process.rss, process.rtt) == (0, False, 51_200, 1_234)
    assert process.beat == pytest.approx(clock.now(), abs=5)
    assert process.started_at == pytest.approx(clock.now() - 60, abs=5)
    assert (process.version, process.labels, process.embedded) == ("kiq_django 0.1.0", ["eu"], False)
    assert process.work == []
    assert ProcessSet().find("web1:7:aa").identity == "web1:7:aa"
    assert ProcessSet().find("nobody") is None


def test_counts_the_living_only(store, beat):
    beat("a:1:x")
    beat("b:1:x")
    store.link.call("DEL", store.keys.process("b:1:x"))
    processes = ProcessSet()
    assert [process.identity for process in processes] == ["a:1:x"]
    assert processes.size == 1
    assert store.processes.identities() == ["a:1:x"]


def test_reads_on_although_nothing_can_be_written(store, beat):
    beat("a:1:x")
    store.link.call("CONFIG", "SET", "maxmemory", "1")
    try:
        assert ProcessSet().size == 1
        assert WorkSet().size == 0
    finally:
        store.link.call("CONFIG", "SET", "maxmemory", "0")


@pytest.mark.parametrize(
    "info",
    [
        {"hostname": None, "pid": "x", "queues": "mail", "weights": 3, "labels": "eu", "capsules": [], "version": None},
        {"started_at": "yesterday", "weights": [{"mail": "x"}, 4], "tag": None},
        {"started_at": 1e999, "pid": 2**70, "weights": {"mail": 2}},
    ],
)
def test_reads_whatever_others_wrote(beat, info):
    beat(info=info, busy="many", rss="", rtt_us="nan")
    (process,) = ProcessSet()
    for name in ("hostname", "pid", "tag", "queues", "weights", "labels", "version", "started_at", "capsules"):
        getattr(process, name)
    assert (process.busy, process.rss, process.rtt) == (0, 0, 0)


def test_a_process_whose_info_nobody_can_read_is_there(store, beat):
    beat("a:1:x")
    store.link.call("HSET", store.keys.process("a:1:x"), "info", "{")
    (process,) = ProcessSet()
    assert (process.identity, process.hostname, process.queues, process.concurrency) == ("a:1:x", "", [], 5)


def test_signals_wait_in_order(store, beat):
    beat("a:1:x")
    (process,) = ProcessSet()
    process.quiet()
    process.stop()
    process.dump_threads()
    assert [beat("a:1:x") for _ in range(4)] == ["TSTP", "TERM", "TTIN", None]


def test_reads_work(beat, running):
    payload, entry = running()
    beat("a:1:x", work={"t1": entry})
    beat("b:1:x", work={"t1": running(run_at=clock.now() - 60)[1]})
    works = WorkSet()
    assert works.size == 2
    assert [work.process.identity for work in works] == ["b:1:x", "a:1:x"]
    work = works.find(payload.jid)
    assert (work.thread, work.queue, work.record.payload, work.record.place) == ("t1", "mail", payload, "running")
    assert work.elapsed == pytest.approx(5, abs=3)
    assert works.find("nobody") is None
    with pytest.raises(Unsupported, match="running cannot be deleted"):
        work.record.delete()


def test_reads_work_as_older_sidekiqs_write_it(store, beat, running):
    beat("a:1:x", work={"t1": running()[1]})
    store.link.call("DEL", store.keys.work("a:1:x"))
    assert len(list(WorkSet())) == 1


def test_reads_strange_work(beat, running):
    object_payload = {"class": "A", "jid": "1", "args": []}
    beat(
        work={
            "object": running(payload=object_payload, run_at=1_795_318_640_000)[1],
            "no payload": running(payload=None)[1],
            "no time": running(run_at=None, queue=None)[1],
            "empty": b"",
            "junk": b"\xff[",
        }
    )
    found = {work.thread: work for work in WorkSet()}
    assert set(found) == {"object", "no payload", "no time"}
    assert found["object"].record.name == "A"
    assert found["object"].run_at == 1_795_318_640
    assert found["no payload"].record.payload is None
    assert found["no time"].queue == ""
