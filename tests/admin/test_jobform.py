"""Enqueueing by hand, uncovering, exporting, undoing."""

import json

import pytest
from django.contrib.admin.models import LogEntry

from kiq_django import clock, job, registry
from kiq_django.admin import audit
from kiq_django.admin.uncovering import uncover
from kiq_django.payload import CARRIED, PARKED, RESULT
from kiq_django.redaction import MASK, redact

DEAD = "/admin/kiq/deadjob/"


@pytest.fixture
def editor(client, person, views):
    rights = ["enqueue_job", "view_job_args", "kill_job", "reschedule_job"]
    client.force_login(person(*views, *rights, name="edda"))
    return client


def test_a_job_is_edited_and_enqueued_again(editor, put, in_queue, in_set):
    old = put("dead", -5, args=[1, {"password": "canary", "to": "a"}], retry_count=3, error_class="x")
    address = f"/admin/kiq/job/{old.jid}/edit/"
    form = editor.get(address)
    assert "canary" not in form.content.decode()
    args = json.loads(form.context["form"].initial["args"])
    args[0], args[1]["to"] = 2, "b"
    post = {"args": json.dumps(args), "kwargs": "{}", "queue": "low", "wait": "0", "reason": "typo"}
    page = editor.post(address, post, follow=True)
    (new,) = in_queue("low")
    assert new.args == [2, {"password": "canary", "to": "b"}]
    assert new.jid != old.jid
    assert new.retry_count is None
    assert "error_class" not in new.document
    assert len(in_set("dead")) == 1
    assert old.jid in LogEntry.objects.get().change_message
    assert new.jid in page.content.decode()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"args": "{"}, "not JSON"),
        ({"args": "{}"}, "a list"),
        ({"kwargs": "[]"}, "an object"),
        ({"queue": "a b"}, "not a queue name"),
        ({"args": '["••••"]'}, "can only stay"),
        ({"wait": "-1"}, "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_enqueued(editor, put, in_queue, fields, said):
    old = put("dead", -5)
    post = {"args": "[]", "kwargs": "{}", "queue": "default", **fields}
    page = editor.post(f"/admin/kiq/job/{old.jid}/edit/", post)
    assert said in page.content.decode()
    assert in_queue() == []


def test_a_declared_job_is_enqueued_by_hand(editor, in_queue):
    address = "/admin/kiq/job/new/"
    assert "tests.jobsapp.jobs.invoice" in editor.get(address).content.decode()
    post = {"name": "tests.jobsapp.jobs.invoice", "args": "[]", "kwargs": "{}", "queue": "default"}
    assert "is missing argument" in editor.post(address, post).content.decode()
    editor.post(address, {**post, "args": "[7]"})
    assert [payload.args for payload in in_queue()] == [[7]]
    post["name"] = "os.system"
    assert "No job of this name" in editor.post(address, post).content.decode()


def test_by_hand_it_has_the_options_of_its_declaration(editor, in_queue, in_set, monkeypatch):
    monkeypatch.setattr(registry, "_jobs", dict(registry.all_jobs()))

    @job(name="kept", retry=2, tags=["billing"], result=60, expires_in=600)
    def kept(number: int) -> None: ...

    post = {"name": "kept", "args": "[7]", "kwargs": "{}", "queue": "low"}
    editor.post("/admin/kiq/job/new/", post)
    (payload,) = in_queue("low")
    assert (payload.args, payload.retry, payload.tags, payload.document[RESULT]) == ([7], 2, ["billing"], 60)
    assert payload.expires_at is not None
    editor.post("/admin/kiq/job/new/", {**post, "wait": "60"})
    ((later, due),) = in_set("schedule")
    assert (later.tags, later.queue) == (["billing"], "low")
    assert due == pytest.approx(clock.now() + 60, abs=5)


def test_the_form_offers_the_queue_of_the_settings(editor, settings):
    settings.KIQ = {**settings.KIQ, "DEFAULTS": {"queue": "web"}}
    for name, queue in (("record", "web"), ("invoice", "mail")):
        form = editor.get(f"/admin/kiq/job/new/?job=tests.jobsapp.jobs.{name}").context["form"]
        assert form.initial["queue"] == queue


def test_what_a_link_vetoes_was_not_enqueued(editor, put, in_queue, settings):
    old = put("dead", -5)
    settings.KIQ = {**settings.KIQ, "MIDDLEWARE": {"client": [f"{__name__}.veto"]}}
    for address, name in ((f"{old.jid}/edit/", old.name), ("new/", "tests.jobsapp.jobs.record")):
        post = {"name": name, "args": "[1]", "kwargs": "{}", "queue": "default"}
        assert "A client link refused it" in editor.post(f"/admin/kiq/job/{address}", post).content.decode()
    assert in_queue() == []
    assert not LogEntry.objects.exists()


def veto(payload, proceed):
    return None


def test_a_copy_of_a_parked_job_is_not_parked(editor, put, in_queue):
    note = {"since": 1.0, "times": 3, "retry_count": 4}
    old = put("retry", 60, retry_count=4, **{PARKED: note, CARRIED: ["a", "b", 1]})
    editor.post(f"/admin/kiq/job/{old.jid}/edit/", {"args": "[1]", "kwargs": "{}", "queue": "default"})
    (new,) = in_queue()
    assert not {PARKED, CARRIED, "retry_count"} & set(new.document)


def test_uncovering_takes_a_right_and_a_reason(client, person, views, put):
    payload = put("dead", -5, args=[{"password": "canary"}])
    address = f"/admin/kiq/job/{payload.jid}/uncover/"
    client.force_login(person(*views, "view_job_args", "view_job_secrets", name="una"))
    assert "canary" not in client.post(address).content.decode()
    assert "canary" not in client.post(address, {"confirmed": "yes"}).content.decode()
    assert "canary" in client.post(address, {"confirmed": "yes", "reason": "ticket 7"}).content.decode()
    assert audit.told_by(LogEntry.objects.get())["reason"] == "ticket 7"


def test_rights(viewer, put):
    payload = put("dead", -5)
    for address in ("new/", f"{payload.jid}/edit/", f"{payload.jid}/uncover/"):
        assert viewer.get(f"/admin/kiq/job/{address}").status_code == 403
        assert viewer.post(f"/admin/kiq/job/{address}").status_code == 403


def test_export(editor, viewer, put, person, views):
    editor.force_login(person(*views, "view_job_args", name="exa"))
    for number in range(60):
        put("dead", -number, args=[{"password": "canary"}, number])
    post = {"action": "export", "index": 0, "select_across": 1, "_selected_action": ["x"]}
    answer = editor.post(DEAD, post)
    lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
    assert sorted(line["args"][1] for line in lines) == list(range(60))
    assert "canary" not in str(lines)
    assert "attachment" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("place", ["retry", "schedule"])
def test_a_kill_is_taken_back(editor, put, in_set, place):
    payload = put(place, 600, retry_count=3)
    ((before, score),) = in_set(place)
    address = "/admin/kiq/retryjob/" if place == "retry" else "/admin/kiq/scheduledjob/"
    key = editor.get(address).context["cl"].result_list[0].pk
    post = {"action": "kill", "index": 0, "_selected_action": [key], "confirmed": "yes"}
    page = editor.post(address, post, follow=True)
    assert len(in_set("dead")) == 1
    (message,) = page.context["messages"]
    url = str(message).split('href="')[1].split('"')[0].replace("&amp;", "&")
    asked = editor.get(url)
    assert payload.jid in asked.content.decode()
    token = dict(asked.context["repeated"])["undo"]
    editor.post("/admin/kiq/job/undo/", {"undo": token, "confirmed": "yes"})
    ((after, again),) = in_set(place)
    assert (after.document, again) == (before.document, score)
    assert in_set("dead") == []


@pytest.mark.parametrize("token", ["", "x", "a:b:c"])
def test_a_forged_undo(editor, token):
    page = editor.get("/admin/kiq/job/undo/", {"token": token}, follow=True)
    assert "can no longer be undone" in page.content.decode()


def uncovered(edited, old):
    return uncover(edited, old, redact(old), "args")


def test_what_is_as_it_was_shown_is_as_it_was():
    old = [{"a": 1, "token": "canary", "b": [2, {"pin": 3}]}]
    assert uncovered([{"a": 1, "token": MASK, "b": ["x", {"pin": MASK}]}], old) == [
        {"a": 1, "token": "canary", "b": ["x", {"pin": 3}]}
    ]
    assert uncovered([{"token": MASK}, "more"], old) == [{"token": "canary"}, "more"]
    assert uncovered([{"token": "another"}], old) == [{"token": "another"}]
    assert uncovered([], old) == []


def test_a_url_keeps_its_password_or_gets_another():
    old = ["redis://user:canary@host/0", 1]
    assert uncovered(["redis://••••@host/0", 2], old) == ["redis://user:canary@host/0", 2]
    assert uncovered(["redis://me:new@host/1", 1], old) == ["redis://me:new@host/1", 1]
    with pytest.raises(LookupError, match=r"args\[0\]: A hidden value can only stay where it was"):
        uncovered(["redis://••••@host/1", 1], old)


@pytest.mark.parametrize(
    ("edited", "old", "path"),
    [
        ([{"c": MASK}], [{"token": "canary"}], r"args\[0\]\['c'\]"),
        ([{"d": {"e": ["token=••••"]}}], [{}], r"args\[0\]\['d'\]\['e'\]\[0\]"),
        ([1, MASK], [1], r"args\[1\]"),
        ([{MASK: 1}], [{}], r"args\[0\]"),
        ([["…"]], [[]], r"args\[0\]\[0\]"),
        (["x", {"pin": MASK}, {"pin": MASK}], [{"pin": 1}, {"pin": 2}], r"args\[2\]"),
        ([{"id": 2, "pin": MASK}], [{"id": 1, "pin": 1}, {"id": 2, "pin": 2}], "args: A list with hidden values"),
    ],
)
def test_a_mask_that_stands_for_nothing_is_refused(edited, old, path):
    with pytest.raises(LookupError, match=path):
        uncovered(edited, old)


LONG = list(range(10_000))


@pytest.mark.parametrize(
    "long",
    ["x" * 60_000, "see " + "x" * 49_980 + " redis://u:canary@h", [*LONG, 1], {str(n): n for n in range(10_001)}],
    ids=["text", "text with a url", "list", "dict"],
)
def test_what_was_cut_stays_as_it_is_or_is_not_edited(long):
    old = [1, {"long": long}]
    shown = redact(old)
    assert shown != old
    assert uncovered([2, shown[1]], old) == [2, {"long": long}]
    part = shown[1]["long"]
    changed = part.replace("x", "y") if isinstance(part, str) else part[1:] if isinstance(part, list) else {"0": 1}
    with pytest.raises(LookupError, match=r"args\[1\]\['long'\]: This is too long to be edited"):
        uncovered([1, {"long": changed}], old)


def test_what_is_too_deep_to_be_shown_stays():
    old = deep = []
    for _ in range(50):
        deep.append([])
        deep = deep[0]
    assert uncovered([*redact(old), 5], old) == [*old, 5]


def test_a_value_that_looks_like_ours_is_the_jobs_own():
    old = ["so …", "…", "••••", {"…": "…"}]
    assert uncovered([*old, 1], old) == [*old, 1]
    assert uncovered(["so so …", *old[1:]], old) == ["so so …", *old[1:]]


@pytest.mark.parametrize(("edited", "old"), [(1, True), (1.0, 1), (False, 0), ("1", 1), (None, 0)])
def test_one_is_not_true(edited, old):
    (found,) = uncovered([edited], [old])
    assert (type(found), found) == (type(edited), edited)


def test_a_password_in_a_url_survives_the_form(editor, put, in_queue):
    old = put("dead", -5, args=["redis://user:canary@host/0", 1], kwargs={})
    address = f"/admin/kiq/job/{old.jid}/edit/"
    args = json.loads(editor.get(address).context["form"].initial["args"])
    post = {"args": json.dumps([args[0], 2]), "kwargs": "{}", "queue": "low", "reason": "typo"}
    editor.post(address, post)
    assert [job.args for job in in_queue("low")] == [["redis://user:canary@host/0", 2]]
    page = editor.post(address, {**post, "args": json.dumps([args[0] + "x", 2])}).content.decode()
    assert "args[0]: A hidden value can only stay where it was" in page
    assert "canary" not in page
    assert len(in_queue("low")) == 1
