"""`manage.py kiq operations`: what it shows, and how it ends one."""

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from kiq_django import clock
from kiq_django.api.budget import Budget
from kiq_django.api.filters import Filter
from kiq_django.api.operations import Operations
from kiq_django.api.queues import Queue
from kiq_django.api.sets import DeadSet, RetrySet, ScheduledSet
from tests.conftest import LAYOUT


@pytest.fixture
def kiq(store):
    """Run `manage.py kiq ...` and return what it prints."""

    def kiq(*words):
        out = io.StringIO()
        call_command("kiq", *words, stdout=out, no_color=True)
        return out.getvalue()

    return kiq


@pytest.fixture
def dead(store):
    """A hundred dead jobs."""
    for number in range(100):
        store.sets.add("dead", b"%d" % number, clock.now() - 60)


def test_nothing(kiq):
    assert "No operation is known" in kiq("operations")
    assert json.loads(kiq("operations", "--json")) == []


def test_what_is_shown(kiq, dead):
    known = Operations()
    done = known.start("delete", DeadSet(), Filter(text="99"), by="ada\x1b[31m")
    known.step(done.id)
    half = known.start("delete", DeadSet())
    known.step(half.id, Budget(jobs=0))
    known.start("retry", RetrySet(), Filter(name="pay", due_to=1.7e9), spread=600)
    known.start("move", Queue("mail"), to="low")
    known.start("reschedule", ScheduledSet(), when=1.8e9)
    head, *rows = kiq("operations").splitlines()
    lines = {row.split()[0]: row for row in rows}
    assert head.split() == ["ID", "STARTED", "BY", "WHAT", "STATE", "DONE", "GONE", "UNREADABLE", "LEFT"]
    assert len(rows) == 5
    assert "delete dead where text=99" in lines[done.id]
    assert "ada\\x1b[31m" in lines[done.id]
    assert lines[done.id].split()[-5:] == ["done", "1", "0", "0", "-"]
    share = 33 if LAYOUT == "masters" else 51  # of one island, and of the one that is first of three
    assert f"{share} %" in lines[half.id]
    for words in (
        "retry retry over 10 min where name=pay due_to=2023-11-14T22:13:20+00:00",
        "move mail to low",
        "reschedule schedule to 2027-01-15T08:00:00+00:00",
    ):
        assert any(words in row for row in rows)
    assert len(kiq("operations", "--limit", "2").splitlines()) == 3


def test_json(kiq, dead):
    operation = Operations().start("delete", DeadSet(), Filter(text="99"), by="ada", total=1)
    Operations().step(operation.id)
    (found,) = json.loads(kiq("operations", "--json"))
    assert found["where"] == {"text": "99"}
    assert (found["id"], found["state"], found["done"], found["percent"]) == (operation.id, "done", 1, 100)
    assert found["started_at"].endswith("+00:00")


def test_cancel(kiq, dead):
    known = Operations()
    both = [known.start("delete", DeadSet()).id for _ in range(2)]
    said = kiq("operations", "cancel", *both)
    assert [line.split(":")[0] for line in said.splitlines()] == [f"Cancelled {each}" for each in both]
    assert all("@" in known.find(each).cancelled_by for each in both)
    assert "cancelled at 0 %" in kiq("operations")
    assert DeadSet().size == 100


def test_cancel_what_cannot_be_cancelled(kiq, dead):
    ended = Operations().start("delete", DeadSet())
    Operations().step(ended.id)
    with pytest.raises(CommandError, match="Say which"):
        kiq("operations", "cancel")
    with pytest.raises(CommandError, match=f"There is no operation nowhere.*{ended.id} has ended before: done"):
        kiq("operations", "cancel", "nowhere", ended.id)
    with pytest.raises(CommandError, match="invalid choice"):
        kiq("operations", "end", ended.id)
