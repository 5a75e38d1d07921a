"""The files in `deploy/`: parsed, their commands held against the real parsers, and run where that can be."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml

from kiq_django import probe
from kiq_django.management.commands import kiq, runworker
from kiq_django.management.processes import parent
from kiq_django.management.worker_options import worker_config
from kiq_django.store.keys import Keys
from tests.acceptance.process import ROOT, effects
from tests.acceptance.test_processes import listed
from tests.support import wait_for

pytestmark = pytest.mark.acceptance
DEPLOY = ROOT / "deploy"
AFTERWARDS = 1.5
"""Seconds for an orderly exit, beyond what a parent itself allows."""


def documents(name):
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def container(name):
    return documents(name)[0]["spec"]["template"]["spec"]["containers"][0]


def unit():
    """The keys of the unit file, each with all of its values."""
    found = {}
    for line in (DEPLOY / "systemd/shop-worker.service").read_text().splitlines():
        if "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def supervisor():
    parser = RawConfigParser(inline_comment_prefixes=None)
    parser.read(DEPLOY / "supervisord.conf")
    return parser["program:shop-worker"]


def commands():
    """Where it stands, and every command line of ours in any of the files."""
    yield "systemd", shlex.split(unit()["ExecStart"][0])
    yield "supervisord", shlex.split(supervisor()["command"])
    for line in (DEPLOY / "Procfile").read_text().splitlines():
        for part in line.partition(": ")[2].split(" && "):
            yield "Procfile", shlex.split(part)
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    for words in re.findall(r"CMD (\[.+\])", dockerfile):
        yield "Dockerfile", yaml.safe_load(words)
    for name, service in documents("compose.yaml")[0]["services"].items():
        if "command" in service:
            yield f"compose {name}", service["command"]
    yield "kubernetes", container("kubernetes/worker.yaml")["command"]
    yield "kubernetes check", container("kubernetes/check-pending.yaml")["command"]
    for key, found in container("kubernetes/probe-by-program.yaml").items():
        if key.endswith("Probe"):
            yield f"kubernetes {key}", found["exec"]["command"]


OURS = [(where, words) for where, words in commands() if "manage.py" in " ".join(words) or "kiq_django.probe" in words]


@pytest.mark.parametrize(("where", "words"), OURS, ids=[where for where, _ in OURS])
def test_every_command_is_one(where, words):
    if "kiq_django.probe" in words:
        parser = probe.argparse.ArgumentParser()
        probe.add_arguments(parser)
        parser.parse_args(words[words.index("kiq_django.probe") + 1 :])
        return
    _, name, *rest = words[next(i for i, word in enumerate(words) if word.endswith("manage.py")) :]
    if name == "migrate":
        return
    command = {"runworker": runworker, "kiq": kiq}[name].Command()
    options = vars(command.create_parser("manage.py", name).parse_args(rest))
    if name == "runworker":
        assert worker_config(options).shutdown_timeout == 25


def test_the_files_have_commands_of_ours():
    assert {where.split()[0] for where, _ in OURS} == {
        "systemd",
        "supervisord",
        "Procfile",
        "Dockerfile",
        "compose",
        "kubernetes",
    }


def test_nobody_kills_before_the_worker_has_ended_by_itself():
    longest = 25 + parent.MERCY + parent.LAST_ERRANDS + AFTERWARDS
    assert int(unit()["TimeoutStopSec"][0]) > longest
    assert int(supervisor()["stopwaitsecs"]) > longest
    worker = documents("compose.yaml")[0]["services"]["worker"]
    assert int(worker["stop_grace_period"].removesuffix("s")) > longest
    spec = documents("kubernetes/worker.yaml")[0]["spec"]["template"]["spec"]
    [_, _, script] = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert spec["terminationGracePeriodSeconds"] > int(re.search(r"sleep (\d+)", script)[1]) + longest


def test_probes_ask_where_the_worker_answers():
    worker = container("kubernetes/worker.yaml")
    port = worker["ports"][0]
    health = {each["name"]: each.get("value") for each in worker["env"]}["KIQ_HEALTH"]
    assert health.endswith(f":{port['containerPort']}")
    for key in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert worker[key]["httpGet"]["port"] == port["name"]
        assert worker[key]["httpGet"]["path"] in ("/live", "/ready")
    annotations = documents("kubernetes/worker.yaml")[0]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_keda_looks_at_the_lists_where_jobs_wait():
    [scaled] = documents("kubernetes/keda.yaml")
    names = [trigger["metadata"]["listName"] for trigger in scaled["spec"]["triggers"]]
    assert names == [Keys().queue("default"), Keys().queue("critical")]
    assert scaled["spec"]["scaleTargetRef"]["name"] == documents("kubernetes/worker.yaml")[0]["metadata"]["name"]


def test_the_server_of_compose_keeps_jobs():
    words = documents("compose.yaml")[0]["services"]["redis"]["command"]
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"


def needs(program):
    """Found, or reason to skip; in CI to fail."""
    found = shutil.which(program)
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")
    return found


def test_systemd_finds_no_fault(tmp_path):
    text = (DEPLOY / "systemd/shop-worker.service").read_text()
    python, home = tmp_path / "python", tmp_path / "home"
    python.symlink_to(sys.executable)
    home.mkdir()
    text = text.replace("/srv/shop/current/venv/bin/python", str(python)).replace("User=shop", "User=root")
    (tmp_path / "shop-worker.service").write_text(text.replace("/srv/shop/current", str(home)))
    command = [needs("systemd-analyze"), "verify", "--man=no", str(tmp_path / "shop-worker.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "shop-worker" in line] == []


def test_systemd_hears_of_start_reload_and_stop(worker, store, tmp_path):
    """A real parent with real children, and a socket as systemd has one."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(20)
        process = worker("--processes", "2", environment={"NOTIFY_SOCKET": address})
        told = []

        def hear(word):
            while word not in told:
                told.extend(listening.recv(4096).decode().splitlines())
            seen = list(told)
            told.clear()
            return seen

        first = hear("READY=1")
        assert "EXTEND_TIMEOUT_USEC=30000000" in first
        assert "WATCHDOG=1" in first
        assert any(re.fullmatch(r"STATUS=kiq \S+ \S+ \[0 of 10 busy, 2 processes\]", line) for line in first), first
        former = set(listed(store))
        process.send(signal.SIGUSR2)
        assert any(line.startswith("MONOTONIC_USEC=") for line in hear("RELOADING=1"))
        hear("READY=1")
        wait_for(lambda: len(set(listed(store)) - former) == 2 and not former & set(listed(store)), 20)
        process.send(signal.SIGTERM)
        hear("STOPPING=1")
        assert process.wait() == 0


