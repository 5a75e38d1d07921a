"""Lists of jobs: filters, search, and going on with a search."""

import pytest

PAGES = {"retry": "retryjob", "schedule": "scheduledjob", "dead": "deadjob"}


def address(place):
    return f"/admin/kiq/{PAGES[place]}/"


def jids(page):
    return [row.record.jid for row in page.context["cl"].result_list]


@pytest.mark.parametrize("place", PAGES)
def test_a_job_is_found_by_its_id_and_by_a_text(operator, put, put_many, place):
    put_many(place, 200)
    wanted = put(place, 30, args=["needle [1]*"])
    for text in (wanted.jid, "needle [1]*", "  needle "):
        page = operator.get(address(place), {"q": text})
        assert jids(page) == [wanted.jid]
        assert "all 201 jobs were searched" in page.content.decode()
    assert jids(operator.get(address(place), {"q": "needle 1"})) == []


@pytest.mark.parametrize("place", ["retry", "dead"])
def test_filters(viewer, put, place):
    timeout = put(place, 10, name="a", error_class="Timeout", queue="mail")
    crash = put(place, 20, name="b", error_class="Crash")
    for query, expected in (
        ({"job": "a"}, [timeout.jid]),
        ({"error": "Crash"}, [crash.jid]),
        ({"queue": "mail"}, [timeout.jid]),
        ({"job": "a", "error": "Crash"}, []),
    ):
        assert jids(viewer.get(address(place), query)) == expected, query


def test_due(viewer, put):
    overdue, soon, later = put("retry", -5), put("retry", 60), put("retry", 9_999_999)
    for due, expected in (("overdue", overdue), ("hour", soon), ("later", later)):
        assert jids(viewer.get(address("retry"), {"due": due})) == [expected.jid]


def test_a_search_goes_on(viewer, put_many, store):
    put_many("dead", 130)
    seen, query = [], {"q": "shop.jobs.pay"}
    for _ in range(3):
        page = viewer.get(address("dead"), query)
        seen += jids(page)
        query = {**query, "from": page.context["cl"].searched.next}
    assert len(set(seen)) == len(seen) == 130


@pytest.mark.parametrize("hostile", ["x", "' OR 1", "AAAA", "9" * 600])
def test_a_cursor_from_a_stranger(viewer, put, hostile):
    put("dead", -5)
    assert viewer.get(address("dead"), {"q": "a", "from": hostile}).status_code in (200, 302)


def test_unknown_parameters_lead_back(viewer, put):
    put("dead", -5)
    assert viewer.get(address("dead"), {"raw__contains": "x"}).status_code == 302
    assert viewer.get(address("dead"), {"p": "0x10"}).status_code == 200
    assert viewer.get(address("dead"), {"p": "99999999999999999999"}).status_code in (200, 302)


def test_bytes_that_are_no_job_are_shown(viewer, store):
    store.sets.add("dead", b"\xff<script>alert(1)</script>", 1e9)
    text = viewer.get(address("dead")).content.decode()
    assert "(not readable)" in text
    assert "<script>alert" not in text
