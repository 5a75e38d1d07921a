"""Why is it not moving? Every cause for itself, on a real server."""

import json
import math
from dataclasses import dataclass

import pytest
import redis
from django.utils import translation

from kiq_django import clock, conf, registry
from kiq_django.api.attention import attention
from kiq_django.api.situation import look
from kiq_django.api.why import explain_queue, why_queue
from kiq_django.payload import Payload
from kiq_django.store import Store, connections
from tests.faults import full
from tests.store.servers import bare, redis_server, url
from tests.support import round_trips, wait_for

JOB = "tests.jobsapp.jobs.invoice"


@dataclass(frozen=True)
class Moves:
    out_per_minute: float | None
    time_to_empty: float | None = None


@pytest.fixture
def push(put):
    """Put jobs that everybody knows into queue `mail`, or another."""

    def push(number=1, queue="mail", name=JOB, **fields):
        return [put(queue=queue, name=name, **fields) for _ in range(number)]

    return push


@pytest.fixture
def work():
    """What a process says of so many threads that run a job."""
    threads = iter(range(1_000_000))

    def work(number=1, *, name=JOB, seconds=60.0, queue="mail", thread="t"):
        payload = Payload.new(name, [], {}, queue=queue, retry=True, now=clock.now())
        entry = {"queue": queue, "payload": payload.encode().decode(), "run_at": int(clock.now() - seconds)}
        return {f"{thread}{next(threads)}": json.dumps(entry).encode() for _ in range(number)}

    return work


def capsules(**modes):
    """What a process says of its capsules: `capsules(strict={"a": 0})`."""
    made = {f"c{i}": {"concurrency": 1, "mode": mode, "weights": w} for i, (mode, w) in enumerate(modes.items())}
    queues = [name for weights in modes.values() for name in weights]
    return {"capsules": made, "queues": queues, "weights": [capsule["weights"] for capsule in made.values()]}


def points(answer):
    return {point.code: point for point in answer.points}


def told(answer):
    """Codes of what is bad."""
    return [point.code for point in answer.points if point.state == "bad"]


def store_at(address):
    return Store(connections.target(address), "", conf.get().limits)


class TestNobodyServesIt:
    def test_no_worker_runs(self, push):
        push(2)
        answer = why_queue("mail")
        assert (answer.verdict, answer.level) == ("Queue “mail” does not move: no worker runs.", "error")
        assert told(answer) == ["no_workers"]
        assert points(answer)["no_workers"].command == "manage.py runworker -q mail"

    def test_workers_run_but_none_serves_it(self, push, beat):
        push(queue="pdf")
        beat("web-1:77:aa")
        beat("web-2:78:bb")
        answer = why_queue("pdf")
        assert answer.verdict == (
            "Queue “pdf” does not move: no worker serves it: the processes that run (web-1:77, web-2:78) "
            "serve default, mail."
        )
        point = points(answer)["unserved"]
        assert point.links == (("process", "web-1:77:aa"), ("process", "web-2:78:bb"))
        assert point.remedy == "Start a worker for it, or add it to KIQ['QUEUES']"

    def test_a_name_that_is_nearly_right(self, push, beat):
        push(queue="mails")
        beat("web-1:77:aa")
        point = points(why_queue("mails"))["unserved"]
        assert point.text == "no worker serves it: the process that runs (web-1:77) serves default, mail"
        assert point.remedy == "Did you mean “mail”? If not, start a worker for it"
        assert point.links[0] == ("queue", "mail")

    def test_only_quiet_processes_serve_it(self, push, beat):
        push()
        beat("web-1:77:aa", quiet="true")
        beat("web-2:78:bb", info={"queues": ["default"]})
        answer = why_queue("mail")
        assert answer.verdict == (
            "Queue “mail” does not move: the only process that serves it is quiet or stopping: web-1:77."
        )
        assert (answer.level, told(answer)) == ("error", ["only_quiet"])

    def test_the_process_that_serves_it_is_unresponsive(self, push, beat, silent):
        push()
        beat("web-1:77:aa")
        silent("web-1:77:aa", 40)
        answer = why_queue("mail")
        assert answer.verdict == (
            "Queue “mail” does not move: the process that serves it is unresponsive: web-1:77, last heard of 40 s ago."
        )
        assert points(answer)["unresponsive"].links == (("process", "web-1:77:aa"),)

    def test_two_beats_late_is_soon_enough(self, push, beat, silent):
        push()
        beat("web-1:77:aa")
        silent("web-1:77:aa", 9)
        assert "served" in points(why_queue("mail"))

    def test_sidekiq_beats_every_ten_seconds(self, push, beat, silent):
        push()
        beat("ruby-1:77:aa", info={"version": "7.3.0"})
        silent("ruby-1:77:aa", 19)
        assert "served" in points(why_queue("mail"))
        silent("ruby-1:77:aa", 21)
        assert "unresponsive" in points(why_queue("mail"))

    def test_one_process_that_serves_it_is_enough(self, push, beat, silent):
        push()
        for identity in ("a:1:x", "b:1:x", "c:1:x"):
            beat(identity)
        beat("c:1:x", quiet="true")
        silent("a:1:x", 40)
        assert points(why_queue("mail"))["served"].text == "1 process serves it: b:1, threads: 5"


