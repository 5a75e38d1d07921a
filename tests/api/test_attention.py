"""What needs attention: every finding for itself, on a real server."""

import json
from dataclasses import dataclass

import pytest
from django.test import override_settings

from kiq_django import clock, conf
from kiq_django.api.attention import attention, judge
from kiq_django.api.situation import look
from kiq_django.api.usual import Evidence
from kiq_django.payload import Payload
from kiq_django.store import Store, connections
from tests.faults import full
from tests.support import round_trips, wait_for

JOB = "tests.jobsapp.jobs.invoice"
ONCE = {"started_at": 0}
"""Of a process that no deploy of late has started."""


@dataclass(frozen=True)
class Counted:
    runs: int
    failures: int
    name: str = ""
    p95: float | None = None

    def run_time(self, q):
        assert q == 0.95
        return self.p95


@pytest.fixture(autouse=True)
def _lasting(store):
    """A server that keeps its data, which is a finding of its own otherwise."""
    store.link.call("CONFIG", "SET", "appendonly", "yes")
    yield
    store.link.call("CONFIG", "SET", "appendonly", "no")


@pytest.fixture
def push(put):
    """Put jobs that everybody knows into queue `mail`, or another, so many seconds ago."""

    def push(number=1, queue="mail", name=JOB, ago=0.0, **fields):
        return [put(queue=queue, name=name, enqueued_at=clock.now() - ago, **fields) for _ in range(number)]

    return push


@pytest.fixture
def work():
    """What a process says of so many threads that run a job."""

    def work(number=1, *, name=JOB, seconds=60.0, queue="mail"):
        payload = Payload.new(name, [], {}, queue=queue, retry=True, now=clock.now())
        entry = {"queue": queue, "payload": payload.encode().decode(), "run_at": int(clock.now() - seconds)}
        return {f"{name}{thread}": json.dumps(entry).encode() for thread in range(number)}

    return work


def findings(health):
    return {point.code: point for point in health.findings}


def codes(health):
    return [point.code for point in health.findings]


class TestAllIsWell:
    def test_with_workers(self, beat, push):
        beat("a:1:x", concurrency="10")
        beat("b:1:x", concurrency="10")
        push(ago=30)
        health = attention()
        assert health.sentence == "All is well: 2 processes with 20 threads, nothing waits longer than 60 s."
        assert (health.level, health.findings, health.left_out) == ("ok", (), 0)

    def test_with_one(self, beat):
        beat(concurrency="1")
        assert attention().sentence == "All is well: 1 process with 1 thread, nothing waits longer than 60 s."

    def test_with_a_queue_that_may_wait(self, beat, push, settings):
        settings.KIQ = {**settings.KIQ, "QUEUES": {"default": 1, "mail": {"latency": 7200}}}
        beat()
        push(ago=3600)
        assert attention().sentence == "All is well: 1 process with 5 threads, nothing waits longer than 60 min."


