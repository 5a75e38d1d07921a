"""`make roles` means what it says: the product acts as the user of its part, and what is denied to that is seen."""

import pytest
from django.core.management import call_command
from django.test import Client

from kiq_django import store as stores
from kiq_django.exceptions import StoreRefused
from tests import roles
from tests.support import wait_for


def who():
    return stores.get().link.call("ACL", "WHOAMI").decode()


@pytest.fixture(autouse=True)
def told(store):
    """Everybody may ask who he is."""
    with roles._owner(store.target.options["url"].removeprefix("unix://")) as owner:
        for user in owner.acl_users():
            owner.execute_command("ACL", "SETUSER", user, "+acl|whoami")


def test_a_job_in_a_worker(start, declare, push):
    found = []
    declare(lambda: found.append(who()), name="ask")
    push("ask")
    start()
    assert wait_for(lambda: found) == ["kiq-worker"]


def test_the_adapter_the_command_and_the_test(store, monkeypatch):
    found = []
    monkeypatch.setattr(type(store.queues), "push", lambda *_: found.append(who()))
    monkeypatch.setattr("kiq_django.api.Stats.__init__", lambda *_: found.append(who()))
    from kiq_django.adapters.redis import RedisAdapter

    RedisAdapter().push([])
    with pytest.raises(AttributeError):
        call_command("kiq", "stats")
    assert [*found, who()] == ["kiq-producer", "kiq-dashboard-write", "default"]


def test_requests_by_what_they_do(store, settings):
    settings.MIDDLEWARE = [f"{__name__}.asking"]
    assert Client().get("/").content == b"kiq-dashboard-read"
    assert Client().post("/").content == b"kiq-dashboard-write"


def asking(get_response):
    from django.http import HttpResponse

    return lambda request: HttpResponse(who())


def test_what_is_denied_is_seen(store):
    with roles._as("producer"), pytest.raises(StoreRefused):
        stores.get().queues.page("default", 0, 1)
    assert [entry[:2] for entry in roles.denied()] == [("lrange", "kiq-producer")]
