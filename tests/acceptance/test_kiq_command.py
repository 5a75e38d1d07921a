"""`manage.py kiq`: what it shows, what it does, what it asks, and how it fails."""

import io
import json
import os
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from kiq_django import clock
from kiq_django.api import DeadSet, Metrics, Queue, RetrySet, ScheduledSet
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry

NOBODY = "0" * 24


@pytest.fixture(autouse=True)
def _project(store, settings):
    settings.KIQ = {**settings.KIQ, "QUEUES": ["default", "mail"]}


@pytest.fixture
def kiq(capsys):
    """Run `manage.py kiq ...` and return what it prints."""

    def kiq(*words):
        out = io.StringIO()
        call_command("kiq", *words, stdout=out, no_color=True)
        return out.getvalue()

    return kiq


@pytest.fixture
def answer(monkeypatch):
    """Answer the next questions, and return what was asked."""

    def answer(text):
        asked = []
        monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or text)
        return asked

    return answer


@pytest.fixture
def put(store):
    """Put a job into a queue or a set and return its id."""

    def put(place, due=60.0, **fields):
        fields = {"queue": "mail", "name": "shop.jobs.pay", "args": [1], **fields}
        payload = Payload.new(fields.pop("name"), fields.pop("args"), {}, retry=True, now=clock.now(), **fields)
        if place == "queue":
            store.queues.push([Entry(payload.queue, payload.evolve(enqueued_at=clock.now()).encode())])
        else:
            store.sets.add(place, payload.encode(), clock.now() + due)
        return payload.jid

    return put


@pytest.fixture
def beat(store):
    """A process that lives and runs one job."""

    def beat(identity):
        info = {"hostname": "web", "pid": 1, "started_at": clock.now() - 90, "queues": ["mail"], "tag": "shop"}
        job = Payload.new("shop.jobs.pay", [7], {}, queue="mail", retry=True, now=clock.now())
        work = {"queue": "mail", "payload": job.encode().decode(), "run_at": int(clock.now())}
        fields = {"info": json.dumps(info), "concurrency": "5", "busy": "1", "beat": "1.5", "quiet": "false"}
        return store.processes.beat(identity, fields, {"t1": json.dumps(work).encode()})

    return beat


READING = ("stats", "metrics", "jobs", "queues", "scheduled", "retries", "dead", "processes", "running", "doctor")


@pytest.mark.parametrize("word", READING)
def test_every_noun_shows_and_speaks_json(kiq, put, beat, word):
    for place in ("queue", "schedule", "retry", "dead"):
        put(place)
    beat("web:1:aa")
    assert kiq(word).strip()
    json.loads(kiq(word, "--json"))


@pytest.mark.parametrize("word", READING)
def test_every_noun_shows_nothing_when_there_is_nothing(kiq, word):
    assert kiq(word).strip()
    json.loads(kiq(word, "--json"))


def test_stats(kiq, store, put):
    store.counters.add_totals(1_234, 5, clock.now())
    put("queue")
    lines = [line.split() for line in kiq("stats", "--days", "2").splitlines()]
    assert ["processed", "1,234"] in lines
    assert ["enqueued", "1"] in lines
    assert len(json.loads(kiq("stats", "--days", "2", "--json"))["history"]) == 2


def test_tables_are_aligned_and_harmless(kiq, put):
    put("dead", name="shop.\x1b[31mred\u202e", args=["日本語"], error_class="E", error_message="one\n  two")
    put("dead", due=-1, name="a")
    head, *rows = kiq("dead").splitlines()
    assert "\\x1b[31mred\\u202e" in rows[0]
    assert "E: one two" in rows[0]
    assert rows[1].index("mail") == head.index("QUEUE")
    assert rows[-1] == "2 jobs of 2."


def test_unreadable_jobs_are_shown(kiq, store):
    store.sets.add("dead", b"\xff", clock.now())
    assert "(unreadable)" in kiq("dead")
    (job,) = json.loads(kiq("dead", "--json"))
    assert job["unreadable"]


def test_pages_and_matches(kiq, put):
    jids = [put("retry", due=number, args=[f"n{number}"]) for number in range(5)]
    shown = json.loads(kiq("retries", "--limit", "2", "--offset", "1", "--json"))
    assert [job["jid"] for job in shown] == jids[1:3]
    (found,) = json.loads(kiq("retries", "--match", "n4", "--json"))
    assert found["jid"] == jids[4]
    assert "No job is in retry with 'n9' in it." in kiq("retries", "--match", "n9")


def test_find(kiq, put):
    jid = put("dead", error_class="ValueError", error_message="no", error_backtrace="a.py:1")
    text = kiq("find", jid)
    for part in (jid, "dead", "ValueError", "shop.jobs.pay(1)", "    a.py:1"):
        assert part in text
    assert json.loads(kiq("find", jid, "--json"))["place"] == "dead"
    with pytest.raises(CommandError, match="There is no job 000"):
        kiq("find", NOBODY)