class TestQueues:
    def test_late(self, beat, push):
        beat(info={"queues": ["mailers"]})
        push(queue="mailers", ago=250)
        health = attention()
        assert health.sentence == "1 problem: queue “mailers” waits 4 min 10 s (target 60 s)."
        assert health.level == "warn"
        assert findings(health)["late"].links == (("queue", "mailers"),)

    def test_late_by_its_own_target(self, beat, push, settings):
        settings.KIQ = {**settings.KIQ, "QUEUES": {"default": 1, "mail": {"latency": 5}}}
        beat()
        push(ago=10)
        assert attention().sentence == "1 problem: queue “mail” waits 10 s (target 5 s)."

    def test_the_worst_first(self, beat, push):
        beat()
        push(ago=100, queue="default")
        push(ago=250, queue="mail")
        push(3, queue="pdf")
        health = attention()
        assert health.sentence == "3 problems, the worst: no worker serves queue “pdf”; jobs that wait: 3."
        assert [point.links[0][1] for point in health.findings] == ["pdf", "mail", "default"]
        assert health.level == "error"

    def test_unserved(self, beat, push):
        beat()
        push(queue="pdf")
        point = findings(attention())["unserved"]
        assert point.command == "manage.py runworker -q pdf"
        assert point.links == (("queue", "pdf"),)

    def test_served_no_longer(self, beat, push):
        beat(quiet="true")
        push(2)
        assert attention().sentence == (
            "1 problem: no worker takes jobs from queue “mail” any more; jobs that wait: 2."
        )

    def test_paused_with_jobs(self, beat, push, store):
        beat()
        push(12, ago=1000)
        store.queues.pause("mail", {"by": "ann", "reason": "provider is down", "at": clock.now() - 180})
        health = attention()
        assert health.sentence == (
            "1 problem: queue “mail” has jobs that wait (12), but is paused by ann 3 min ago: provider is down."
        )
        assert findings(health)["paused"].command == "manage.py kiq resume mail"

    def test_paused_without(self, beat, store):
        beat()
        store.queues.pause("mail", {})
        assert attention().level == "ok"

    def test_the_next_job_is_unknown(self, beat, push):
        beat()
        push(name="Zebra")
        point = findings(attention())["unknown_job"]
        assert point.text.startswith("queue “mail”: the next job, Zebra, is not declared in the code of this process")

    def test_the_next_job_of_a_queue_of_ruby_is_not(self, beat, push):
        beat("ruby:1:x", info={"version": "7.3.0"})
        push(name="Zebra")
        assert attention().level == "ok"

    def test_the_next_job_cannot_be_read(self, beat, store):
        beat()
        store.link.call("SADD", store.keys.queues(), "mail")
        store.link.call("LPUSH", store.keys.queue("mail"), "{")
        assert codes(attention()) == ["unreadable_job"]

    def test_so_many_of_a_kind_are_told(self, beat, push):
        beat()
        for number in range(8):
            push(queue=f"pdf{number}", ago=number)
        health = attention()
        assert health.sentence.startswith("8 problems, the worst: no worker serves queue “pdf7”; ")
        assert [point.links[0][1] for point in health.findings] == ["pdf7", "pdf6", "pdf5", "pdf4", "pdf3"]
        assert health.left_out == 3


class TestWorkers:
    def test_none_runs(self, push):
        push(3)
        push(queue="default")
        health = attention()
        assert health.sentence == "1 problem: no worker runs; jobs that wait: 4."
        assert (health.level, findings(health)["no_workers"].command) == ("error", "manage.py runworker")

    def test_none_runs_and_nothing_waits(self):
        health = attention()
        assert (health.sentence, health.level) == ("1 problem: no worker runs.", "warn")

    def test_unresponsive(self, beat, silent, work):
        beat("a:1:x")
        beat("b:1:x", work=work(2))
        silent("b:1:x", 40)
        health = attention()
        assert health.sentence == ("1 problem: process b:1 is unresponsive: last heard of 40 s ago, running jobs: 2.")
        assert findings(health)["unresponsive"].links == (("process", "b:1:x"),)

    def test_versions(self, beat):
        beat("a:1:x", info=ONCE)
        beat("b:1:x", info=ONCE)
        beat("c:1:x", info={**ONCE, "version": "kiq_django 0.2.0"})
        beat("d:1:x", info={**ONCE, "version": "7.3.0"})
        assert attention().sentence == (
            "1 problem: workers of several versions run: kiq_django 0.1.0 (2), kiq_django 0.2.0 (1)."
        )

    def test_versions_while_a_deploy_goes_on(self, beat):
        beat("a:1:x", info=ONCE)
        beat("b:1:x", info={"version": "kiq_django 0.2.0"})
        assert attention().level == "ok"

    def test_tags_on_one_queue(self, beat):
        beat("a:1:x", info={**ONCE, "tag": "4f3a"})
        beat("b:1:x", info={**ONCE, "tag": "9c01"})
        assert attention().sentence == (
            "1 problem: workers with several tags serve the same queue: 4f3a (1), 9c01 (1)."
        )

    def test_tags_of_programs_that_share_a_server(self, beat):
        beat("a:1:x", info={**ONCE, "tag": "shop"})
        beat("b:1:x", info={**ONCE, "tag": "wiki", "queues": ["wiki"]})
        assert attention().level == "ok"

    def test_all_threads_at_long_jobs(self, beat, push, work):
        beat(work=work(5, seconds=182))
        push()
        health = attention()
        assert health.sentence.startswith(f"1 problem: all 5 threads that serve “mail” are busy: 5 × {JOB}, 3 min ")  # noqa: RUF001
        assert findings(health)["threads_busy"].links == (("running", "mail"),)

    def test_all_threads_at_short_jobs(self, beat, push, work):
        beat(work=work(5, seconds=1))
        push()
        assert attention().level == "ok"
        push(queue="default", ago=100)
        assert codes(attention()) == ["late", "threads_busy"]

    def test_all_threads_and_nothing_waits(self, beat, work):
        beat(work=work(5, seconds=600))
        assert attention().level == "ok"

    def test_the_only_thread(self, beat, push, work):
        beat(work=work(), concurrency="1")
        push()
        assert findings(attention())["threads_busy"].text.startswith("the only thread that serves “mail” is busy: ")


