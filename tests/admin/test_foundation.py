"""What all pages share."""

import pytest
from django.contrib.auth.models import Permission

DEAD = "/admin/kiq/deadjob/"


def test_migrating_makes_the_permissions(db):
    found = set(Permission.objects.filter(content_type__app_label="kiq").values_list("codename", flat=True))
    assert {"view_queue", "pause_queue", "view_deadjob", "delete_deadjob", "retry_job", "view_job_args"} <= found
    assert not {name for name in found if name.startswith(("add_", "change_"))}


@pytest.mark.parametrize("address", [DEAD, "/office/kiq/deadjob/"])
def test_a_list_is_the_admins_own(boss, put, address):
    put("dead", -5, name="shop.jobs.<b>pay</b>")
    page = boss.get(address)
    assert page.status_code == 200
    assert b"shop.jobs.&lt;b&gt;pay&lt;/b&gt;" in page.content
    assert b'id="changelist"' in page.content


def test_pages_are_read_through(boss, put_many):
    put_many("dead", 120)
    assert boss.get(DEAD, {"p": 3}).context["cl"].result_count == 120
    assert len(boss.get(DEAD, {"p": 3}).context["cl"].result_list) == 20


def test_nobody_without_the_right_sees_a_page(client, person):
    assert client.get(DEAD).status_code == 302
    client.force_login(person())
    assert client.get(DEAD).status_code == 403


def test_redis_away_is_a_page_and_no_error(boss, settings):
    settings.KIQ = {**settings.KIQ, "REDIS": "redis://127.0.0.1:1/0"}
    page = boss.get(DEAD)
    assert page.status_code == 503
    assert b"cannot be reached" in page.content