class TestPaused:
    def test_by_whom_when_and_why(self, push, beat, store):
        push(3)
        beat()
        store.queues.pause("mail", {"by": "ann", "reason": "provider\nis down", "at": clock.now() - 180})
        answer = why_queue("mail")
        assert answer.verdict == "Queue “mail” does not move: paused by ann 3 min ago: provider is down."
        assert answer.level == "warn"
        assert points(answer)["paused"].command == "manage.py kiq resume mail"

    def test_by_another_program(self, push, beat, store):
        push()
        beat()
        store.link.call("SADD", store.keys.paused("mail"), "mail")
        assert points(why_queue("mail"))["paused"].text == "paused by another program"

    def test_not_paused(self, push, beat):
        push()
        beat()
        assert points(why_queue("mail"))["not_paused"].state == "good"

    def test_that_nobody_serves_it_weighs_more(self, push, store):
        push()
        store.queues.pause("mail", {})
        answer = why_queue("mail")
        assert answer.verdict == "Queue “mail” does not move: no worker runs."
        assert told(answer) == ["no_workers", "paused"]


class TestThreads:
    def test_all_are_busy(self, push, beat, work):
        push(10)
        beat("web-1:77:aa", work=work(5, seconds=182))
        answer = why_queue("mail")
        assert answer.verdict.startswith(f"Queue “mail” waits: all 5 threads are busy: 5 × {JOB}, 3 min ")  # noqa: RUF001
        assert answer.verdict.endswith(" at most.")
        point = points(answer)["threads_busy"]
        assert " s on average, 3 min " in point.text
        assert "(now 5; -c, or KIQ['WORKER']['concurrency'])" in point.remedy
        assert point.links == (("running", "mail"), ("process", "web-1:77:aa"))
        assert answer.level == "warn"

    def test_with_what_is_usual(self, push, beat, work):
        push()
        beat(work=work(5))
        assert points(why_queue("mail", usual={JOB: 20}))["threads_busy"].text.endswith(" at most (p95: 20 s)")

    def test_with_several_jobs(self, push, beat, work):
        push()
        names = ["a", "b", "c", "d"]
        beat(work={k: v for name in names for k, v in work(2 if name == "b" else 1, name=name).items()})
        text = points(why_queue("mail"))["threads_busy"].text
        assert text.startswith("all 5 threads are busy: 2 × b, ")  # noqa: RUF001
        assert text.endswith(" and 1 more")
        assert "; a for 1 min" in text

    def test_the_only_thread(self, push, beat, work):
        push()
        beat(work=work(1, seconds=2), concurrency="1")
        assert points(why_queue("mail"))["threads_busy"].text.startswith(f"the only thread is busy: {JOB} for ")

    def test_a_job_that_nobody_can_read(self, push, beat):
        push()
        entry = json.dumps({"queue": "mail", "payload": "{", "run_at": int(clock.now())}).encode()
        beat(work={"t": entry}, concurrency="1")
        assert points(why_queue("mail"))["threads_busy"].text.startswith("the only thread is busy: unreadable for ")

    def test_some_are_free(self, push, beat, work):
        push(2)
        beat("a:1:x", work=work(5))
        beat("b:1:x", work=work(2))
        answer = why_queue("mail")
        assert points(answer)["threads_free"].text == "threads that are free: 3 of 10"
        assert answer.verdict == "Nothing holds queue “mail” up: 2 jobs wait, and there are threads for them."
        assert answer.level == "ok"

    def test_async_jobs_take_no_thread(self, push, beat, work):
        push()
        beat(work=work(9, thread="async-"))
        assert points(why_queue("mail"))["threads_free"].text == "threads that are free: 5 of 5"

    def test_threads_of_another_capsule_do_not_count(self, push, beat, work):
        push(queue="mail")
        push(queue="pdf")
        beat(work=work(1, queue="pdf"), info=capsules(strict={"pdf": 0}, random={"mail": 1}), concurrency="2")
        assert told(why_queue("mail")) == []
        assert points(why_queue("pdf"))["threads_busy"].text.startswith("the only thread is busy: ")


