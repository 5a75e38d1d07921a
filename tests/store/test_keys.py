"""Names of keys: Sidekiq's to the letter, ours apart, none twice."""

import inspect
from itertools import combinations

import pytest

from kiq_django import conf
from kiq_django.store import Store, connections
from kiq_django.store.keys import SET_NAMES, Keys
from kiq_django.store.queues import Entry

SIDEKIQS = {
    "queues": "queues",
    "queue": "queue:a",
    "paused": "paused",
    "processes": "processes",
    "process": "i",
    "work": "i:work",
    "workers": "i:workers",
    "signals": "i-signals",
    "cleanup_guard": "process_cleanup",
    "metrics": "j|b",
    "run_histogram_7": "n-m",
    "run_histogram_8": "h|n-m",
    "marks": "d-marks",
    "mark_guard": "deploylock-l",
    "iteration": "it-j",
}
ARGUMENTS = {
    "queue": "a",
    "owner": "o",
    "jid": "j",
    "identity": "i",
    "bucket": "b",
    "name": "n",
    "minute": "m",
    "day": "d",
    "label": "l",
    "operation": "o",
}


def every_key(prefix: str = "") -> dict[str, str]:
    """Every key that can be asked for, by the question."""
    keys = Keys(prefix)
    found = {name: keys.job_set(name, "a") for name in SET_NAMES}
    found |= {f"stat {name} {day}": keys.stat(name, day) for name in ("processed", "failed") for day in ("", "d")}
    for name, method in inspect.getmembers(keys, inspect.ismethod):
        if name.startswith("_") or name in ("job_set", "stat"):
            continue
        found[name] = method(*[ARGUMENTS[parameter] for parameter in inspect.signature(method).parameters])
    return found


def test_sidekiqs_names():
    found = every_key()
    assert {name: found[name] for name in SIDEKIQS} == SIDEKIQS
    assert [found[name] for name in SET_NAMES] == ["schedule", "retry", "dead"]
    assert [Keys().stat("processed"), Keys().stat("failed", "2026-11-22")] == [
        "stat:processed",
        "stat:failed:2026-11-22",
    ]


def test_all_others_are_marked_as_ours():
    ours = {name: key for name, key in every_key().items() if name not in SIDEKIQS and name not in SET_NAMES}
    assert {key for key in ours.values() if not key.startswith(("kiq:", "stat:"))} == set()


def test_no_two_questions_have_one_answer():
    found = every_key()
    assert [pair for pair in combinations(found, 2) if found[pair[0]] == found[pair[1]]] == []


def test_the_prefix_is_before_each():
    plain = every_key()
    assert every_key("shop:") == {name: f"shop:{key}" for name, key in plain.items()}


@pytest.mark.parametrize("one", ["a", "a:b", "a:b:c"])
@pytest.mark.parametrize("other", ["a", "b", "a:b"])
def test_queues_with_colons_stay_apart(one, other):
    """The owner's random end makes sure, whatever the names of queues and hosts hold."""
    keys = Keys()
    if one != other:
        assert keys.working(one, "host:1:x:default:abc123") != keys.working(other, "host:1:x:default:def456")


@pytest.mark.strange_keys  # those of another prefix are strange to `store`
def test_a_prefixed_store_writes_nothing_else(store, server_url):
    prefixed = Store(connections.target(server_url), "shop:", conf.get().limits)
    prefixed.queues.push([Entry("a", b"job"), Entry("a", b"later", 5.0)])
    prefixed.working.register("me", ["a"], 0)
    assert prefixed.working.turn([], "me", ["a"], 1).taken == [("a", b"job")]
    prefixed.working.reclaim("a", "me", [(b"job", "j", b"dead")])
    prefixed.queues.pause("a", {})
    prefixed.sets.transfer("schedule", "dead", [])
    prefixed.processes.beat("i", {"info": "{}"}, {"t": b"{}"})
    prefixed.processes.signal(["i"], "TERM")
    prefixed.processes.prune()
    prefixed.counters.add_totals(1, 1, 1.5)
    names = store.link.call("KEYS", "*")
    assert len(names) > 12
    assert [name for name in names if not name.startswith(b"shop:")] == []
    assert (store.queues.names(), store.processes.count(), store.working.served()) == ([], 0, [])
