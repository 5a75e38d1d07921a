"""A second server, started once; stores over it and over a cluster that begin empty."""

from collections.abc import Iterator

import pytest

from kiq_django import store as stores
from kiq_django.testing.server import launched
from tests.conftest import server_programs
from tests.worker.conftest import _own_jobs, declare, gate, push, start, waiting

__all__ = ["_own_jobs", "declare", "gate", "push", "start", "waiting"]


@pytest.fixture(autouse=True)
def _plain(settings):
    settings.KIQ = {**settings.KIQ, "FEATURES": []}


@pytest.fixture(scope="session")
def second_url() -> Iterator[str]:
    """Another server."""
    with launched(server_programs()[0]) as url:
        yield url


LAYOUTS = ("plain", "partitions", "tagged", "cluster", "several")


def kiq(layout: str, server_url: str, cluster_url: str = "", second_url: str = "") -> dict[str, object]:
    """What of `KIQ` says where jobs lie."""
    if layout == "partitions":
        return {"REDIS": server_url, "QUEUES": {"default": {"partitions": 3}, "mail": 1}}
    if layout == "tagged":
        return {"REDIS": {"url": server_url, "layout": "cluster"}}
    if layout == "cluster":
        return {
            "REDIS": {"url": cluster_url, "cluster": True},
            "QUEUES": {"default": {"partitions": 2}, "mail": 1, "other": 1},
        }
    if layout == "several":
        return {"REDIS": server_url, "QUEUES": {"default": 1, "mail": {"redis": second_url}}}
    return {"REDIS": server_url}


@pytest.fixture(params=LAYOUTS)
def store(request, settings, server_url):
    """An empty store in each layout."""
    layout = request.param
    cluster = request.getfixturevalue("cluster") if layout == "cluster" else None
    second = request.getfixturevalue("second_url") if layout == "several" else ""
    where = kiq(layout, server_url, cluster.url if cluster else "", second)
    settings.KIQ = {**settings.KIQ, **where, "ADAPTER": "redis"}
    if cluster:
        cluster.flush()
    found = stores.get()
    if not cluster:
        for each in found.servers():
            each.link.call("FLUSHALL")
    return found


@pytest.fixture
def several(settings, server_url, second_url):
    """The store of two empty servers, each with queues of its own."""
    settings.KIQ = {**settings.KIQ, **kiq("several", server_url, second_url=second_url), "ADAPTER": "redis"}
    found = stores.get()
    for each in found.servers():
        each.link.call("FLUSHALL")
    return found