class TestTurn:
    def test_strict_order(self, push, beat, work):
        push(2, queue="low")
        push(120, queue="critical")
        info = capsules(strict={"critical": 0, "default": 0, "low": 0})
        beat(work=work(1, queue="critical"), info=info, concurrency="1")
        answer = why_queue("low")
        assert answer.verdict == "Queue “low” waits: in strict order others come first: critical (120 jobs)."
        assert told(answer) == ["starved", "threads_busy"]
        assert points(answer)["starved"].links == (("queue", "critical"),)
        assert "starved" not in points(why_queue("critical"))

    def test_in_strict_order_of_a_process_without_capsules(self, push, beat, work):
        push(queue="low")
        push(queue="critical")
        info = {"queues": ["critical", "low"], "weights": [{"critical": 0, "low": 0}]}
        beat(work=work(5, queue="critical"), info=info)
        assert points(why_queue("low"))["starved"].text == "in strict order others come first: critical (1 job)"

    def test_a_paused_queue_does_not_come_first(self, push, beat, work, store):
        push(queue="low")
        push(queue="critical")
        store.queues.pause("critical", {})
        beat(work=work(1, queue="low"), info=capsules(strict={"critical": 0, "low": 0}), concurrency="1")
        assert told(why_queue("low")) == ["threads_busy"]

    def test_a_free_thread_looks_into_every_queue(self, push, beat):
        push(queue="low")
        push(queue="critical")
        beat(info=capsules(strict={"critical": 0, "low": 0}), concurrency="1")
        assert told(why_queue("low")) == []

    def test_a_low_weight(self, push, beat, work):
        push(queue="low")
        push(5, queue="critical")
        push(2, queue="default")
        info = capsules(weighted={"critical": 10, "default": 5, "low": 1, "empty": 50})
        beat(work=work(1, queue="critical"), info=info, concurrency="1")
        answer = why_queue("low")
        assert answer.verdict == (
            "Queue “low” waits: its weight gets it 6 % of the fetches while others have jobs: "
            "critical (5 jobs), default (2 jobs)."
        )
        assert told(answer) == ["low_share", "threads_busy"]
        assert told(why_queue("default")) == ["threads_busy"]

    def test_a_process_of_its_own_outweighs(self, push, beat, work):
        push(queue="low")
        push(queue="critical")
        beat("a:1:x", work=work(1, queue="critical"), info=capsules(weighted={"critical": 20, "low": 1}))
        beat("b:1:x", work=work(1, queue="low"), info=capsules(strict={"low": 0}))
        assert told(why_queue("low")) == ["threads_busy"]

    def test_a_process_that_does_not_tell(self, push, beat, work):
        push(queue="low")
        push(queue="critical")
        info = {"queues": ["critical", "low"], "weights": None, "version": "6.4.1"}
        beat(work=work(5, queue="critical"), info=info)
        assert told(why_queue("low")) == ["threads_busy"]


