"""The first page."""

import pytest

PAGE = "/admin/kiq/overview/"
NOW = "/admin/kiq/overview/now/"
TABLES = "/admin/kiq/overview/tables/"


def test_a_new_project_is_told_three_steps(viewer):
    text = viewer.get(PAGE).content.decode()
    assert "Three steps" in text
    assert "python manage.py runworker" in text


def test_everything_at_a_glance(viewer, put, put_many, beat, store):
    beat("web-2:4121:aa")
    put_many("queue", 30)
    put("queue", queue="mailers")
    put("dead", -60)
    store.queues.pause("low", {"by": "ada", "at": 1.0})
    page = viewer.get(PAGE)
    text = page.content.decode()
    assert page.status_code == 200
    for expected in ("web-2:4121", "mailers", "unserved", "ada", "Throughput", "Needs attention"):
        assert expected in text
    assert page.context["numbers"].enqueued == 31
    assert page.context["numbers"].dead == 1


def test_every_range_is_a_chart(viewer):
    for name in ("1h", "24h", "7d", "30d", "<script>"):
        page = viewer.get(PAGE, {"range": name})
        assert page.status_code == 200
        assert "<svg" in page.content.decode()


@pytest.mark.parametrize("address", [NOW, TABLES])
def test_parts_are_fetched_again_and_again(viewer, put, address):
    put("schedule", 3600)
    first = viewer.get(address)
    assert first.status_code == 200
    assert "<html" not in first.content.decode()
    again = [viewer.get(address, headers={"If-None-Match": first.headers["ETag"]}) for _ in range(3)]
    if address == NOW:
        assert 304 in [each.status_code for each in again]


def test_it_takes_a_right(client, person):
    client.force_login(person("view_queue"))
    assert client.get(PAGE).status_code == 403
    assert client.get(NOW).status_code == 403


@pytest.mark.parametrize("address", ["/admin/kiq/", "/office/kiq/"])
def test_it_is_the_index_of_the_app(viewer, put, address):
    put("queue", queue="mailers")
    text = viewer.get(address).content.decode()
    assert "mailers" in text
    assert "Needs attention" in text
    assert f'data-kiq-live="{address}overview/now/"' in text


def test_the_index_without_redis_and_without_the_right(viewer, client, person, settings):
    settings.KIQ = {**settings.KIQ, "REDIS": "redis://127.0.0.1:1/0"}
    assert "cannot be reached" in viewer.get("/admin/kiq/").content.decode()
    client.force_login(person("view_queue"))
    assert "/admin/kiq/queue/" in client.get("/admin/kiq/").content.decode()
