"""Acting on jobs: one, some, a group, all that match; and that the history tells of it."""

import pytest
from django.contrib.admin.models import LogEntry

from kiq_django.admin import audit

DEAD = "/admin/kiq/deadjob/"
RETRY = "/admin/kiq/retryjob/"


@pytest.fixture
def actor(client, person, views):
    """Somebody who may do everything, but is no superuser."""
    rights = ["retry_job", "kill_job", "reschedule_job", "move_job", "run_operation", "view_job_args"]
    deletes = ["delete_deadjob", "delete_retryjob", "delete_scheduledjob", "delete_queuedjob"]
    client.force_login(person(*views, *rights, *deletes, name="olga"))
    return client


def act(client, address, verb, keys, **more):
    post = {"action": verb, "index": 0, "select_across": 0, "_selected_action": keys, **more}
    return client.post(address, post, follow="confirmed" in more)


def keys(client, address, **query):
    return [row.pk for row in client.get(address, query).context["cl"].result_list]


def said(page):
    return [str(message) for message in page.context["messages"]]


def told():
    return [audit.told_by(entry) for entry in LogEntry.objects.order_by("pk")]


def test_a_few_are_retried_without_a_question(actor, put, in_queue, in_set):
    wanted, other = put("dead", -5, retry_count=3), put("dead", -6)
    (key,) = [key for key in keys(actor, DEAD) if key.startswith(wanted.jid)]
    page = actor.post(DEAD, {"action": "retry", "index": 0, "_selected_action": [key]}, follow=True)
    assert said(page) == ["1 job was sent to its queue."]
    assert [payload.jid for payload in in_queue()] == [wanted.jid]
    assert [payload.jid for payload, _ in in_set("dead")] == [other.jid]
    assert told()[0]["verb"] == "retry"
    assert LogEntry.objects.get().object_id == wanted.jid


@pytest.mark.parametrize("verb", ["delete", "kill"])
def test_what_destroys_is_asked_about(actor, put, in_set, verb):
    payload = put("retry", 60)
    found = keys(actor, RETRY)
    page = act(actor, RETRY, verb, found)
    assert f"{verb.capitalize()} 1 job?" in page.content.decode()
    assert payload.jid in page.content.decode()
    assert len(in_set("retry")) == 1
    page = act(actor, RETRY, verb, found, confirmed="yes", reason="no longer needed")
    assert in_set("retry") == []
    assert len(in_set("dead")) == (1 if verb == "kill" else 0)
    assert told()[0]["reason"] == "no longer needed"


def test_gone_is_said_and_nothing_else_happens(actor, put, store, in_queue):
    put("dead", -5)
    found = keys(actor, DEAD)
    store.sets.clear("dead")
    page = actor.post(DEAD, {"action": "retry", "index": 0, "_selected_action": found}, follow=True)
    assert said(page) == ["1 job was gone already."]
    assert in_queue() == []
    assert not LogEntry.objects.exists()


def test_the_same_form_twice_acts_once(actor, put, in_queue):
    put("dead", -5)
    found = keys(actor, DEAD)
    for _ in range(2):
        actor.post(DEAD, {"action": "retry", "index": 0, "_selected_action": found})
    assert len(in_queue()) == 1


def test_some_are_spread_over_minutes(actor, put, store, in_set):
    for number in range(5):
        put("dead", -number, retry_count=3)
    found = keys(actor, DEAD)
    assert "Spread over minutes" in act(actor, DEAD, "spread", found).content.decode()
    page = act(actor, DEAD, "spread", found, confirmed="yes", spread="10")
    assert said(page) == ["5 jobs were sent to their queues."]
    from kiq_django import clock

    waits = [score - clock.now() for _, score in in_set("retry")]
    assert len(waits) == 5
    assert all(-1 <= wait <= 600 for wait in waits)


def test_reschedule_and_move(actor, put, in_set):
    put("retry", 60)
    found = keys(actor, RETRY)
    assert "New time" in act(actor, RETRY, "reschedule", found).content.decode()
    act(actor, RETRY, "reschedule", found, confirmed="yes", when_0="2033-05-18", when_1="03:33:20")
    (score,) = [score for _, score in in_set("retry")]
    assert abs(score - 2_000_000_000) < 86_400
    found = keys(actor, RETRY)
    page = act(actor, RETRY, "move", found, confirmed="yes", to="bad name!")
    assert "is not a queue name" in page.content.decode()
    act(actor, RETRY, "move", found, confirmed="yes", to="low")
    assert [payload.queue for payload, _ in in_set("retry")] == ["low"]


def test_all_that_match_are_an_operation(actor, put, put_many, in_set, in_queue):
    put_many("dead", 130)
    wanted = [put("dead", -9, name="shop.jobs.other").jid for _ in range(3)]
    query = f"{DEAD}?job=shop.jobs.other"
    post = {"action": "retry", "index": 0, "select_across": 1, "_selected_action": keys(actor, DEAD)[:1]}
    page = actor.post(query, post)
    assert "Retry 3 jobs?" in page.content.decode()
    assert "shop.jobs.other" in page.content.decode()
    token = page.context["form"]["token"].initial if hasattr(page.context["form"]["token"], "initial") else ""
    page = actor.post(query, {**post, "confirmed": "yes", "token": token or "aa11", "reason": "fixed"}, follow=True)
    assert said(page) == ["3 jobs were sent to their queues."]
    assert sorted(payload.jid for payload in in_queue()) == sorted(wanted)
    assert len(in_set("dead")) == 130
    (entry,) = told()
    assert (entry["verb"], entry["count"], entry["reason"]) == ("retry", 3, "fixed")
    assert "shop.jobs.other" in str(entry["details"])


