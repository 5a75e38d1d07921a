"""Real worker processes, real signals."""

import json
import signal
import time
from itertools import chain

import pytest

from kiq_django.payload import Payload
from kiq_django.store.queues import Entry
from tests.acceptance.process import effects
from tests.support import wait_for

pytestmark = pytest.mark.acceptance


def names(raws):
    return [Payload.decode(raw).args[0] for raw in raws]


def test_runs_sync_and_async_jobs_and_stops_gracefully(worker, push, store, tmp_path):
    for number in range(20):
        push("touch", number)
        push("atouch", number)
    process = worker("-q", "default", "-c", "3").ready()
    wait_for(lambda: effects(tmp_path).total() == 40)
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    assert max(effects(tmp_path).values()) == 1
    assert store.counters.totals() == (40, 0)
    assert store.processes.identities() == []


def test_a_failing_job_is_retried_and_dies(worker, push, store, tmp_path):
    jid = push("fail", 7)
    process = worker().ready()
    [(raw, _)] = wait_for(lambda: store.sets.page("dead", 0, 10))
    dead = Payload.decode(raw)
    assert effects(tmp_path) == {"fail 7": 2}
    assert dead.jid == jid
    assert dead.document["retry_count"] == 1
    assert dead.document["error_class"] == "ValueError"
    assert dead.document["error_message"] == "number 7"
    process.send(signal.SIGINT)
    assert process.wait() == 0


def test_a_scheduled_job_runs_when_its_time_has_come(worker, push, tmp_path):
    due = time.time() + 1.0
    push("touch", 1, at=due)
    worker().ready()
    wait_for(lambda: effects(tmp_path)["touch 1"])
    assert time.time() >= due


def test_unknown_and_unreadable_jobs_are_kept(worker, push, store):
    unknown = push("os.system", "true")
    store.queues.push([Entry("default", b"{not json")])
    worker().ready()
    [(raw, _)] = wait_for(lambda: store.sets.page("dead", 0, 10))
    assert raw == b"{not json"
    [(raw, _)] = wait_for(lambda: store.sets.page("retry", 0, 10))
    assert Payload.decode(raw).jid == unknown
    assert "os.system" in Payload.decode(raw).document["error_message"]


def test_system_exit_in_a_job_is_its_own_failure(worker, push, store, tmp_path):
    push("leave", 1)
    process = worker("-c", "1").ready()
    wait_for(lambda: store.sets.count("retry"))
    push("touch", 2)
    wait_for(lambda: effects(tmp_path)["touch 2"])
    assert process.process.poll() is None


def test_quiet_takes_no_more_jobs_and_stays(worker, push, store, tmp_path):
    process = worker().ready()
    wait_for(lambda: store.processes.identities())
    process.send(signal.SIGTSTP)
    wait_for(lambda: store.processes.read(store.processes.identities())[0].fields["quiet"] == "true")
    push("touch", 1)
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    assert effects(tmp_path).total() == 0
    assert store.queues.sizes(["default"]) == {"default": 1}


def test_stop_pushes_back_what_does_not_end_in_time_to_the_front(worker, push, store, tmp_path):
    for number in range(4):
        push("begin", number, 30)
    process = worker("-c", "2", "-t", "0.5").ready()
    wait_for(lambda: effects(tmp_path).total() == 2)
    started = time.monotonic()
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    assert time.monotonic() - started < 2.5
    lists = [names(store.queues.page(name, 0, 10)) for name in store.views("default")]
    assert lists == [sorted(each) for each in lists]
    assert sorted(chain(*lists)) == [0, 1, 2, 3]
    assert all(lease < 0 for lease in store.working.owners("default").values())


def test_a_second_term_ends_at_once(worker, push, store, tmp_path):
    push("begin", 1, 30)
    process = worker("-t", "30").ready()
    wait_for(lambda: effects(tmp_path)["begin 1"])
    process.send(signal.SIGTERM)
    wait_for(lambda: "stopping" in process.output)
    process.send(signal.SIGTERM)
    assert process.wait(5) == 0
    assert names(store.queues.page("default", 0, 10)) == [1]


def test_a_job_is_told_that_the_worker_stops(worker, push, tmp_path):
    push("heed", 1)
    process = worker("-t", "20").ready()
    wait_for(lambda: effects(tmp_path)["begin 1"])
    process.send(signal.SIGTERM)
    assert process.wait(5) == 0
    assert effects(tmp_path)["heeded 1"] == 1


def test_ttin_dumps_threads(worker, push, tmp_path):
    push("begin", 1, 30)
    process = worker("-t", "0").ready()
    wait_for(lambda: effects(tmp_path)["begin 1"])
    process.send(signal.SIGTTIN)
    wait_for(lambda: "time.sleep(seconds)" in process.output)


