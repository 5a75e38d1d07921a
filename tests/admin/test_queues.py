"""Queues: the list, one queue, and what can be done with them."""

import pytest
from django.contrib.admin.models import LogEntry

LIST = "/admin/kiq/queue/"
ACT = "/admin/kiq/queue/act/"


def one(name):
    return f"{LIST}{name}/"


def names(page):
    return [row.pk for row in page.context["cl"].result_list]


def test_the_list(viewer, put, beat, store):
    beat("web:1:aa")
    put("queue")
    put("queue", queue="reports")
    store.queues.pause("low", {"by": "ada", "at": 1.0})
    page = viewer.get(LIST)
    assert names(page) == ["default", "low", "reports"]
    assert page.context["action_form"] is None
    for query, expected in (
        ({"state": "paused"}, ["low"]),
        ({"state": "unserved"}, ["low", "reports"]),
        ({"state": "waiting"}, ["default", "reports"]),
        ({"q": "rep"}, ["reports"]),
        ({"state": "<script>"}, ["default", "low", "reports"]),
    ):
        assert names(viewer.get(LIST, query)) == expected


def test_a_queue_says_why_it_does_not_move(viewer, put):
    put("queue", queue="reports")
    text = viewer.get(one("reports")).content.decode()
    assert "Why is it not moving?" in text
    assert "runworker -q reports" in text


@pytest.mark.parametrize("name", ["nobody", "a/b", "ä<b>", "act%20"])
def test_any_name_is_a_page(viewer, name):
    assert viewer.get(one(name)).status_code == 200


def test_jobs_of_a_queue(viewer, put):
    first, second = put("queue", name="shop.jobs.first"), put("queue", name="shop.jobs.second")
    rows = viewer.get(one("default")).context["cl"].result_list
    assert [row.record.jid for row in rows] == [first.jid, second.jid]
    rows = viewer.get(one("default"), {"newest": "1"}).context["cl"].result_list
    assert [row.record.jid for row in rows] == [second.jid, first.jid]
    rows = viewer.get(one("default"), {"q": second.jid}).context["cl"].result_list
    assert [row.record.jid for row in rows] == [second.jid]
    rows = viewer.get(one("default"), {"job": "shop.jobs.first"}).context["cl"].result_list
    assert [row.record.jid for row in rows] == [first.jid]


@pytest.fixture
def clearer(client, person, views):
    client.force_login(person(*views, "clear_queue", "pause_queue", name="cleo"))
    return client


def test_pause_and_resume(operator, put, store):
    put("queue")
    post = {"action": "pause", "name": "default"}
    assert "Pause queues?" in operator.post(ACT, post).content.decode()
    assert not store.queues.paused()
    assert operator.post(ACT, {**post, "confirmed": "yes", "reason": "provider down"}).status_code == 302
    assert store.queues.paused()["default"]["reason"] == "provider down"
    assert "otto" in operator.get(one("default")).content.decode()
    operator.post(ACT, {"action": "resume", "name": "default"})
    assert not store.queues.paused()
    assert [entry.object_id for entry in LogEntry.objects.all()] == ["default", "default"]


def test_clearing_many_wants_the_number(clearer, put_many, store):
    put_many("queue", 1200)
    post = {"action": "clear", "name": "default", "confirmed": "yes"}
    assert "not the number" in clearer.post(ACT, {**post, "count": "12"}).content.decode()
    assert store.queues.sizes(["default"])["default"] == 1200
    assert clearer.post(ACT, {**post, "count": "1,200"}).status_code == 302
    assert store.queues.sizes(["default"])["default"] == 0
    assert "1,200 in all" in LogEntry.objects.get().change_message


def test_what_comes_while_somebody_types_the_number_does_not_matter(clearer, put_many, put, store):
    put_many("queue", 1200)
    form = clearer.post(ACT, {"action": "clear", "name": "default"}).context["form"]
    put("queue")
    post = {"action": "clear", "name": "default", "confirmed": "yes", "asked": form["asked"].value()}
    again = clearer.post(ACT, {**post, "count": "12"}).content.decode()
    assert "Type 1200 to confirm" in again, "what is asked for stays what is compared"
    assert clearer.post(ACT, {**post, "count": "1200"}).status_code == 302
    assert store.queues.sizes(["default"])["default"] == 0


def test_actions_of_the_list(clearer, put):
    put("queue")
    page = clearer.post(LIST, {"action": "clear", "index": 0, "_selected_action": ["default"]})
    assert "Delete 1 job?" in page.content.decode()


@pytest.mark.parametrize("post", [{}, {"action": "clear"}, {"name": "default"}, {"action": "drop", "name": "default"}])
def test_there_is_no_default_action(clearer, put, store, post):
    put("queue")
    assert clearer.post(ACT, post).status_code == 400
    assert clearer.get(ACT).status_code == 400
    assert store.queues.sizes(["default"])["default"] == 1


def test_an_operator_may_not_clear(operator, put, store):
    put("queue")
    assert operator.post(ACT, {"action": "clear", "name": "default", "confirmed": "yes"}).status_code == 403
    assert store.queues.sizes(["default"])["default"] == 1