def test_a_token_begins_one_operation(actor, put, in_queue):
    for number in range(60):
        put("dead", -number)
    post = {"action": "retry", "index": 0, "select_across": 1, "_selected_action": ["x"], "confirmed": "yes"}
    for _ in range(2):
        actor.post(DEAD, {**post, "token": "same"})
    assert len(in_queue()) == 60
    assert LogEntry.objects.count() == 1


def test_a_group_is_retried_over_ten_minutes(actor, put, in_set):
    for number in range(4):
        put("dead", -number, name="billing.charge", error_class="CardTimeout", error_message=f"after {number} s")
    put("dead", -9, name="billing.charge", error_class="Other")
    page = actor.get(f"{DEAD}groups/")
    assert [(line.name, line.group.count) for line in page.context["lines"]] == [
        ("billing.charge", 4),
        ("billing.charge", 1),
    ]
    fingerprint = page.context["lines"][0].group.fingerprint
    post = {"action": "retry", "group": fingerprint}
    assert "Retry 4 jobs?" in actor.post(f"{DEAD}groups/", post).content.decode()
    post |= {"confirmed": "yes", "spread": "10", "token": "t1", "reason": "gateway is back"}
    page = actor.post(f"{DEAD}groups/", post, follow=True)
    assert said(page) == ["4 jobs were sent to their queues."]
    assert (len(in_set("retry")), len(in_set("dead"))) == (4, 1)


def test_one_job_on_its_page(actor, put, in_queue, in_set):
    payload = put("dead", -5)
    address = f"/admin/kiq/job/{payload.jid}/act/"
    page = actor.post(address, {"action": "retry", "place": "dead"}, follow=True)
    assert said(page) == ["1 job was sent to its queue."]
    assert [each.jid for each in in_queue()] == [payload.jid]
    assert "olga" in page.content.decode()
    page = actor.post(address, {"action": "delete"})
    assert "Delete 1 job?" in page.content.decode()
    actor.post(address, {"action": "delete", "confirmed": "yes"})
    assert in_queue() == []


@pytest.mark.parametrize("post", [{}, {"action": ""}, {"action": "explode"}])
def test_no_action_is_no_default(actor, put, post):
    payload = put("dead", -5)
    assert actor.post(f"/admin/kiq/job/{payload.jid}/act/", post).status_code == 400
    assert actor.get(f"/admin/kiq/job/{payload.jid}/act/").status_code == 400


def test_a_viewer_can_do_nothing(viewer, put, in_set):
    payload = put("dead", -5)
    found = keys(viewer, DEAD)
    for verb in ("retry", "delete", "spread"):
        act(viewer, DEAD, verb, found, confirmed="yes")
        assert viewer.post(f"/admin/kiq/job/{payload.jid}/act/", {"action": verb}).status_code == 403
        assert viewer.post(f"{DEAD}groups/", {"action": verb, "group": "abc"}).status_code == 403
    assert len(in_set("dead")) == 1


def test_an_operator_may_not_delete(operator, put, in_set):
    payload = put("dead", -5)
    act(operator, DEAD, "delete", keys(operator, DEAD), confirmed="yes")
    post = {"action": "delete", "confirmed": "yes"}
    assert operator.post(f"/admin/kiq/job/{payload.jid}/act/", post).status_code == 403
    assert len(in_set("dead")) == 1


@pytest.mark.parametrize("key", ["", "x", ":", "a:nan", "a:inf", "a:1e999", "' OR 1", "9" * 5000])
def test_keys_from_a_stranger(actor, put, in_set, key):
    put("dead", -5)
    page = actor.post(DEAD, {"action": "retry", "index": 0, "_selected_action": [key]}, follow=True)
    assert page.status_code == 200
    assert len(in_set("dead")) == 1


def test_an_operation_has_a_page(actor, put):
    for number in range(3):
        put("dead", -number)
    post = {"action": "retry", "index": 0, "select_across": 1, "_selected_action": ["x"], "confirmed": "yes"}
    actor.post(DEAD, {**post, "token": "ab12"})
    page = actor.get("/admin/kiq/operation/ab12/")
    assert "Retry jobs of the dead" in page.content.decode()
    assert page.context["operation"].done == 3
    assert actor.get("/admin/kiq/operation/ab12/now/").status_code == 200
    assert actor.get("/admin/kiq/operation/unknown/").status_code == 200
    assert len(actor.get("/admin/kiq/operation/").context["cl"].result_list) == 1
    page = actor.post("/admin/kiq/operation/ab12/act/", {"action": "cancel"}, follow=True)
    assert said(page) == ["It has ended already."]
    assert actor.post("/admin/kiq/operation/ab12/act/", {}).status_code == 400
