"""`runworker --processes`: real parents, real children, real signals."""

import json
import os
import re
import shutil
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.acceptance.process import ROOT, effects, is_gone
from tests.support import wait_for

pytestmark = pytest.mark.acceptance


def memory(pid, what="Pss"):
    """Kilobytes of a process."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(rf"^{what}: +(\d+)", text, re.MULTILINE)[1])


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def listed(store):
    """What the workers say of themselves, by process number."""
    found = store.processes.read(store.processes.identities())
    return {json.loads(each.fields["info"])["pid"]: each for each in found}


def ask(port, path):
    """Status and body of a probe."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


@pytest.fixture
def parent(worker, store):
    """Start a parent and wait until all of its children take jobs."""

    def start(*options, number=2, **kwargs):
        process = worker("--processes", str(number), *options, **kwargs)
        wait_for(lambda: len(listed(store)) >= number or process.process.poll() is not None, 30, process.log)
        assert process.process.poll() is None, process.output
        return process

    return start


def test_children_share_the_work_and_stop_together(parent, push, store, tmp_path):
    process = parent("-c", "2")
    both = process.children
    assert sorted(listed(store)) == sorted(both)
    for number in range(4):
        push("begin", number, 1.5)
    wait_for(lambda: sum(len(each.work) for each in listed(store).values()) == 4)
    assert {len(each.work) for each in listed(store).values()} == {2}
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    assert effects(tmp_path).total() == 8
    assert store.processes.identities() == []
    assert not [pid for pid in both if not is_gone(pid)]


def test_jobs_of_a_killed_child_are_back_at_once(parent, push, store, tmp_path):
    """The lease is a minute: nobody has waited for it."""
    process = parent("-c", "1", "-t", "1", kiq={"WORKER": {"heartbeat": 5, "lease": 60, "poll_interval": 5}})
    for number in range(2):
        push("begin", number, 1.5)
    wait_for(lambda: effects(tmp_path).total() == 2)
    victim = process.children[0]
    killed_at = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: max(effects(tmp_path).values()) == 2, 10)
    assert time.monotonic() - killed_at < 5
    wait_for(lambda: len(process.children) == 2)
    assert victim not in process.children
    wait_for(lambda: effects(tmp_path)["end 0"] and effects(tmp_path)["end 1"])
    assert "1 of its jobs are back on default" in process.output


def test_a_child_that_has_closed_its_pipe_keeps_nobody_busy(parent, push, store, tmp_path):
    process = parent("-c", "1")
    push("close_pipes", 1)
    wait_for(lambda: effects(tmp_path)["closed 1"] == 1)
    before = processor_seconds(process.process.pid)
    time.sleep(2)
    assert processor_seconds(process.process.pid) - before < 0.3


def test_quiet_is_passed_on_and_lasts(parent, push, store, tmp_path):
    process = parent()
    process.send(signal.SIGTSTP)
    wait_for(lambda: {each.fields["quiet"] for each in listed(store).values()} == {"true"})
    push("touch", 1)
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    assert effects(tmp_path).total() == 0


def test_a_stop_pushes_back_and_keeps_the_time(parent, push, store, tmp_path):
    for number in range(4):
        push("begin", number, 30)
    process = parent("-c", "1", "-t", "0.5")
    wait_for(lambda: effects(tmp_path).total() == 2)
    began = time.monotonic()
    process.send(signal.SIGINT)
    assert process.wait() == 0
    assert time.monotonic() - began < 4
    assert store.queues.sizes(["default"]) == {"default": 4}


def test_a_child_that_cannot_hear_is_killed_and_its_jobs_are_back(parent, push, store, tmp_path):
    process = parent("-c", "1", "-t", "0.1", kiq={"WORKER": {"heartbeat": 5, "lease": 60, "poll_interval": 5}})
    push("begin", 1, 30)
    wait_for(lambda: effects(tmp_path).total() == 1)
    for pid in process.children:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    assert time.monotonic() - began < 0.1 + 3.5 + 2.5
    assert "did not end in time and is killed" in process.output
    assert store.queues.sizes(["default"]) == {"default": 1}


def test_a_child_that_is_killed_on_its_way_out_loses_nothing(parent, push, store, tmp_path):
    process = parent("-c", "1", "-t", "30", kiq={"WORKER": {"heartbeat": 5, "lease": 60, "poll_interval": 5}})
    for number in range(2):
        push("hold", number)
    wait_for(lambda: effects(tmp_path).total() == 2)
    former = process.children
    process.send(signal.SIGUSR2)
    wait_for(lambda: "those before them end with their jobs" in process.output, 30)
    for pid in former:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: effects(tmp_path) == {"begin 0": 2, "begin 1": 2}, 15)
    (tmp_path / "gate").touch()
    wait_for(lambda: effects(tmp_path)["end 0"] + effects(tmp_path)["end 1"] == 2)
    assert "An errand of the parent failed" not in process.output


