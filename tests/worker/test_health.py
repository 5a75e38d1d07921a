"""What a worker says of itself: to probes, to systemd, to whoever looks."""

import json
import socket
import threading
from dataclasses import replace

import pytest

from kiq_django import probe
from kiq_django.exceptions import ConfigurationError
from kiq_django.worker import http as https
from kiq_django.worker import memory, wear
from kiq_django.worker.health import Health, metrics
from kiq_django.worker.outlets import HeartbeatFile, Systemd
from kiq_django.worker.status import QUIET, STOPPING, Report, Status
from kiq_django.worker.wear import Wear

STATUS = Status(identity='h"o\\st:1:ab', pid=1, busy=3, concurrency=10, processed=7, failed=2, rss=2048)
WELL = Report.of_one("shop", STATUS)
STALLED = Report.of_one("shop", replace(STATUS, stalled={"default": "stalled for 31 s"}, idle={"default": "stalled"}))
WAITING = Report.of_one("shop", replace(STATUS, idle={"default": "waiting for Redis"}))


def test_a_status_survives_the_pipe():
    assert Status.from_line(STATUS.to_line()) == STATUS
    assert Status.from_line(b'{"identity":"h:1:a","pid":1,"of a later version":1}') == Status(identity="h:1:a", pid=1)
    assert Status.from_line(b"{}") is Status.from_line(b"no") is None


@pytest.mark.parametrize(
    ("report", "end"),
    [
        (WELL, "shop [3 of 10 busy]"),
        (replace(WELL, state=QUIET), "shop [3 of 10 busy] quiet"),
        (replace(WELL, places=2, statuses=[STATUS, STATUS]), "shop [6 of 20 busy, 2 processes]"),
    ],
)
def test_titles(report, end):
    assert report.title.startswith("kiq ")
    assert report.title.endswith(end)


# --- over HTTP ---


@pytest.fixture
def said():
    return {"report": WELL}


@pytest.fixture
def port(said):
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    health = Health(("127.0.0.1", number), lambda: said["report"])
    health.start()
    yield number
    health.stop()


def ask(port, request):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(4096), b"")).decode()


def test_live_and_ready_are_two_questions(port, said):
    assert probe.look(file="", at=f"127.0.0.1:{port}", ready=True, max_age=1)[0]
    said["report"] = WAITING
    assert probe.look(file="", at=f"127.0.0.1:{port}", ready=False, max_age=1)[0]
    well, found = probe.look(file="", at=f"127.0.0.1:{port}", ready=True, max_age=1)
    assert (well, json.loads(found)["trouble"]) == (False, {"default": "waiting for Redis"})
    said["report"] = STALLED
    assert not probe.look(file="", at=f"127.0.0.1:{port}", ready=False, max_age=1)[0]


def test_figures_for_prometheus(port):
    answer = ask(port, b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert 'kiq_process_busy{tag="shop",process="h\\"o\\\\st:1:ab"} 3\n' in answer
    assert "# TYPE kiq_process_processed_total counter\n" in answer
    assert "text/plain; version=0.0.4" in answer
    assert metrics(replace(WELL, statuses=[])).count("\n") == 14


def test_only_what_is_asked_for_is_answered(port):
    assert ask(port, b"POST /live HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 405 ")
    assert ask(port, b"GET /secret HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 404 ")
    assert ask(port, b"HEAD /live HTTP/1.1\r\n\r\n").endswith("\r\n\r\n")
    assert ask(port, b"\x00" * 10_000) == ""


def test_it_outlives_an_error_of_what_it_asks(port, said, caplog):
    said["report"] = None
    assert ask(port, b"GET /live HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 500 ")
    assert "No answer to a probe of /live" in caplog.text
    said["report"] = WELL
    assert ask(port, b"GET /live HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 200 ")


def test_who_says_nothing_keeps_nobody_waiting_and_is_sent_away(port, monkeypatch):
    monkeypatch.setattr(https, "PATIENCE", 0.2)
    silent = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(5)]
    silent[0].sendall(b"GET /li")
    assert probe.look(file="", at=f"127.0.0.1:{port}", ready=False, max_age=1)[0]
    assert silent[1].recv(1) == b""
    for each in silent:
        each.close()