class TestEventLoop:
    def test_it_is_full(self, push, beat, work, settings):
        settings.KIQ = {**settings.KIQ, "WORKER": {"async_concurrency": 2}}
        push(name="tests.jobsapp.jobs.sync")
        beat(work=work(2, thread="async-"))
        answer = why_queue("mail")
        assert answer.verdict == (
            "Queue “mail” waits: its next job is async, and the event loops are full: 2 async jobs run."
        )

    def test_a_job_for_a_thread_does_not_wait_for_it(self, push, beat, work, settings):
        settings.KIQ = {**settings.KIQ, "WORKER": {"async_concurrency": 2}}
        push()
        beat(work=work(2, thread="async-"))
        assert told(why_queue("mail")) == []


class TestNextJob:
    def test_nobody_declares_it(self, push, beat):
        push(name="tests.jobsapp.jobs.invoices", jid="0f")
        beat()
        answer = why_queue("mail")
        assert answer.verdict == (
            "Queue “mail” waits: the next job, tests.jobsapp.jobs.invoices, is not declared in the code of this "
            "process; a worker that does not have it either sets it aside for a retry."
        )
        point = points(answer)["unknown_job"]
        assert point.remedy == f"Did you mean “{JOB}”? If not, deploy the code that declares it"
        assert point.links == (("queue", "mail"), ("job", "0f"))

    def test_a_name_that_is_near_to_none(self, push, beat):
        push(name="Zebra")
        beat()
        assert points(why_queue("mail"))["unknown_job"].remedy.startswith("Deploy the code that declares it")

    def test_ruby_may_know_it(self, push, beat):
        push(name="HardWorker::Other")
        beat("a:1:x")
        beat("ruby:1:x", info={"version": "7.3.0"})
        assert told(why_queue("mail")) == []

    def test_a_process_without_jobs_says_nothing(self, push, beat, monkeypatch):
        monkeypatch.setattr(registry, "_jobs", {})
        push()
        beat()
        assert told(why_queue("mail")) == []

    def test_it_cannot_be_read(self, store, beat):
        store.link.call("SADD", store.keys.queues(), "mail")
        store.link.call("LPUSH", store.keys.queue("mail"), "{")
        beat()
        answer = why_queue("mail")
        assert answer.verdict.startswith("Queue “mail” waits: the next job cannot be read (")
        assert answer.verdict.endswith("); the worker that takes it puts it into the dead set.")

    def test_a_queue_that_moves_moves(self, push, beat):
        push(name="Zebra")
        beat()
        answer = why_queue("mail", flow=Moves(18, 22 * 3600))
        assert answer.verdict == "Queue “mail” moves: jobs that leave it a minute: 18; empty in about 22 h."
        assert answer.level == "warn"


class TestFlow:
    def test_more_come_in(self, push, beat):
        push()
        beat()
        answer = why_queue("mail", flow=Moves(0.25, math.inf))
        assert answer.verdict == "Queue “mail” moves: jobs that leave it a minute: 0.2; as many come in, or more."

    def test_nobody_knows_when_it_is_empty(self, push, beat):
        push()
        beat()
        answer = why_queue("mail", flow=Moves(18))
        assert answer.verdict == "Queue “mail” moves: jobs that leave it a minute: 18."

    def test_nobody_knows_at_all(self, push, beat):
        push()
        beat()
        assert not {"moving", "still"}.intersection(points(why_queue("mail", flow=Moves(None))))

    def test_none_left_it(self, push, beat):
        push()
        beat()
        point = points(why_queue("mail", flow=Moves(0)))["still"]
        assert (point.state, point.text) == ("unknown", "no job has left it lately")


