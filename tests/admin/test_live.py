"""Parts of pages that are fetched again and again."""

import pytest
from django.http import HttpResponseNotModified
from django.template import engines
from django.test import RequestFactory
from django.utils.html import strip_tags

from kiq_django import clock
from kiq_django.admin import live

TEMPLATE = """{% load kiq %}<p>{{ count }} jobs, the oldest {{ at|kiq_time }}</p>"""


@pytest.fixture
def ask(monkeypatch):
    """Ask for the part as a browser does that has seen an answer with this tag."""

    def render(template, context, request):
        return engines["django"].from_string(template).render(context, request)

    monkeypatch.setattr(live, "render_to_string", render)

    def ask(known=None, **context):
        headers = {"If-None-Match": known} if known else {}
        request = RequestFactory(headers=headers).get("/")
        return live.fragment(request, TEMPLATE, {"at": 1_795_377_711, **context})

    return ask


def test_the_first_answer_is_whole(ask):
    answer = ask(count=3)
    assert answer.status_code == 200
    assert "3 jobs" in strip_tags(answer.text if hasattr(answer, "text") else answer.content.decode())
    assert answer["ETag"].startswith('W/"')


def test_nothing_new_is_an_empty_answer(ask):
    tag = ask(count=3)["ETag"]
    answer = ask(known=tag, count=3)
    assert isinstance(answer, HttpResponseNotModified)
    assert answer.content == b""
    assert answer["ETag"] == tag


def test_what_changed_is_sent(ask):
    answer = ask(known=ask(count=3)["ETag"], count=4)
    assert answer.status_code == 200


def test_time_that_goes_by_is_no_change(ask, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: 1_795_377_800.0)
    before = ask(count=3)
    monkeypatch.setattr(clock, "now", lambda: 1_795_399_999.0)
    after = ask(known=before["ETag"], count=3)
    assert after.status_code == 304


def test_another_moment_is_a_change(ask):
    assert ask(known=ask(count=3)["ETag"], count=3, at=5).status_code == 200


@pytest.mark.parametrize("known", ["*", "nonsense", '"other", "more"', '"' + "a" * 10_000])
def test_tags_of_others_do_no_harm(ask, known):
    assert ask(known=known, count=1).status_code == 200


def test_nobody_keeps_it(ask):
    assert {"no-store", "private"} <= set(ask(count=1)["Cache-Control"].split(", "))
