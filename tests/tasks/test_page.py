"""Tasks in the dashboard."""

import pytest

from kiq_django import store as stores
from tests.admin.conftest import boss, person  # noqa: F401 - fixtures
from tests.support import wait_for
from tests.tasks import sample

pytestmark = pytest.mark.django_db


def test_a_finished_task_has_its_page(store, start, boss):  # noqa: F811
    result = sample.add.enqueue(1)
    waiting = boss.get(f"/admin/kiq/job/{result.id}/")
    assert waiting.status_code == 200
    assert "tests.tasks.sample.add" in waiting.content.decode()
    start()
    wait_for(lambda: stores.get().records.read(result.id))
    page = boss.get(f"/admin/kiq/job/{result.id}/")
    assert page.status_code == 200
    assert "tests.tasks.sample.add" in page.content.decode()