def test_signals_through_redis(worker, push, store, tmp_path):
    process = worker().ready()
    [identity] = wait_for(store.processes.identities)
    store.processes.signal([identity], "TERM")
    assert process.wait() == 0


def test_drain_runs_what_is_there_and_exits(worker, push, tmp_path):
    for number in range(50):
        push("touch", number)
    assert worker("--drain").wait() == 0
    assert effects(tmp_path).total() == 50


def test_jobs_of_a_killed_worker_come_back(worker, push, store, tmp_path):
    push("begin", 1, 1.0)
    first = worker("-c", "1").ready()
    wait_for(lambda: effects(tmp_path)["begin 1"])
    first.kill()
    worker("-c", "1").ready()
    wait_for(lambda: effects(tmp_path)["end 1"], 15)
    assert effects(tmp_path) == {"begin 1": 2, "end 1": 1}


def test_a_job_that_kills_its_worker_is_buried_at_the_third_time(worker, push, store, tmp_path):
    push("suicide", 1)
    for _ in range(3):
        worker("-c", "1").wait(30)
    worker("-c", "1").ready()
    [(raw, _)] = wait_for(lambda: store.sets.page("dead", 0, 10), 20)
    assert "PoisonError" in Payload.decode(raw).document["error_class"]
    assert effects(tmp_path) == {"suicide 1": 3}


def test_pause_holds_even_an_idle_worker(worker, push, store, tmp_path):
    process = worker().ready()
    wait_for(lambda: store.processes.identities())
    push("touch", 0)
    wait_for(lambda: effects(tmp_path)["touch 0"])
    store.queues.pause("default", {"by": "test"})
    push("touch", 1)
    push("touch", 2, queue="critical")
    wait_for(lambda: effects(tmp_path)["touch 2"])
    assert effects(tmp_path)["touch 1"] == 0
    store.queues.resume("default")
    wait_for(lambda: effects(tmp_path)["touch 1"])
    assert process.process.poll() is None


def test_the_registry_shows_what_runs(worker, push, store, tmp_path):
    jid = push("begin", 1, 30)
    worker("-c", "2", "-g", "shop", "-q", "default,2", "-q", "critical,5", "-t", "0").ready()
    [found] = wait_for(lambda: [p for p in store.processes.read(store.processes.identities()) if p.work])
    info = json.loads(found.fields["info"])
    assert (info["tag"], info["concurrency"], info["weights"]) == ("shop", 2, [{"default": 2, "critical": 5}])
    [work] = found.work.values()
    entry = json.loads(work)
    assert entry["queue"] == "default"
    assert json.loads(entry["payload"])["jid"] == jid


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-q", "two words"], "not a queue name"),
        (["-c", "0"], "concurrency must be"),
        (["-C", "nowhere.toml"], "cannot be read"),
        (["-r", "no.such.module"], "no"),
    ],
)
def test_bad_configuration_exits_with_2_and_says_why(worker, options, message):
    process = worker(*options)
    assert process.wait() == 2
    assert message in process.output
    assert "Traceback" not in process.output


def test_a_server_that_evicts_is_refused(worker, store):
    store.link.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        process = worker()
        assert process.wait() == 2
        assert "noeviction" in process.output
    finally:
        store.link.call("CONFIG", "SET", "maxmemory-policy", "noeviction")


def test_configuration_files(worker, push, tmp_path):
    file = tmp_path / "kiq.toml"
    file.write_text(
        'concurrency = 2\nqueues = ["critical", "default"]\n[staging]\nconcurrency = 4\nqueues = [["default", 3]]\n'
        '[capsules.slow]\nqueues = ["critical"]\nconcurrency = 1\n'
    )
    process = worker("-C", str(file), "-e", "staging").ready()
    assert "Queues: default (3), 4 threads" in process.output
    assert "Queues: critical, 1 threads" in process.output
    push("touch", 1, queue="critical")
    push("touch", 2)
    wait_for(lambda: effects(tmp_path).total() == 2)


def test_waits_for_redis_at_boot(worker, push, tmp_path, server_url):
    process = worker(kiq={"REDIS": f"unix://{tmp_path}/later"})
    wait_for(lambda: "Waiting for Redis" in process.output)
    assert process.process.poll() is None
    (tmp_path / "later").symlink_to(server_url.removeprefix("unix://"))
    process.ready()


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, "0.0005"), ({"switch_interval": 0.002}, "0.002"), ({"switch_interval": None}, "0.005")],
)
def test_threads_that_compute_take_short_turns(worker, push, tmp_path, options, expected):
    push("tell_switch_interval")
    worker(kiq={"WORKER": {"heartbeat": 0.5, "lease": 2.5, **options}}).ready()
    wait_for(lambda: effects(tmp_path)[f"switch interval {expected}"])