def test_pause_and_resume(kiq, put):
    put("queue")
    assert "Paused mail: 1 job" in kiq("pause", "mail", "--by", "ann", "--reason", "provider is down")
    assert "paused by ann now: provider is down" in kiq("queues")
    found = {queue["name"]: queue for queue in json.loads(kiq("queues", "--json"))}
    assert found["mail"]["pause_note"]["reason"] == "provider is down"
    assert found["default"]["pause_note"] is None
    assert "Resumed mail." in kiq("resume", "mail")
    assert "mail was not paused." in kiq("resume", "mail")


@pytest.mark.parametrize(
    "words", [("pause", "mial"), ("resume", "mial"), ("clear", "mail", "mial"), ("move", "mial", "x")]
)
def test_an_unknown_queue_is_an_error_before_anything_is_done(kiq, put, words):
    put("queue")
    with pytest.raises(CommandError, match=r"There is no queue 'mial'\. Did you mean 'mail'\?"):
        kiq(*words)
    assert Queue("mail").size == 1


def test_clear_asks(kiq, put, answer):
    put("queue")
    asked = answer("n")
    with pytest.raises(CommandError, match="Nothing was done"):
        kiq("clear", "mail")
    assert asked == ["Delete 1 job waiting in mail for good? [y/N] "]
    assert Queue("mail").size == 1
    answer("yes")
    assert "Deleted 1 job of mail." in kiq("clear", "mail")
    assert Queue("mail").size == 0


def test_nothing_is_deleted_when_nobody_can_answer(kiq, put, monkeypatch):
    put("queue")

    def nobody(_question):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    with pytest.raises(CommandError, match="say --yes"):
        kiq("clear", "mail")
    assert Queue("mail").size == 1
    kiq("clear", "mail", "--yes")
    assert Queue("mail").size == 0


def test_move(kiq, put):
    put("queue")
    assert "Moved 1 job to slow." in kiq("move", "mail", "slow", "--yes")
    assert Queue("slow").size == 1
    with pytest.raises(CommandError, match="queue name"):
        kiq("move", "slow", "not a name", "--yes")


@pytest.mark.parametrize("place", ["retry", "dead", "schedule"])
def test_retry_by_id_wherever_it_is(kiq, put, place):
    jid = put(place)
    assert f"Retried shop.jobs.pay {jid}." in kiq("retry", jid)
    assert [job.jid for job in Queue("mail")] == [jid]


def test_the_others_have_their_turn_when_one_id_is_unknown(kiq, put):
    jid = put("dead")
    with pytest.raises(CommandError, match=f"There is no job {NOBODY}"):
        kiq("retry", NOBODY, jid)
    assert Queue("mail").size == 1


def test_what_cannot_be_done_where_the_job_is_says_so(kiq, put):
    jid = put("queue")
    with pytest.raises(CommandError, match=f"Job {jid}: A job that is in a queue cannot be retried"):
        kiq("retry", jid)


def test_kill_and_delete_by_id(kiq, put, answer):
    jid = put("retry")
    kiq("kill", jid)
    assert DeadSet().find(jid)
    asked = answer("y")
    assert f"Deleted shop.jobs.pay {jid}." in kiq("delete", jid)
    assert asked == ["Delete 1 job for good? [y/N] "]
    assert DeadSet().size == 0


def test_all_of_a_set(kiq, put, answer):
    for _ in range(3):
        put("retry")
        put("dead")
        put("schedule")
    asked = answer("y")
    assert "Retried 3 jobs of retries." in kiq("retry", "--all")
    assert "Retried 3 jobs of dead." in kiq("retry", "--all", "dead")
    assert "Killed 3 jobs of scheduled." in kiq("kill", "--all", "scheduled")
    assert "Deleted 3 jobs of dead." in kiq("delete", "--all", "dead")
    assert asked == [
        "Retry 3 jobs of retries? [y/N] ",
        "Retry 3 jobs of dead? [y/N] ",
        "Kill 3 jobs of scheduled? [y/N] ",
        "Delete 3 jobs of dead? [y/N] ",
    ]
    assert (RetrySet().size, DeadSet().size, ScheduledSet().size, Queue("mail").size) == (0, 0, 0, 6)


def test_all_that_match(kiq, put, answer):
    put("dead", name="shop.pay")
    put("dead", name="shop.mail")
    asked = answer("y")
    assert "Deleted 1 job of dead." in kiq("delete", "--all", "dead", "--match", "shop.pay")
    assert asked == ["Delete 1 job of dead with 'shop.pay' in their JSON? [y/N] "]
    assert [job.name for job in DeadSet()] == ["shop.mail"]


def test_retry_spread_over_minutes(kiq, put):
    for _ in range(20):
        put("dead")
    kiq("retry", "--all", "dead", "--spread", "10", "--yes")
    assert RetrySet().size == 20
    assert RetrySet().page(latest_first=True)[0].score <= clock.now() + 600


@pytest.mark.parametrize(
    "words", [("retry",), ("delete",), ("retry", NOBODY, "--all", "dead"), ("delete", NOBODY, "--match", "x")]
)
def test_says_which_jobs_are_meant(kiq, words):
    with pytest.raises(CommandError, match="SET"):
        kiq(*words)


