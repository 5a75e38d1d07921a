"""What Dragonfly and clusters demand of every call, seen in what is sent: known commands, declared keys, one slot."""

import re

import pytest
from redis.crc import key_slot

from kiq_django import store as stores
from kiq_django.store import scripts
from tests.fleet import test_everywhere as everywhere
from tests.fleet.conftest import kiq
from tests.fleet.monitor import watched
from tests.security import audit

UNSUPPORTED = {
    "bgrewriteaof", "copy", "failover", "fcall", "fcall_ro", "function", "lolwut", "migrate", "monitor", "object",
    "pfdebug", "pfselftest", "randomkey", "reset", "sort_ro", "swapdb", "waitaof", "readonly", "readwrite",
    "client info", "client kill", "client no-evict", "client no-touch", "client reply", "client trackinginfo",
    "command docs", "command getkeys", "command list", "config rewrite", "script flush", "script kill", "memory stats",
}  # fmt: skip
"""By Dragonfly's table of compatibility (2026), as far as anybody might reach for it."""
DETECTED = {"client unblock", "wait", "asking"}
"""Missing there, and done without: a waiter ends by its socket, replicas are not waited for, no slot moves."""
FAMILIES = {"client", "command", "config", "script", "memory", "cluster"}
TWO_KEYS = {"lmove", "blmove"}
ALL_KEYS = {"del", "unlink", "exists", "mget"}

STORIES = [
    everywhere.test_a_failed_job_comes_back_to_its_queue,
    everywhere.test_a_retry_in_another_queue,
    everywhere.test_what_a_dead_owner_held_comes_back,
    everywhere.test_scheduled_jobs_come_to_their_queues,
    everywhere.test_a_search_in_sets_and_queues,
    everywhere.test_acting_on_jobs_of_sets,
    everywhere.test_acting_on_jobs_of_queues,
    everywhere.test_pause,
    everywhere.test_figures,
]


def whole_name(words: list[str]) -> str:
    name = words[0].lower()
    return f"{name} {words[1].lower()}" if name in FAMILIES else name


def keys_of(words: list[str]) -> list[str]:
    """The keys of a plain command."""
    name = words[0].lower()
    if len(words) < 2 or name in FAMILIES | {
        "ping",
        "info",
        "hello",
        "select",
        "multi",
        "exec",
        "time",
        "monitor",
        "auth",
    }:
        return []
    if name in ALL_KEYS:
        return words[1:]
    if name == "mset":
        return words[1::2]
    return words[1:3] if name in TWO_KEYS else words[1:2]


@pytest.fixture(params=["plain", "tagged"])
def store(request, settings, server_url):
    settings.KIQ = {
        **settings.KIQ,
        **kiq(request.param, server_url),
        "ADAPTER": "redis",
        "FEATURES": ["kiq_django.features.metrics", "kiq_django.features.operations"],
    }
    found = stores.get()
    found.link.call("FLUSHALL")
    return found


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__.removeprefix("test_"))
def test_every_call(store, story, request):
    is_tagged = store.target.layout == "cluster"
    names = story.__code__.co_varnames[: story.__code__.co_argcount]
    given = {name: store if name == "store" else request.getfixturevalue(name) for name in names}
    with watched(store.link.client) as calls:
        story(**given)
    assert len(calls) > 10
    for call in calls:
        for words in (call.words, *call.inner):
            assert whole_name(words) not in UNSUPPORTED, words
        touched = {key for words in call.inner for key in keys_of(words)}
        assert touched <= set(call.keys), f"a script touched keys that it did not declare: {call.words[:2]}"
        keys = call.keys if call.is_script else keys_of(call.words)
        if is_tagged:
            assert len({key_slot(key.encode()) for key in keys}) <= 1, f"keys of several slots: {call.words[:9]}"
    assert any(call.inner for call in calls)


@pytest.mark.parametrize("name", scripts.names())
def test_every_script_is_written_for_both_luas(name):
    text = (scripts.FOLDER / f"{name}.lua").read_text()
    code = re.sub(r"--[^\n]*", "", text)
    for word in ("setfenv", "getfenv", "loadstring", "table.getn", "math.pow", "redis.log", "setresp", "bit."):
        assert word not in code, word
    assert not re.search(r"//|~=\s*nil\s*//|<<|>>|\bgoto\b", code)
    for function, arguments in audit.calls_of(scripts.FOLDER / f"{name}.lua"):
        if function == "call":
            assert arguments[0].strip("'").lower() not in UNSUPPORTED


@pytest.mark.parametrize("path", audit.sources(), ids=lambda path: path.stem)
def test_no_command_is_named_that_is_missing(path):
    known = frozenset(name.upper() for name in UNSUPPORTED if " " not in name) - {"RESET", "OBJECT", "COPY", "FUNCTION"}
    assert audit.commands_of(path, known) == set()
