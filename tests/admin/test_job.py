"""The page of one job, wherever it is."""

import pytest

from kiq_django import clock
from kiq_django.admin import jsontree, traces


def page_of(jid):
    return f"/admin/kiq/job/{jid}/"


@pytest.mark.parametrize("place", ["queue", "schedule", "retry", "dead"])
def test_a_job_is_found_wherever_it_is(operator, put, place):
    payload = put(place, 60 if place != "dead" else -60, args=[42, {"to": "x", "password": "canary"}])
    page = operator.get(page_of(payload.jid))
    text = page.content.decode()
    assert page.status_code == 200
    assert payload.jid in text
    assert "42" in text
    assert "canary" not in text


def test_arguments_are_private(viewer, put):
    payload = put("dead", -5, args=["canary"], error_class="x.Boom", error_message="token=canary")
    text = viewer.get(page_of(payload.jid)).content.decode()
    assert "canary" not in text
    assert "x.Boom" in text


def test_a_job_that_nobody_knows(viewer):
    page = viewer.get(page_of("ffffffffffffffffffffffff"))
    assert page.status_code == 200
    assert "No job of this id" in page.content.decode()


def test_the_search_leads_to_the_page(viewer):
    assert viewer.get("/admin/kiq/job/").status_code == 200
    assert viewer.get("/admin/kiq/job/", {"q": " 9f1c "}).url == page_of("9f1c")
    assert viewer.get("/admin/kiq/job/", {"q": "a/b"}).status_code == 302


def test_links_of_the_settings_hold_what_is_known(viewer, put, settings):
    settings.KIQ = {
        **settings.KIQ,
        "DASHBOARD": {"log_link": "https://logs.example/?q={jid}", "trace_link": "/t/{trace_id}"},
    }
    payload = put("dead", -5, jid="a&b")
    text = viewer.get(page_of(payload.jid)).content.decode()
    assert "https://logs.example/?q=a%26b" in text
    assert "/t/" not in text


def test_a_tree_is_bounded_and_exact():
    root = jsontree.tree({"big": 90071992547409931, "list": list(range(10_000)), "none": None, "<b>": "<i>"})
    assert [child.text for child in root.children if child.kind == "n"] == ["90071992547409931"]
    shown = next(child for child in root.children if child.key == "list")
    assert len(shown.children) <= jsontree.MOST_NODES + 1
    assert shown.children[-1].kind == "cut"


def test_library_frames_are_folded():
    lines = [
        "/srv/shop/billing/gateway.py:88:in `charge`",
        "/venv/lib/python3.11/site-packages/requests/api.py:59:in `request`",
        "/venv/lib/python3.11/site-packages/requests/api.py:60:in `get`",
        "no frame at all",
    ]
    found = traces.stretches(lines)
    assert [(part.is_project, len(part.frames)) for part in found] == [(True, 1), (False, 2), (True, 1)]
    assert found[0].frames[0] == traces.Frame("/srv/shop/billing/gateway.py", "88", "charge", True)


def test_the_time_of_a_job_is_shown(viewer, put):
    payload = put("schedule", 3600, created_at=clock.now() - 10)
    text = viewer.get(page_of(payload.jid)).content.decode()
    assert "<time" in text


@pytest.fixture
def with_result(put, store):
    payload = put("dead", -5)
    key = store.keys.job("", payload.jid)
    store.link.call("HSET", key, "kept", 60, "place", "done", "result", b'{"total": 4711, "password": "canary"}')
    return payload.jid


def test_a_result_is_shown(operator, with_result):
    text = operator.get(page_of(with_result)).content.decode()
    assert "4711" in text
    assert "canary" not in text


def test_results_are_private_as_arguments_are(viewer, with_result):
    text = viewer.get(page_of(with_result)).content.decode()
    assert "Results are private" in text
    assert "4711" not in text


def test_progress(operator, running, beat, store):
    payload, entry = running()
    beat(work={"1": entry})
    store.results.tell(payload.jid, b'{"done": 37, "total": 100, "text": "page 37", "at": 1.5, "attempt": 1}')
    text = operator.get(page_of(payload.jid)).content.decode()
    assert '<progress class="kiq-progress" aria-labelledby="kiq-progress" max="100.0" value="37.0">' in text
    assert "page 37" in text