class TestNoQueue:
    def test_an_empty_one(self, beat, push, store):
        push()
        store.queues.page("mail", 0, 1)
        store.link.call("DEL", store.keys.queue("mail"))
        beat()
        answer = why_queue("mail")
        assert (answer.verdict, answer.level) == ("Queue “mail” is empty.", "ok")
        assert points(answer)["empty"].text == "no job waits"

    def test_one_of_the_settings_that_nothing_was_pushed_to(self):
        answer = why_queue("default")
        assert answer.verdict == "Queue “default” is empty."
        assert told(answer) == ["no_workers"]

    def test_one_that_does_not_exist(self, beat):
        beat()
        answer = why_queue("mial")
        assert answer.verdict == "There is no queue “mial”."
        point = points(answer)["no_queue"]
        assert (point.remedy, point.links) == ("Did you mean “mail”?", (("queue", "mail"),))


class TestRedis:
    def test_full(self, push, beat, store):
        push()
        beat()
        with full(store.link.client):
            answer = why_queue("mail")
        assert answer.verdict.startswith("Queue “mail” waits: Redis is full, and takes no new jobs: ")
        assert answer.level == "error"

    def test_read_only(self, push, beat, store):
        push()
        beat()
        store.link.client.replicaof("127.0.0.1", 1)
        try:
            answer = why_queue("mail")
        finally:
            store.link.client.replicaof("NO", "ONE")
        assert answer.verdict == "Queue “mail” does not move: Redis takes no writes: it is a replica."
        assert answer.level == "error"

    def test_a_replica_that_has_lost_its_master(self, store):
        client = store.link.client
        client.replicaof("127.0.0.1", 1)
        client.config_set("replica-serve-stale-data", "no")
        try:
            answer = why_queue("mail")
        finally:
            client.config_set("replica-serve-stale-data", "yes")
            client.replicaof("NO", "ONE")
        assert (answer.verdict, answer.level) == ("Redis is a replica that has lost its master.", "error")
        assert [point.code for point in answer.points] == ["redis_readonly"]

    def test_it_cannot_save(self, tmp_path):
        folder = tmp_path / "data"
        with redis_server(folder, "--save", "3600", "1000000") as server, bare(server.port) as client:
            client.lpush("queue:mail", "{")
            client.sadd("queues", "mail")
            for each in folder.iterdir():
                each.unlink()
            folder.rmdir()
            client.bgsave()
            wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
            answer = why_queue("mail", store_at(url(server.port)))
        assert "Redis takes no writes: it cannot save its data to disk" in [point.text for point in answer.points]
        assert answer.level == "error"

    def test_away(self):
        answer = why_queue("mail", store_at("redis://user:secret@127.0.0.1:1/0"))
        assert (answer.verdict, answer.level) == ("Redis cannot be reached.", "error")
        (point,) = answer.points
        assert point.code == "redis_away"
        assert "127.0.0.1:1" in point.remedy
        assert "secret" not in str(answer)

    def test_a_wrong_password(self, tmp_path):
        with redis_server(tmp_path, "--requirepass", "right") as server:
            answer = why_queue("mail", store_at(url(server.port, "wrong")))
        assert answer.verdict == "Redis refuses the user, the password or the permission."

    def test_loading(self, tmp_path):
        with redis_server(tmp_path) as server, bare(server.port) as client:
            client.config_set("rdbcompression", "no")
            client.mset({f"k{i}": "x" * 20_000 for i in range(2000)})
            client.save()
            speaks_often = client.config_get("loading-process-events-interval-bytes")  # Redis 6.2: after each 2 MB
            server.kill()
            server.command += ["--key-load-delay", "2500"]
            if speaks_often:
                server.command += ["--loading-process-events-interval-bytes", "1024"]
            server.start()
            wait_for(lambda: _is_loading(client))
            answer = why_queue("mail", store_at(url(server.port)))
        assert (answer.verdict, answer.level) == ("Redis is loading its data.", "error")
        assert [point.code for point in answer.points] == ["redis_loading"]

    def test_it_takes_writes(self, beat):
        beat()
        assert points(why_queue("default"))["redis_writable"].state == "good"