def test_processes_and_running(kiq, beat):
    beat("web:1:aa")
    assert "web:1:aa" in kiq("processes")
    assert "1 of 5" in kiq("processes")
    assert "shop.jobs.pay" in kiq("running")
    (process,) = json.loads(kiq("processes", "--json"))
    assert (process["identity"], process["busy"], process["quiet"]) == ("web:1:aa", 1, False)


def test_quiet_and_stop(kiq, beat, answer):
    beat("web:1:aa")
    beat("web:2:bb")
    asked = answer("y")
    assert "web:1:aa was told" in kiq("quiet", "web:1")
    assert [beat("web:1:aa"), beat("web:2:bb")] == ["TSTP", None]
    kiq("stop", "--all")
    assert [beat("web:1:aa"), beat("web:2:bb")] == ["TERM", "TERM"]
    assert asked == ["Have 1 process take no more jobs, for good? [y/N] ", "Stop 2 processes? [y/N] "]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("stop", "db"), "No process begins with 'db': web:1:aa, web:2:bb"),
        (("stop", "web"), "More than one process begins with 'web'"),
        (("quiet",), "Say which processes"),
        (("quiet", "--all", "web:1"), "Say which processes"),
    ],
)
def test_processes_that_are_not_meant_clearly(kiq, beat, words, said):
    beat("web:1:aa")
    beat("web:2:bb")
    with pytest.raises(CommandError, match=said):
        kiq(*words)
    assert [beat("web:1:aa"), beat("web:2:bb")] == [None, None]


def test_jobs(kiq):
    text = kiq("jobs")
    assert "tests.jobsapp.jobs.invoice" in text
    assert "tests/jobsapp/jobs.py:" in text
    found = {job["name"]: job for job in json.loads(kiq("jobs", "--json"))}
    assert found["tests.jobsapp.jobs.invoice"]["queue"] == "mail"
    assert found["tests.jobsapp.jobs.invoice"]["retry"] == 5
    assert found["tests.jobsapp.jobs.sync"]["is_async"] is True


def test_doctor(kiq):
    text = kiq("doctor")
    for topic in ("kiq_django", "redis-py", "connection", "persistence", "eviction", "clock", "round trip", "->"):
        assert topic in text
    assert {"topic", "level", "text", "remedy"} == set(json.loads(kiq("doctor", "--json"))[0])


def test_doctor_ends_as_an_error_when_something_is_wrong(kiq, settings):
    settings.KIQ = {"REDIS": "redis://:secret@127.0.0.1:1/0"}
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 error found"):
        call_command("kiq", "doctor", "--json", stdout=out)
    findings = json.loads(out.getvalue())
    (error,) = [finding for finding in findings if finding["level"] == "error"]
    assert error["topic"] == "connection"
    assert "secret" not in out.getvalue()


def test_doctor_helps_with_settings_that_cannot_be_used(settings):
    settings.KIQ = {"QUEUE": ["mail"]}
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 error found"):
        call_command("kiq", "doctor", stdout=out, no_color=True)
    assert "Did you mean 'QUEUES'?" in out.getvalue()


@pytest.mark.parametrize("words", [("stats",), ("queues",), ("dead",), ("retry", NOBODY), ("stop", "--all", "--yes")])
def test_redis_away_is_one_sentence(kiq, settings, words):
    settings.KIQ = {"REDIS": "redis://:secret@127.0.0.1:1/0"}
    with pytest.raises(CommandError, match=r"Redis at redis://127\.0\.0\.1:1/0 cannot be reached") as caught:
        kiq(*words)
    assert caught.value.returncode == 1
    assert "\n" not in str(caught.value)


def test_the_real_command(store, where, put, tmp_path):
    jid = put("dead")
    (tmp_path / "kiq_settings.py").write_text(
        f"from tests.settings import *\nKIQ = {{'QUEUES': ['default', 'mail'], **{where!r}}}\n"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "kiq_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()]),  # noqa: PTH109
    }

    def manage(*words):
        command = [sys.executable, "-m", "django", "kiq", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    shown = manage("dead")
    assert (shown.returncode, jid in shown.stdout, shown.stderr) == (0, True, "")
    refused = manage("delete", jid)
    assert (refused.returncode, DeadSet().size) == (1, 1)
    assert "say --yes" in refused.stderr
    assert manage("delete", jid, "--yes").returncode == 0
    assert DeadSet().size == 0
    missing = manage("retry", jid)
    assert missing.returncode == 1
    assert missing.stderr.startswith("CommandError: There is no job")
    helped = manage("--help")
    assert helped.returncode == 0
    assert "words:" in helped.stdout


def test_mark_notes_a_deploy_once(kiq):
    assert kiq("mark", "v1.2", "faster") == "Marked v1.2 faster.\n"
    assert "already" in kiq("mark", "v1.2", "faster")
    assert list(Metrics().marks().values()) == ["v1.2 faster"]
    with pytest.raises(CommandError, match="Say what"):
        kiq("mark", " ")