def test_children_end_with_their_parent(parent, store):
    process = parent()
    both = process.children
    process.kill()
    wait_for(lambda: all(map(is_gone, both)), 10)
    assert store.processes.identities() == []


def test_a_child_that_has_done_enough_is_replaced(parent, push, store, tmp_path):
    process = parent("-c", "1", "--max-jobs", "5")
    first = set(process.children)
    for number in range(40):
        push("touch", number, 0.05)
    wait_for(lambda: effects(tmp_path).total() == 40, 30)
    assert max(effects(tmp_path).values()) == 1
    assert "(--max-jobs)" in process.output
    wait_for(lambda: len(listed(store)) == 2 and not first & set(listed(store)), 20)
    assert "ended with" not in process.output


def test_a_child_that_occupies_too_much_ends_alone(worker, push, tmp_path):
    process = worker("-c", "1", "--max-memory", "1")
    assert process.wait() == 0
    assert "(--max-memory)" in process.output


def test_drain_ends_with_the_last_child(worker, push, tmp_path):
    for number in range(30):
        push("touch", number)
    process = worker("--processes", "2", "--drain")
    assert process.wait(30) == 0
    assert effects(tmp_path).total() == 30


def test_bad_configuration_ends_the_parent(worker):
    assert worker("--processes", "2", "-c", "0").wait() == 2
    assert worker("--processes", "none").wait() == 2
    threads = worker("--processes", "2", "--preload", environment={"KIQ_TEST_THREAD": "1"})
    assert threads.wait() == 2
    assert "children cannot be forked here: this process has 2 threads" in threads.output


def test_where_a_fork_is_unsafe_children_are_spawned(parent, push, store, tmp_path):
    process = parent(environment={"KIQ_TEST_THREAD": "1"})
    assert "Children load the project each for itself" in process.output
    push("begin", 1, 30)
    wait_for(lambda: effects(tmp_path).total() == 1)
    [victim] = [pid for pid, each in listed(store).items() if each.work] or wait_for(
        lambda: [pid for pid, each in listed(store).items() if each.work]
    )
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: effects(tmp_path)["begin 1"] == 2, 10)
    process.send(signal.SIGTERM)
    wait_for(lambda: "TERM: stopping" in process.output)
    process.send(signal.SIGTERM)
    assert process.wait() == 0


def test_usr2_starts_new_code_and_lets_a_long_job_end(parent, push, store, tmp_path):
    code = tmp_path / "release.py"
    code.write_text("VERSION = 1\n")
    process = parent("-c", "2", "-t", "1", environment={"PYTHONPATH": str(tmp_path)})
    former = set(process.children)
    push("hold", 1)
    push("release", 0)
    wait_for(lambda: effects(tmp_path)["release 1"])
    code.write_text("VERSION = 22\n")
    process.send(signal.SIGUSR2)
    wait_for(lambda: len(set(listed(store)) - former) == 2, 30)
    wait_for(lambda: len(set(listed(store)) & former) == 1, 10)  # the idle one has gone
    push("release", 0)
    wait_for(lambda: effects(tmp_path)["release 22"])
    (tmp_path / "gate").touch()
    wait_for(lambda: not set(listed(store)) & former, 15)
    assert effects(tmp_path)["end 1"] == effects(tmp_path)["begin 1"] == 1
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    assert store.processes.identities() == [], process.output


def test_usr2_with_code_that_does_not_start_changes_nothing(parent, push, store, tmp_path):
    code = tmp_path / "release.py"
    code.write_text("VERSION = 1\n")
    process = parent(environment={"PYTHONPATH": str(tmp_path), "KIQ_TEST_IMPORT": "release"})
    former = set(process.children)
    code.write_text("VERSION = \n")
    process.send(signal.SIGUSR2)
    wait_for(lambda: "The new code does not start" in process.output, 20)
    assert set(process.children) == former
    push("touch", 1)
    wait_for(lambda: effects(tmp_path)["touch 1"])
    process.send(signal.SIGTSTP)  # early in a deploy, which then fails: it must not stay quiet
    wait_for(lambda: {each.fields["quiet"] for each in listed(store).values()} == {"true"})
    process.send(signal.SIGUSR2)
    wait_for(lambda: len(listed(store)) == 2 and not former & set(listed(store)), 20)
    push("touch", 2)
    wait_for(lambda: effects(tmp_path)["touch 2"])