def test_under_a_real_supervisord(server_url, push, store, tmp_path):
    wanted = dict(supervisor())
    wanted["command"] = f"{sys.executable} -m django {wanted['command'].partition('manage.py ')[2]}"
    wanted |= {"directory": str(ROOT), "stdout_logfile": str(tmp_path / "out"), "startsecs": "1"}
    wanted["environment"] = (
        f'DJANGO_SETTINGS_MODULE="tests.acceptance.settings",KIQ_TEST_URL="{server_url}",KIQ_TEST_DIRECTORY="{tmp_path}"'
    )
    del wanted["user"]
    lines = [f"{key}={value}" for key, value in wanted.items()]
    control = tmp_path / "control"
    (tmp_path / "supervisord.conf").write_text(
        f"[supervisord]\nnodaemon=true\npidfile={tmp_path}/pid\nlogfile={tmp_path}/log\n[unix_http_server]\nfile={control}\n"
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        f"[supervisorctl]\nserverurl=unix://{control}\n[program:shop-worker]\n" + "\n".join(lines)
    )
    bin_folder = Path(sys.executable).parent
    options = ["-c", str(tmp_path / "supervisord.conf")]
    daemon = subprocess.Popen(
        [bin_folder / "supervisord", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def ctl(*words):
        done = subprocess.run(
            [bin_folder / "supervisorctl", *options, *words], capture_output=True, text=True, check=False
        )
        return done.stdout

    try:
        wait_for(lambda: len(listed(store)) == 2, 20)
        for number in range(4):
            push("begin", number, 0.7)
        wait_for(lambda: effects(tmp_path).total() == 4)
        assert "stopped" in ctl("stop", "shop-worker")
        assert (effects(tmp_path).total(), listed(store)) == (8, {})
        ctl("start", "shop-worker")
        [parent_pid] = re.findall(r"pid (\d+)", wait_for(lambda: "RUNNING" in (said := ctl("status")) and said))
        os.kill(int(parent_pid), signal.SIGKILL)
        wait_for(lambda: "RUNNING" in (said := ctl("status")) and f"pid {parent_pid}" not in said, 20)
    finally:
        daemon.terminate()
        daemon.wait(40)