class TestJobs:
    def test_failing_more_than_usual(self, beat):
        beat()
        evidence = Evidence(
            recent={"TaxSync": Counted(50, 20), "Fine": Counted(50, 20), "Few": Counted(4, 4), "Rare": Counted(999, 9)},
            before={"TaxSync": Counted(1000, 50), "Fine": Counted(1000, 200)},
        )
        health = attention(evidence=evidence)
        assert health.sentence == "1 problem: TaxSync fails in 40 % of its runs (usually 5 %)."
        assert findings(health)["failing"].links == (("class", "TaxSync"),)

    def test_failing_from_the_start(self, beat):
        beat()
        health = attention(evidence=Evidence(recent={"New": Counted(9, 9)}))
        assert findings(health)["failing"].text == "New fails in 100 % of its runs (usually 0 %)"

    def test_running_for_too_long(self, beat, work):
        beat("a:1:x", work=work(2, seconds=182), concurrency="10")
        beat("b:1:x", work={**work(1, name="b", seconds=182), **work(1, name="c", seconds=59)}, concurrency="10")
        health = attention(evidence=Evidence(usual={JOB: 20.0, "b": 20.0, "c": 1.0}))
        first, second = health.findings
        assert first.text.startswith(f"2 jobs {JOB} run for far too long, one for 3 min ")
        assert first.text.endswith(" s (p95: 20 s)")
        assert second.text.startswith("b has run for 3 min ")
        assert second.links[-1] == ("process", "b:1:x")

    def test_with_the_tables_of_the_metrics(self, beat, work):
        beat(work=work(1, seconds=182))
        hour, day = [Counted(9, 9, "New")], [Counted(5, 0, JOB, 20_000.0), Counted(5, 0, "unknown")]
        health = attention(evidence=Evidence.of(hour, day))
        assert codes(health) == ["failing", "too_long"]

    def test_as_long_as_usual(self, beat, work):
        beat(work=work(2, seconds=182))
        assert attention(evidence=Evidence(usual={JOB: 62})).level == "ok"

    @pytest.mark.parametrize(("earlier", "level"), [((1, 2, 3), "warn"), ((9, 1, 2, 3), "warn"), ((2, 3), "ok")])
    def test_retries_that_grow(self, beat, put_many, earlier, level):
        beat()
        put_many("retry", 4)
        health = attention(evidence=Evidence(retries=earlier))
        assert health.level == level
        if level == "warn":
            assert health.sentence == "1 problem: more and more jobs wait for a retry: 4, a moment ago 1."

    def test_retries_that_stay(self, beat, put_many):
        beat()
        put_many("retry", 3)
        assert attention(evidence=Evidence(retries=(1, 2, 3))).level == "ok"

    def test_a_dead_set_near_its_limit(self, beat, put_many, settings):
        settings.KIQ = {**settings.KIQ, "LIMITS": {"dead_jobs": 10}}
        beat()
        put_many("dead", 9)
        health = attention()
        assert health.sentence == ("1 problem: the dead set is nearly full: 9 of 10 jobs; the oldest are thrown away.")
        assert findings(health)["dead_full"].links == (("set", "dead"),)

    def test_a_job_that_nobody_moves(self, beat, put):
        beat()
        put("schedule", -250)
        put("retry", 250)
        put("dead", -5000)
        health = attention()
        assert health.sentence == (
            "1 problem: a job is overdue by 4 min 10 s: no worker moves what is due to its queue."
        )
        assert health.level == "error"

    def test_a_job_that_is_just_due(self, beat, put):
        beat()
        put("retry", -5)
        assert attention().level == "ok"


