"""People see one queue with its lists: in the terminal, in the dashboard, in a check of the settings."""

import io
import json

import pytest
from django.core.management import call_command

from kiq_django import store as stores
from kiq_django.api import Queue
from kiq_django.api.situation import look
from kiq_django.api.why import explain_queue
from kiq_django.checks import connection
from kiq_django.payload import Payload
from kiq_django.store.queues import Entry


@pytest.fixture
def store(settings, server_url):
    queues = {"bulk": {"partitions": 2}, "default": 1}
    settings.KIQ = {**settings.KIQ, "REDIS": server_url, "ADAPTER": "redis", "QUEUES": queues}
    found = stores.get()
    found.link.call("FLUSHALL")
    made = [Payload.new("note", [number], {}, queue="bulk", retry=True, now=1.0) for number in range(4)]
    found.queues.push([Entry("bulk", payload.encode()) for payload in made])
    return found


def told(*options: str) -> str:
    out = io.StringIO()
    call_command("kiq", "queues", *options, stdout=out, no_color=True)
    return out.getvalue()


def test_the_terminal(store):
    rows = [line.split()[:2] for line in told().splitlines()]
    assert rows[1:] == [["bulk", "4"], ["bulk:0", "0"], ["bulk:1", "2"], ["bulk:2", "2"], ["default", "0"]]
    (bulk, default) = json.loads(told("--json"))
    assert (bulk["size"], bulk["lists"]) == (4, {"bulk:0": 0, "bulk:1": 2, "bulk:2": 2})
    assert "lists" not in default


def test_one_list_by_its_name(store):
    call_command("kiq", "move", "bulk:1", "default", "--yes", stdout=io.StringIO())
    assert (Queue("bulk").size, Queue("default").size) == (2, 2)


@pytest.mark.django_db
def test_the_page(store, admin_client):
    page = admin_client.get("/admin/kiq/queue/bulk/").content.decode()
    assert '<a href="/admin/kiq/queue/bulk:1/">bulk:1</a> 2' in page
    assert "In lists:" not in admin_client.get("/admin/kiq/queue/bulk:1/").content.decode()


def test_why_speaks_of_the_queue(store):
    assert [each.name for each in Queue("bulk").lists] == ["bulk:0", "bulk:1", "bulk:2"]
    answer = explain_queue("bulk", look(store))
    assert "bulk" in answer.verdict
    assert "bulk:1" not in answer.verdict


def test_a_check_names_an_unusable_server_of_a_queue(settings):
    settings.KIQ = {"REDIS": "redis://h", "ADAPTER": "redis", "QUEUES": {"mail": {"redis": "http://h"}}}
    (found,) = connection.redis()
    assert found.id == "kiq_django.E002"
    assert "KIQ['QUEUES']['mail']['redis']" in found.msg
