"""A fleet answers for every part of a store: what a part can do is done over all islands, or said to be at home."""

import inspect

import pytest

from kiq_django import store as stores
from kiq_django.store import Store
from tests.fleet.conftest import kiq

AT_HOME = {"alink", "deploys", "glance", "ledger", "link", "metrics", "sidekiq_metrics", "totals", "unroutable"}
"""Of no queue, and so kept at one place."""
AT_HOME_TOO = {
    "processes.beat", "processes.ping", "others.note", "flow.write", "flow.read", "groups.claim", "groups.write",
    "groups.forget", "operations.start", "operations.ids", "operations.open", "operations.read", "operations.cancel",
    "operations.claim", "operations.note", "operations.counted", "sets.kept",
}  # fmt: skip
OF_ISLANDS = {"sets.promotion", "sets.transferral", "operations.plucked", "working.settlement", "working.expired"}
"""Asked of an island, or by way of another method."""


def methods(kind: type) -> set[str]:
    return {name for name, found in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


@pytest.fixture
def fleet(settings, server_url, second_url):
    settings.KIQ = {**settings.KIQ, **kiq("several", server_url, second_url=second_url)}
    return stores.get()


def test_every_method_of_every_part(fleet):
    plain = Store(fleet.target, "", stores.conf.get().limits)
    missing = set()
    for name, part in vars(plain).items():
        kind = type(part)
        if not kind.__module__.startswith("kiq_django.store.") or name in {*AT_HOME, "target", "keys"}:
            continue
        own = vars(type(getattr(fleet, name)))
        missing |= {f"{name}.{method}" for method in methods(kind) if method not in own}
    assert missing - AT_HOME_TOO - OF_ISLANDS == set(), "say in store/fleet what they are over several islands"
