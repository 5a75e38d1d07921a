"""What is told of the servers themselves: of each, and of each node of a cluster."""

import logging

import pytest

from kiq_django import store as stores
from kiq_django.api.attention import attention
from kiq_django.api.diagnosis import server
from kiq_django.api.redis_box import RedisBox
from kiq_django.api.redis_points import judge
from kiq_django.api.why import why_queue
from kiq_django.exceptions import ConfigurationError
from kiq_django.worker.config import WorkerConfig
from kiq_django.worker.os_signals import SignalPipe
from kiq_django.worker.runner import Runner
from kiq_django.worker.vigil import Vigil
from tests import faults
from tests.fleet.conftest import kiq
from tests.support import round_trips


@pytest.fixture
def several(settings, server_url, second_url):
    settings.KIQ = {**settings.KIQ, **kiq("several", server_url, second_url=second_url), "ADAPTER": "redis"}
    found = stores.get()
    for each in found.servers():
        each.link.call("FLUSHALL")
    found.queues.pause("default", {})
    found.queues.pause("mail", {})
    return found


@pytest.fixture
def second(several):
    return several.servers()[1].link.client


@pytest.fixture
def masters(settings, cluster):
    cluster.flush()
    settings.KIQ = {**settings.KIQ, **kiq("cluster", "", cluster.url), "ADAPTER": "redis"}
    return stores.get()


@pytest.fixture
def evicting(cluster):
    """One node of the cluster, and not the one that is asked first."""
    node = cluster.node(2)
    node.config_set("maxmemory-policy", "allkeys-lru")
    yield f"127.0.0.1:{cluster.ports[2]}"
    node.config_set("maxmemory-policy", "noeviction")


def test_each_server_has_its_box(several):
    boxes = RedisBox.read_all()
    assert [box.label for box in boxes] == [str(each.target) for each in several.servers()]
    assert RedisBox.read().label == boxes[0].label


def test_each_server_costs_two_round_trips(several):
    RedisBox.read_all()
    with round_trips() as sent:
        RedisBox.read_all()
    assert len(sent) == 4


def test_each_node_of_a_cluster_has_its_box(masters, cluster):
    boxes = RedisBox.read_all()
    assert sorted(box.label for box in boxes) == sorted(f"127.0.0.1:{port}" for port in cluster.ports)
    assert {(box.kind, box.prefix, box.place) for box in boxes} == {("cluster", "", str(masters.target))}
    assert {box.server.mode for box in boxes} == {"cluster"}


def test_a_cluster_that_the_settings_name_as_one_is_fine(masters, settings, cluster):
    assert not [point for box in RedisBox.read_all() for point in judge(box) if point.level == "error"]
    settings.KIQ = {**settings.KIQ, "REDIS": cluster.url, "QUEUES": ["default"]}
    (point,) = [point for point in judge(RedisBox.read()) if point.level == "error"]
    assert "cluster mode" in point.text
    assert '"cluster": True' in point.remedy


def test_what_is_wrong_with_one_server_is_told_of_it_alone(several, second):
    name = str(several.servers()[1].target)
    with faults.full(second):
        refused = [point for point in attention().findings if point.code == "redis_full"]
        answers = {
            queue: {point.code: point.level for point in why_queue(queue).points} for queue in ("default", "mail")
        }
    assert [point.text.partition(": Redis is full")[0] for point in refused] == [name]
    assert answers["default"]["redis_writable"] == "ok"
    assert answers["mail"]["redis_full"] == "error"


def test_one_node_that_throws_keys_away_is_enough(masters, evicting):
    found = [finding for finding in server(masters) if finding.topic == "eviction" and finding.level == "error"]
    assert len(found) == 1
    runner = Runner(WorkerConfig(capsules=[]), stores.get, SignalPipe())
    with pytest.raises(ConfigurationError, match="throws keys away"):
        runner.run()


def test_a_worker_sees_any_node_begin_to(masters, evicting, caplog):
    caplog.set_level(logging.INFO, "kiq_django")
    vigil = Vigil(masters)
    vigil.tick()
    vigil.tick()
    (record,) = caplog.records
    assert evicting in record.getMessage()


def test_the_dashboard_shows_them_all(several, admin_client):
    page = admin_client.get("/admin/kiq/overview/tables/")
    for each in several.servers():
        assert str(each.target) in page.content.decode()