class TestServer:
    @pytest.fixture(autouse=True)
    def _beat(self, beat):
        beat()

    def test_persistence(self, store):
        store.link.call("CONFIG", "SET", "appendonly", "no")
        health = attention()
        assert health.sentence == "1 problem: Redis persistence: none: a restart of the server loses all jobs."
        assert findings(health)["redis_persistence"].remedy == "Set appendonly yes"

    def test_policy(self, store):
        store.link.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try:
            health = attention()
        finally:
            store.link.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        assert health.sentence == (
            "1 problem: Redis eviction: a full server throws jobs away (maxmemory-policy allkeys-lru)."
        )
        assert health.level == "error"

    def test_nearly_full(self, store):
        wait_for(lambda: _has_written_its_file(store))  # meanwhile Redis 6.2 needs ten megabytes more
        used = store.link.info().used_memory
        store.link.call("CONFIG", "SET", "maxmemory", int(used / 0.85))
        try:
            health = attention()
        finally:
            store.link.call("CONFIG", "SET", "maxmemory", "0")
        assert health.sentence.startswith("1 problem: Redis memory: ")

    def test_full(self, store):
        with full(store.link.client):
            health = attention()
        assert codes(health) == ["redis_full"]
        assert health.level == "error"

    def test_a_replica(self, store):
        store.link.client.replicaof("127.0.0.1", 1)
        try:
            health = attention()
        finally:
            store.link.client.replicaof("NO", "ONE")
        assert health.sentence == "1 problem: Redis takes no writes: it is a replica."

    def test_clock(self, monkeypatch):
        now = clock.now
        monkeypatch.setattr(clock, "now", lambda: now() - 5)
        assert attention().sentence == "1 problem: clocks differ from the server's: this host is 5 s behind."

    def test_away(self):
        with override_settings(KIQ={"REDIS": "redis://user:secret@127.0.0.1:1/0"}):
            health = attention()
        assert (health.sentence, health.level) == ("Redis cannot be reached.", "error")
        assert "secret" not in str(health)

    def test_what_it_does_not_tell_is_no_problem(self, store, server_url):
        store.link.call("ACL", "SETUSER", "worker", "on", ">w", "~*", "+@all", "-@dangerous", "+client")
        try:
            target = connections.target({"url": server_url, "username": "worker", "password": "w"})
            health = attention(Store(target, "", conf.get().limits))
        finally:
            store.link.call("ACL", "DELUSER", "worker")
        assert health.level == "ok"


class TestCost:
    def test_what_was_looked_at_costs_nothing_more(self, push, beat):
        beat()
        push(ago=250)
        situation = look()
        with round_trips() as sent:
            assert judge(situation).sentence == "1 problem: queue “mail” waits 4 min 10 s (target 60 s)."
        assert sent == []

    @pytest.mark.parametrize("queues", [1, 1000])
    def test_five_round_trips(self, put, store, beat, queues):
        for number in range(queues):
            put(queue=f"q{number}", name=JOB)
        for number in range(20):
            beat(f"host:{number}:aa", info={"queues": [f"q{i}" for i in range(queues)]})
        with round_trips() as sent:
            assert attention().level == "ok"
        assert len(sent) == 5

    def test_six_where_info_is_forbidden(self, store, server_url, beat):
        beat()
        store.link.call("ACL", "SETUSER", "worker", "on", ">w", "~*", "+@all", "-@dangerous", "+client")
        try:
            target = connections.target({"url": server_url, "username": "worker", "password": "w"})
            other = Store(target, "", conf.get().limits)
            other.processes.ping()
            with round_trips() as sent:
                attention(other)
        finally:
            store.link.call("ACL", "DELUSER", "worker")
        assert len(sent) == 6


def _has_written_its_file(store):
    persistence = store.link.client.info("persistence")
    return not (persistence["aof_rewrite_in_progress"] or persistence["aof_rewrite_scheduled"])
