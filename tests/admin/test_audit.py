"""The audit log: who did what, and that nobody edits it."""

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory

from kiq_django import models
from kiq_django.admin import audit

PAGE = "/admin/kiq/audit/"


@pytest.fixture
def noted(person):
    """Note a deed of somebody."""

    def noted(subject, verb, name="ada", **fields):
        request = RequestFactory().post("/")
        request.user = User.objects.filter(username=name).first() or person(name=name)
        return audit.record(request, subject, verb, **fields)

    return noted


def test_an_entry_tells_who_what_how_many_and_why(boss, noted):
    entry = noted(models.Queue("mail"), "clear", count=1204, details={"set": "x"}, reason="test mails")
    assert "clear, 1,204 in all, set: x, reason: test mails" in entry.get_change_message()
    page = boss.get(PAGE).content.decode()
    for text in ("ada", "clear", "mail", "1,204", "test mails"):
        assert text in page


def test_the_log_is_filtered_and_searched(boss, noted):
    noted(models.Queue("mail"), "pause")
    noted(models.Job("9f1c"), "retry", name="otto")
    otto = User.objects.get(username="otto")
    for query, expected in (
        ({"by": otto.pk}, ["9f1c"]),
        ({"on": "queue"}, ["mail"]),
        ({"days": "7"}, ["9f1c", "mail"]),
        ({"q": "9f1"}, ["9f1c"]),
        ({"q": "%"}, []),
        ({"by": "x' OR 1=1"}, ["9f1c", "mail"]),
    ):
        rows = boss.get(PAGE, query).context["cl"].result_list
        assert [row.entry.object_repr for row in rows] == expected, query


def test_receivers_hear_of_deeds(noted):
    heard = []

    def receiver(**said):
        heard.append(said)

    audit.admin_action.connect(receiver)
    try:
        entry = noted(models.Queue("mail"), "pause")
    finally:
        audit.admin_action.disconnect(receiver)
    assert [(said["entry"], said["verb"], said["count"]) for said in heard] == [(entry, "pause", 1)]


def test_what_another_program_wrote_is_shown_and_breaks_nothing(boss, noted):
    entry = noted(models.Queue("mail"), "pause")
    for message in ("", "[]", "{}", "plain", '[{"kiq": 5}]', '[{"kiq": {"count": "<b>"}}]'):
        type(entry).objects.filter(pk=entry.pk).update(change_message=message)
        assert boss.get(PAGE).status_code == 200