def test_reload_replaces_all_children(worker, push, store, tmp_path):
    code = tmp_path / "release.py"
    code.write_text("VERSION = 1\n")
    process = worker(
        "--processes", "2", "--reload", environment={"PYTHONPATH": str(tmp_path), "KIQ_TEST_IMPORT": "release"}
    )
    former = set(wait_for(lambda: len(found := listed(store)) == 2 and found, 30, process.log))
    code.write_text("VERSION = 22\n")
    wait_for(lambda: len(found := listed(store)) == 2 and not former & set(found), 30)
    push("release", 0)
    wait_for(lambda: effects(tmp_path)["release 22"])
    process.send(signal.SIGTERM)
    assert process.wait() == 0
    assert store.processes.identities() == []


def test_a_stop_is_heard_while_new_code_is_being_loaded(parent, push, store, tmp_path):
    process = parent("-t", "5", environment={"PYTHONPATH": str(tmp_path)})
    both = process.children
    process.send(signal.SIGUSR2)
    wait_for(lambda: "it takes over" in process.output, 20)
    process.send(signal.SIGTERM)  # in the middle of exec, or of loading the project
    assert process.wait() == 0
    wait_for(lambda: all(map(is_gone, both)))
    assert store.processes.identities() == []


def test_usr2_follows_a_link_to_the_new_release(worker, push, store, tmp_path):
    """As `current` of many deploys; the former release is gone by then."""
    for number in (1, 2):
        (tmp_path / f"r{number}").mkdir()
        (tmp_path / f"r{number}" / "release.py").write_text(f"VERSION = {number}\n")
    current = tmp_path / "current"
    current.symlink_to("r1")
    environment = {"PYTHONPATH": f"{ROOT}:.", "PWD": str(current), "KIQ_TEST_IMPORT": "release"}
    process = worker("--processes", "1", environment=environment, folder=current)
    former = set(wait_for(lambda: listed(store), 20, process.log))
    current.unlink()
    current.symlink_to("r2")
    shutil.rmtree(tmp_path / "r1")
    process.send(signal.SIGUSR2)
    wait_for(lambda: (found := set(listed(store))) and not found & former, 30)
    push("release", 0)
    wait_for(lambda: effects(tmp_path)["release 2"])


def test_one_address_answers_truly_for_all(parent, store, push, unused_port):
    process = parent("--health", f"127.0.0.1:{unused_port}", "-t", "1")
    wait_for(lambda: ask(unused_port, "/ready")[0] == 200)
    assert ask(unused_port, "/live") == (200, '{"ok": true, "trouble": {}}')
    both = process.children
    figures = ask(unused_port, "/metrics")[1]
    for pid in both:
        assert re.search(rf'kiq_process_up{{tag="[^"]+",process="[^"]+:{pid}:\w+"}} 1\n', figures)
    assert ask(unused_port, "/nothing")[0] == 404
    process.send(signal.SIGTSTP)
    _, body = wait_for(lambda: (got := ask(unused_port, "/ready"))[0] == 503 and got)
    assert json.loads(body)["trouble"] == {"all": "quiet"}
    assert ask(unused_port, "/live")[0] == 200


def test_the_title_tells_at_a_glance(parent, push, tmp_path):
    pytest.importorskip("setproctitle")
    process = parent("-c", "2", "-g", "shop", "-t", "0")
    push("begin", 1, 30)

    def titles():
        pids = [process.process.pid, *process.children]
        return [Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode() for pid in pids]

    wanted = (
        r"kiq \S+ shop \[1 of 4 busy, 2 processes\]\nkiq \S+ shop \[[01] of 2 busy\]\nkiq \S+ shop \[[01] of 2 busy\]"
    )
    wait_for(lambda: re.fullmatch(wanted, "\n".join(titles())), 5, titles)


def test_four_children_take_less_memory_than_four_processes(parent, worker, store):
    process = parent("-c", "2", number=4)
    together = sum(map(memory, [process.process.pid, *process.children]))
    process.send(signal.SIGTERM)
    process.wait()
    alone = [worker("-c", "2") for _ in range(4)]
    for each in alone:
        each.ready()
    apart = sum(memory(each.process.pid) for each in alone)
    print(f"4 children and their parent: {together / 1024:.0f} MB; 4 single processes: {apart / 1024:.0f} MB (PSS)")
    assert together < 0.8 * apart
