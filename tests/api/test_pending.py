"""Waiting jobs against the code that is loaded."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from kiq_django import arguments, fitting, job, registry
from kiq_django.api.pending import check_pending, trouble_of
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry


@pytest.fixture(autouse=True)
def _own_jobs(monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry._jobs))
    monkeypatch.setattr(registry, "_aliases", dict(registry._aliases))


@pytest.fixture
def put(store):
    def put(name, *args, place="queue", queue="default", jid=None, **kwargs):
        ready, named, rich = arguments.dump(args, kwargs)
        fields = {"rich": True} if rich else {}
        payload = Payload.new(name, ready, named, queue=queue, retry=True, now=1.5, jid=jid, **fields)
        if place == "queue":
            store.queues.push([Entry(queue, payload.encode())])
        else:
            store.sets.add(place, payload.encode(), 1.5)
        return payload

    return put


def invoice(order_id: int, locale: str = "en", *, copies: "int | None" = None): ...


def test_what_can_run_and_what_cannot(put):
    job(name="invoice", aliases=["old.invoice"])(invoice)
    put("invoice", 1)
    put("invoice", 2, locale="de", place="schedule")
    put("old.invoice", 3, place="retry")
    put("invoice")
    put("invoice", "four", queue="mail")
    put("invoice", 5, currency="EUR")
    put("invoices", 6)
    found = check_pending()
    assert not found.is_safe
    assert (found.complete, found.looked_at, found.total) == (True, 7, 7)
    said = {(group.name, group.trouble): group for group in found.groups}
    assert said["invoice", ""].places == {"queue default": 1, "schedule": 1}
    assert said["old.invoice", ""].runs_as == "invoice"
    assert ("invoice", "is missing argument 'order_id'") in said
    assert ("invoice", "argument 'order_id' is a str and must be int") in said
    assert ("invoice", "has no argument 'currency'") in said
    [unknown] = [group for group in found.groups if group.name == "invoices"]
    assert "Did you mean 'invoice'?" in unknown.trouble
    assert [bool(group.trouble) for group in found.groups] == [True] * 4 + [False] * 2


def test_nothing_waits():
    assert check_pending().is_safe
    assert check_pending().complete


def test_unreadable_jobs_are_nobodys_fault_and_told(store):
    store.link.call("LPUSH", store.keys.queue("default"), b"{no")
    store.link.call("SADD", store.keys.queues(), "default")
    [group] = check_pending().groups
    assert group.name == "(unreadable)"


def test_a_budget_is_shared_by_the_places(put, store):
    job(name="invoice")(invoice)
    entries = [
        Entry("bulk", Payload.new("invoice", [n], {}, queue="bulk", retry=True, now=1.5).encode()) for n in range(3000)
    ]
    store.queues.push(entries)
    put("invoice", "text", place="retry")
    found = check_pending(jobs=600)
    assert not found.complete
    assert found.total == 3001
    assert 200 <= found.looked_at <= 700
    assert [group.places for group in found.groups if group.trouble] == [{"retry": 1}]


def test_the_command_tells_by_its_exit_code(put, capsys):
    job(name="invoice", aliases=["old.invoice"])(invoice)
    put("old.invoice", 1)
    call_command("kiq", "check-pending")
    assert "ok, as invoice" in capsys.readouterr().out
    put("invoice", jid="abc")
    with pytest.raises(CommandError, match="1 waiting job cannot run with this code") as error:
        call_command("kiq", "check-pending", "--json")
    assert error.value.returncode == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["safe"], told["complete"], told["looked_at"]) == (False, True, 2)
    assert told["groups"][0] == {
        "name": "invoice",
        "trouble": "is missing argument 'order_id'",
        "count": 1,
        "places": {"queue default": 1},
        "example": "abc",
        "runs_as": "",
    }


def test_classes_and_rails(put):
    @job(name="Invoice")
    class Invoice:
        def perform(self, order_id: int): ...

    assert "order_id" in trouble_of(put("Invoice", "x"))
    assert trouble_of(put("Invoice", 1)) == ""
    wrapped = {"job_class": "Invoice", "arguments": [1, 2]}
    assert "takes 1 argument" in trouble_of(put("Sidekiq::ActiveJob::Wrapper", wrapped))
    assert trouble_of(put("Sidekiq::ActiveJob::Wrapper", {**wrapped, "arguments": [1]})) == ""


NOW = datetime(2026, 1, 2, tzinfo=UTC)
FIT = [
    (1, int), (1, float), (1.5, float), (True, bool), ("a", str), (None, None), (None, int | None), ("x", Any),
    (NOW, datetime), (date(2026, 1, 2), date), (timedelta(1), timedelta), (Decimal(1), Decimal), (UUID(int=1), UUID),
    ([1, 2], list[int]), ([1, "a"], list), ([1, "a"], tuple[int, str]), ({"a": 1}, dict[str, int]),
    ("en", Literal["en", "de"]), (3, Annotated[int, "positive"]), ("x", "whatever"), (3, object), ({}, dict),
]  # fmt: skip
MISFIT = [
    (True, int), ("1", int), (1, str), (1, bool), (None, int), (1.5, int), ("2026-01-02", datetime), ([1], dict),
    ({"a": "b"}, dict[str, int]), (["a"], list[int]), ("fr", Literal["en", "de"]), (3, User), (Decimal(1), dict),
    ("a", int | None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "hint"), FIT, ids=str)
def test_what_fits(value, hint):
    assert fitting.fits(arguments.dump([value], {})[0][0], hint)


def test_a_row_travels_as_a_reference():
    reference = {"$kiq": "model", "value": "auth.User", "pk": 1}
    assert fitting.fits(reference, User)
    assert not fitting.fits(reference, dict)


@pytest.mark.parametrize(("value", "hint"), MISFIT, ids=str)
def test_what_does_not(value, hint):
    assert not fitting.fits(arguments.dump([value], {})[0][0], hint)


def test_annotations_that_cannot_be_read_say_nothing(put):
    def strange(a: "Nowhere", *more: int, **named: str): ...  # noqa: F821

    job(name="strange")(strange)
    assert trouble_of(put("strange", 1)) == ""

    def many(*more: int, **named: str): ...

    job(name="many")(many)
    assert trouble_of(put("many", 1, 2)) == ""
    assert "'more' is a str" in trouble_of(put("many", 1, "2"))
    assert "'named' is an int" in trouble_of(put("many", x=1))
