"""The crash and repeat kit: what it finds, what it leaves alone, and that it leaves everything as it was."""

import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.cache import cache
from django.db import transaction
from django.test import TestCase

from kiq_django.testing import assert_idempotent, assert_survives_crash, enqueued
from tests.jobsapp.jobs import record
from tests.kit import jobs

HERE = "tests/kit/jobs.py"
pytestmark = [
    pytest.mark.usefixtures("kiq"),
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:Django 2028 will not have a default mailer"),
]


def line_of(text):
    lines = Path(HERE).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def complaint(check, *args, **options):
    with pytest.raises(AssertionError) as caught:
        check(*args, **options)
    return str(caught.value)


@pytest.fixture
def bank():
    """A server that takes what is posted to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args): ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/charges"
    server.shutdown()
    server.server_close()


# --- a second run ---


@pytest.mark.parametrize(
    ("job", "args"),
    [(jobs.upsert, ["a"]), (jobs.async_upsert, ["a"]), (jobs.remember, []), (jobs.member, ["a"]), (jobs.bulk, [["a"]])],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_second_run_that_adds_nothing(job, args):
    assert_idempotent(job, *args)


def test_rows_that_are_there_twice():
    text = complaint(assert_idempotent, jobs.add_user)
    assert text.startswith("kit.add_user is not idempotent")
    assert "a row more: auth.User(" in text


def test_a_row_that_only_its_key_tells_apart():
    from kiq_django import registry

    user = User.objects.create(username="u")
    before = dict(registry._jobs)
    try:
        from django.contrib.admin.models import LogEntry

        from kiq_django import job

        @job(name="kit.log")
        def log(pk):
            LogEntry.objects.create(user_id=pk, action_flag=1, object_repr="x", action_time="2030-01-01T00:00Z")

        assert "a row was doubled: admin.LogEntry(" in complaint(assert_idempotent, log, user.pk)
    finally:
        registry._jobs.clear()
        registry._jobs.update(before)


def test_mails_jobs_and_cache():
    mailed = complaint(assert_idempotent, jobs.mail_always, "a@example.com")
    assert re.search(r"mailed a@example.com: 'Hello', 'There': twice instead of once, at tests/kit/jobs.py:\d+", mailed)
    followed = complaint(assert_idempotent, jobs.follow, 7)
    assert f"enqueued {record.name} on default with [7] {{}}: twice instead of once" in followed
    assert "cache default: visits is 2, not 1" in complaint(assert_idempotent, jobs.count)


def test_a_time_that_is_written_each_time():
    user = User.objects.create(username="u")
    assert f"auth.User {user.pk}: last_login is" in complaint(assert_idempotent, jobs.stamp, user.pk)
    assert_idempotent(jobs.stamp, user.pk, ignore=["auth.User.last_login"])
    assert_survives_crash(jobs.stamp, user.pk)  # time stands still there


def test_what_is_to_be_ignored_must_exist():
    for check in (assert_idempotent, assert_survives_crash):
        with pytest.raises(ValueError, match=r"'auth\.Usr' is neither"):
            check(jobs.upsert, "a", ignore=["auth.Usr"])
    assert_idempotent(jobs.mail_always, "a@example.com", ignore=["mail"])
    assert_idempotent(jobs.add_user, ignore=["auth.User"])
    with pytest.raises(ValueError, match="kinds: post is none of"):
        assert_survives_crash(jobs.upsert, "a", kinds=["post"])


def test_a_job_that_fails_says_so():
    for check in (assert_idempotent, assert_survives_crash):
        with pytest.raises(ZeroDivisionError):
            check(jobs.fail)
    assert "the second run raised IntegrityError" in complaint(assert_idempotent, jobs.fragile, "a")


def test_all_is_as_before():
    record.enqueue(1)
    cache.set("visits", 5)
    mail.send_mail("first", "", "us@example.com", ["b@example.com"])
    complaint(assert_idempotent, jobs.count)
    complaint(assert_idempotent, jobs.follow, 2)
    complaint(assert_idempotent, jobs.mail_always, "a@example.com")
    complaint(assert_survives_crash, jobs.two_rows, "a")
    assert cache.get("visits") == 5
    assert [each.args for each in enqueued()] == [[1]]
    assert [each.subject for each in mail.outbox] == ["first"]
    assert not Group.objects.exists()
    assert not transaction.get_connection().run_on_commit


def test_a_second_run_may_be_discarded():
    assert_idempotent(jobs.discard_when_done, "a")


def test_a_second_run_may_raise_what_the_job_discards():
    Group.objects.create(name="a")
    assert_idempotent(jobs.discard_what_is_gone, "a")
    assert_survives_crash(jobs.discard_what_is_gone, "a")


def test_a_job_that_enqueues_nothing():
    assert_idempotent(jobs.enqueue_none, "a")


# --- a crash ---


@pytest.mark.parametrize(
    ("job", "args"),
    [
        (jobs.upsert, ["a"]),
        (jobs.async_upsert, ["a"]),
        (jobs.two_rows_at_once, ["a"]),
        (jobs.member, ["a"]),
        (jobs.remember, []),
        (jobs.stubborn, ["a"]),
        (jobs.discard_when_done, ["a"]),
        (jobs.bulk, [["a", "b"]]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_jobs_that_survive(job, args):
    assert_survives_crash(job, *args)


def test_random_values_are_no_harm_but_a_row_more_is():
    text = complaint(assert_survives_crash, jobs.add_user)
    assert "auth.User has 2 rows instead of 1" in text or "a row more: auth.User" in text


def test_killed_between_two_rows():
    text = complaint(assert_survives_crash, jobs.two_rows, "a")
    first = line_of("_, made = Group.objects.get_or_create(name=name)")
    assert text.startswith("kit.two_rows does not survive a crash at 1 of 2 points")
    assert f"Killed right after a commit on default, at {HERE}:{first}, and run again" in text
    assert "a row is missing: auth.Group(" in text
    assert "name='a too'" in text


def test_killed_between_the_commit_and_what_comes_after_it():
    text = complaint(assert_survives_crash, jobs.commit_then_enqueue, "a")
    assert f"enqueued {record.name} on default with ['a'] {{}}: never instead of once" in text
    assert "mailed a@example.com: 'Hello', 'There': never instead of once" in complaint(
        assert_survives_crash, jobs.hooked, "a"
    )


def test_a_job_that_is_enqueued_twice_can_be_ignored():
    text = complaint(assert_survives_crash, jobs.enqueue_always, "a")
    assert "twice instead of once" in text
    assert_survives_crash(jobs.enqueue_always, "a", ignore=["enqueue"])


def test_rows_that_refer_to_each_other():
    text = complaint(assert_survives_crash, jobs.member_in_steps, "a")
    assert "a row is missing: auth.User_groups(" in text


def test_a_charge_and_then_a_row(bank):
    text = complaint(assert_survives_crash, jobs.charge, bank, "a")
    where = f"{HERE}:{line_of('urlopen(request)')}"
    assert f"Killed right after POST {bank.removeprefix('http://')}, at {where}, and run again" in text
    assert "twice instead of once" in text
    assert_survives_crash(jobs.charge, bank, "a", kwargs={"key": "order-a"})
    assert_survives_crash(jobs.charge, bank, "a", kinds=["commit"])


def test_what_a_fake_tells():
    text = complaint(assert_survives_crash, jobs.charge_by_fake, "a")
    assert "charged 9.90: twice instead of once" in text
    assert_survives_crash(jobs.charge_by_fake, "a", "key")
    jobs.charge_by_fake("outside of the kit it is nothing")


def test_httpx_is_seen(bank, monkeypatch):
    httpx = pytest.importorskip("httpx")
    from kiq_django import job, registry

    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))

    @job(name="kit.post")
    def post():
        httpx.post(bank, json={})

    assert "twice instead of once" in complaint(assert_idempotent, post)


def test_of_many_points_some_are_taken():
    names = [str(number) for number in range(9)]

    def tried(limit):
        from kiq_django.testing.crash.asserts import _Play
        from kiq_django.testing.crash.compare import Ignored
        from kiq_django.testing.crash.points import KINDS
        from kiq_django.testing.crash.scenario import Stage

        play = _Play(Stage(jobs.many, [names], {}), Ignored.of([]), KINDS)
        return play.numbers(limit)

    assert tried(100) == list(range(1, 10))
    assert tried(3) == [1, 4, 7]


@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_without_a_transaction_around_the_test():
    assert "name='a too'" in complaint(assert_survives_crash, jobs.two_rows, "a")
    assert_survives_crash(jobs.two_rows_at_once, "a")
    assert_idempotent(jobs.upsert, "a")
    assert not Group.objects.exists()


class Unittest(TestCase):
    databases = {"default"}

    def test_in_a_test_case(self):
        assert_survives_crash(jobs.two_rows_at_once, "a")
        with pytest.raises(AssertionError, match="a row is missing"):
            assert_survives_crash(jobs.two_rows, "a")


@pytest.mark.usefixtures("kiq")
def test_another_adapter_is_put_aside(settings):
    settings.KIQ = {"ADAPTER": "inline"}
    assert "twice instead of once" in complaint(assert_idempotent, jobs.follow, 7)


def test_the_example_project_shows_it(tmp_path):
    surroundings = {**os.environ, "DJANGO_SETTINGS_MODULE": "example_project.settings", "KIQ_DEMO_VAR": str(tmp_path)}
    command = [sys.executable, "manage.py", "test", "example_project"]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "charge_carelessly does not survive a crash at 1 of 3 points" in done.stdout