class TestClocks:
    def test_this_host(self, push, beat, monkeypatch):
        push()
        beat()
        now = clock.now
        monkeypatch.setattr(clock, "now", lambda: now() + 120)
        answer = why_queue("mail")
        assert points(answer)["clock"].text == "clocks differ from the server's: this host is 2 min ahead"
        assert answer.level == "error"

    def test_a_worker(self, push, beat):
        push()
        beat("web-1:77:aa", beat=repr(clock.now() - 5))
        point = points(why_queue("mail"))["clock"]
        assert point.text == "clocks differ from the server's: web-1:77 is 5 s behind"
        assert (point.level, point.links) == ("warn", (("process", "web-1:77:aa"),))


class TestWhateverOthersWrote:
    @pytest.mark.parametrize(
        "info",
        [
            {"queues": None, "weights": None, "version": None},
            {"queues": "mail", "weights": [{"mail": "x"}, 4], "capsules": []},
            {"capsules": {"a": None, "b": {"weights": [1], "concurrency": "x"}, "c": {"weights": {"mail": "x"}}}},
        ],
    )
    def test_processes(self, push, beat, work, info):
        push()
        beat(info=info, work=work(2), concurrency="many", beat="never")
        assert why_queue("mail").verdict
        assert attention().sentence

    def test_a_process_whose_key_never_expires(self, push, beat, store):
        push()
        beat("a:1:x")
        store.link.call("PERSIST", store.keys.process("a:1:x"))
        assert "served" in points(why_queue("mail"))
        store.link.call("HSET", store.keys.process("a:1:x"), "beat", repr(clock.now() - 100))
        assert "unresponsive" in points(why_queue("mail"))

    def test_a_pause(self, push, beat, store):
        push()
        beat()
        store.queues.pause("mail", {"by": {"a": 1}, "at": math.inf, "reason": ["\n"]})
        assert points(why_queue("mail"))["paused"].text.startswith("paused by {'a': 1} ")

    def test_a_queue_whose_name_a_shell_would_obey(self, push):
        push(queue="a; reboot")
        assert points(why_queue("a; reboot"))["no_workers"].command == "manage.py runworker -q 'a; reboot'"

    def test_a_worker_whose_beats_are_slow_has_no_wrong_clock(self, push, beat):
        push()
        beat(beat=repr(clock.now() - 3), rtt_us="1500000")
        assert "clock" not in points(why_queue("mail"))


class TestCost:
    def test_what_was_looked_at_costs_nothing_more(self, push):
        push()
        situation = look(into=["mail"])
        with round_trips() as sent:
            assert explain_queue("mail", situation).verdict == "Queue “mail” does not move: no worker runs."
        assert sent == []

    @pytest.mark.parametrize("queues", [1, 200])
    def test_five_round_trips(self, put, beat, store, queues):
        for number in range(queues):
            put(queue=f"q{number}")
            beat(f"host:{number}:aa")
        with round_trips() as sent:
            why_queue("q0")
        assert len(sent) == 5

    def test_sentences_are_of_the_language_in_force(self, push):
        push()
        with translation.override("de"):
            assert why_queue("mail").verdict


def _is_loading(client):
    try:
        return client.ping() is None
    except redis.exceptions.BusyLoadingError:
        return True
    except redis.ConnectionError:
        return False