def test_an_address_that_is_taken(port):
    with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
        Health(("127.0.0.1", port), lambda: WELL)


def test_it_answers_while_a_job_keeps_the_processor(port):
    going = True

    def burn():
        while going:
            sum(range(10_000))

    threads = [threading.Thread(target=burn, daemon=True) for _ in range(5)]
    for each in threads:
        each.start()
    assert probe.look(file="", at=f"127.0.0.1:{port}", ready=True, max_age=1)[0]
    going = False


# --- by file ---


def test_the_file_grows_old_when_the_loop_does_not_turn(tmp_path):
    path = tmp_path / "alive"
    tell = HeartbeatFile(str(path))
    tell(WAITING)
    assert probe.main(["--file", str(path)]) == 0
    assert probe.main(["--file", str(path), "--ready"]) == 1
    tell(WELL)
    assert probe.main(["--file", str(path), "--ready"]) == 0
    written = path.stat().st_mtime_ns
    tell(STALLED)
    assert path.stat().st_mtime_ns == written
    assert probe.main(["--file", str(path), "--max-age", "0"]) == 1
    tell(Report.of_one("shop", replace(STATUS, state=STOPPING, busy=0)))
    assert list(tmp_path.iterdir()) == []
    assert probe.main(["--file", str(path)]) == 1


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigurationError, match="is no folder that we may write to"):
        HeartbeatFile(str(tmp_path / "nowhere" / "alive"))
    tell = HeartbeatFile(str(tmp_path / "alive"))
    tmp_path.rename(tmp_path.with_name("elsewhere"))
    tell(WELL)  # as on a full disk: nothing to be done, and no reason to end
    tmp_path.with_name("elsewhere").rename(tmp_path)


def test_a_probe_wants_to_know_where(monkeypatch, capsys):
    monkeypatch.delenv("KIQ_HEALTH", raising=False)
    monkeypatch.delenv("KIQ_HEARTBEAT_FILE", raising=False)
    with pytest.raises(SystemExit) as left:
        probe.main([])
    assert left.value.code == 2
    assert "Say where to look" in capsys.readouterr().err
    assert probe.main(["--at", "127.0.0.1:nowhere"]) == 1


# --- systemd ---


@pytest.fixture(params=["file", "abstract"])
def systemd(request, monkeypatch, tmp_path):
    """A socket such as systemd listens on; gives a function that reads the next message."""
    address = str(tmp_path / "notify") if request.param == "file" else f"@kiq-{tmp_path.name}-{id(request)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0"))
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield lambda: listening.recv(4096).decode().splitlines()


def test_systemd_hears_of_a_whole_life(systemd):
    tell = Systemd()
    tell(WAITING)
    assert systemd() == [f"STATUS={WAITING.title}", "EXTEND_TIMEOUT_USEC=30000000", "WATCHDOG=1"]
    tell(WELL)
    assert systemd() == [f"STATUS={WELL.title}", "READY=1", "WATCHDOG=1"]
    tell(WAITING)
    assert "READY=1" in systemd()
    tell(STALLED)
    assert "WATCHDOG=1" not in systemd()
    tell(replace(WELL, state=STOPPING))
    assert "STOPPING=1" in systemd()


def test_without_systemd_nothing_is_sent(monkeypatch, tmp_path):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Systemd()(WELL)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    Systemd()(WELL)


# --- enough ---


def test_enough_is_about_the_limit(monkeypatch):
    drawn = {next(n for n in range(200) if Wear(100, None).out(n)) for _ in range(200)}
    assert 90 <= min(drawn) < max(drawn) <= 110
    assert Wear(1, None).out(1) == "1 jobs have run (--max-jobs)"
    monkeypatch.setattr(wear, "resident_kilobytes", lambda: 100 * 1024)
    assert "100 MB are occupied" in Wear(None, 80).out(0)
    assert Wear(None, 120).out(10**9) == ""
    assert Wear(None, None).out(10**9) == ""
    assert memory.resident_kilobytes() > 1024
