"""The Lua scripts: what they may do, and that each one runs whatever state the server is in."""

import re
from collections.abc import Iterator

import pytest

from kiq_django.exceptions import StoreRefused
from kiq_django.store import Store, records, scripts
from kiq_django.store.queues import Entry
from kiq_django.store.server import ServerInfo
from kiq_django.store.sets import Promotion, Transfer
from kiq_django.store.tasks import TaskEntry
from kiq_django.store.working import Batch, Move
from tests import faults

ALL, FIRST, NONE = slice(None), slice(1), slice(0)
COMMANDS = {
    "DEL": ALL,
    "EXISTS": FIRST,
    "EXPIRE": FIRST,
    "GET": FIRST,
    "HDEL": FIRST,
    "HEXISTS": FIRST,
    "HGET": FIRST,
    "HGETALL": FIRST,
    "HINCRBY": FIRST,
    "HLEN": FIRST,
    "HMGET": FIRST,
    "HSET": FIRST,
    "HSETNX": FIRST,
    "INCR": FIRST,
    "LLEN": FIRST,
    "LPUSH": FIRST,
    "LPOS": FIRST,
    "LRANGE": FIRST,
    "LREM": FIRST,
    "LSET": FIRST,
    "LTRIM": FIRST,
    "RPOP": FIRST,
    "RPUSH": FIRST,
    "SADD": FIRST,
    "SET": FIRST,
    "SISMEMBER": FIRST,
    "SREM": FIRST,
    "TIME": NONE,
    "TYPE": FIRST,
    "UNLINK": ALL,
    "ZADD": FIRST,
    "ZCARD": FIRST,
    "ZCOUNT": FIRST,
    "ZRANGE": FIRST,
    "ZRANGEBYSCORE": FIRST,
    "ZREM": FIRST,
    "ZREMRANGEBYRANK": FIRST,
    "ZREMRANGEBYSCORE": FIRST,
    "ZSCORE": FIRST,
}
"""What Redis 6.2, Valkey and Dragonfly all have, and which of the arguments are keys."""
KEY = re.compile(r"KEYS\[(?:[^\[\]]|\[[^\[\]]*\])+\]")
NOT_COMMON = {
    "a parser of payloads": r"\b(cjson|cmsgpack\.unpack|struct)\b",
    "another door to commands": r"\bredis\.(?!call\b)",
    "globals that one of the versions lacks": r"\b(setfenv|getfenv|loadstring|load|dofile|bit|goto|table\.unpack)\b",
    "operators of Lua 5.3": r"//|<<|>>|&|\||~(?!=)",
}


# --- the text ---


def code(name: str) -> str:
    """A script without its comments and texts that could be taken for code."""
    return re.sub(r"--.*", "", scripts.load(name, False).text)


def parts(text: str) -> list[str]:
    """Split at the commas that are in no brackets."""
    found, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            found.append("")
        else:
            found[-1] += character
    return [part.strip() for part in found]


def calls(text: str) -> Iterator[list[str]]:
    """The arguments of every `redis.call`."""
    for match in re.finditer(r"redis\.call\(", text):
        depth, end = 1, match.end()
        while depth:
            depth += (text[end] == "(") - (text[end] == ")")
            end += 1
        yield parts(text[match.end() : end - 1])


def names_of_keys(text: str) -> set[str]:
    """Locals that are nothing but one of KEYS."""
    keys, others = set(), set()
    for left, right in re.findall(r"^\s*(?:local )?([\w, ]+?) = (.+)$", text, re.MULTILINE):
        for name, value in zip(parts(left), parts(right), strict=False):
            (keys if value.startswith("KEYS[") else others).add(name)
    return keys - others


def faults_of(text: str) -> list[str]:
    """What a script touches that it may not: commands off the list, keys that were not declared."""
    declared = names_of_keys(text)
    found = list(calls(text))
    wrong = ["a call in disguise"] * (text.count("redis.") - len(found))
    for command, *arguments in found:
        places = COMMANDS.get(command.strip("'"))
        if places is None:
            wrong.append(command)
            continue
        wrong += [key for key in arguments[places] if key not in declared and not KEY.fullmatch(key)]
    return wrong


@pytest.mark.parametrize("name", scripts.names())
def test_only_known_commands_and_declared_keys(name):
    assert faults_of(code(name)) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("redis.call('KEYS', '*')", ["'KEYS'"]),
        ("redis.call('SADD', 'queues', KEYS[1])", ["'queues'"]),
        ("redis.call('DEL', KEYS[1], KEYS[2] .. ARGV[1])", ["KEYS[2] .. ARGV[1]"]),
        ("local a, b = KEYS[1], ARGV[1]\nredis.call('LREM', b, 1, a)", ["b"]),
        ("local a = KEYS[1]\na = ARGV[1]\nredis.call('LLEN', a)", ["a"]),
        ("redis.call(ARGV[1], KEYS[1])", ["ARGV[1]"]),
        ("redis.pcall('LLEN', KEYS[1])", ["a call in disguise"]),
    ],
)
def test_this_judge_is_not_blind(text, wrong):
    assert faults_of(text) == wrong


@pytest.mark.parametrize("name", scripts.names())
@pytest.mark.parametrize("what", NOT_COMMON)
def test_written_in_what_all_servers_have(name, what):
    assert not re.search(NOT_COMMON[what], re.sub(r"'[^']*'", "''", code(name)))


@pytest.mark.parametrize("name", scripts.names())
def test_it_opens_with_a_table_of_what_goes_in_and_out(name):
    head = scripts.load(name, False).text.partition("\nlocal ")[0].partition("\nredis.")[0]
    assert all(f"\n-- {word}" in head for word in ("KEYS ", "ARGV ", "Returns "))


def test_the_flags_are_for_servers_that_know_them():
    plain, flagged = scripts.load("settle", False), scripts.load("settle", True)
    assert flagged.text == scripts.SHEBANG + plain.text
    assert scripts.load("search", True).text == scripts.SHEBANG_OF_READERS + scripts.load("search", False).text
    assert flagged.sha != plain.sha


# --- each at work ---


def lease(store):
    store.working.register("me", ["a", "b"], 1)
    yield
    assert store.working.renew("me", ["a", "b"], 30)


def reserve(store):
    store.working.register("me", ["a"], 30)
    store.queues.push([Entry("a", b"job")])
    yield
    assert store.working.turn([], "me", ["a"], 1).taken == [("a", b"job")]


def settle(store):
    verbs = ("bury", "retry", "schedule", "requeue", "end")
    store.link.call("LPUSH", store.keys.working("a", "me"), "ack", *verbs)
    run = records.Attempt(1.5, 0.5, "host:1:a", "E", "message", "a.py:1 in b", ("a.py:1:in `b`",))
    notes = [records.failed(verb, "dead", "job", "a", 0, run) for verb in verbs]
    moves = [Move(verb, verb.encode(), 0, verb.encode(), note) for verb, note in zip(verbs, notes, strict=True)]
    yield
    assert store.working.turn([Batch("me", "a", [b"ack"], moves)], "me", [], 0).settled == [b"111111"]
    assert [len(store.records.read(verb).attempts) for verb in verbs] == [1] * 5
    assert store.working.held("me", ["a"]) == []


def expired(store):
    store.working.register("me", ["a"], 0)
    yield
    assert store.working.expired(["a"]) == [("a", "me")]


def reclaim(store):
    store.working.register("me", ["a"], 0)
    store.link.call("LPUSH", store.keys.working("a", "me"), b"job", b"killer")
    store.link.call("SET", store.keys.recovered("a", "k"), 2)
    yield
    assert store.working.reclaim("a", "me", [(b"killer", "k", b"dead"), (b"job", "j", b"dead")]) == "21"
    assert store.queues.page("a", 0, 9) == [b"job"]


def isolate(store):
    store.working.register("me", ["a"], 0)
    store.link.call("LPUSH", store.keys.working("a", "me"), b"new", b"suspect")
    store.link.call("SET", store.keys.recovered("a", "s"), 1)
    yield
    assert store.suspects.isolate("a", "me", [(b"suspect", "s"), (b"new", "n")], 60) == 1
    assert store.suspects.sizes(["a"]) == {"a": 1}


def let_out(store):
    store.link.call("LPUSH", store.keys.suspects("a"), b"first", b"second")
    yield
    assert [store.suspects.let_out(["a"]) for _ in range(2)] == ["a", ""]
    assert store.queues.page("a", 0, 9) == [b"first"]
    store.queues.remove("a", b"first")
    assert store.suspects.let_out(["a"]) == "a"
    assert store.queues.page("a", 0, 9) == [b"second"]


def retire(store):
    store.working.register("me", ["a"], 30)
    store.link.call("LPUSH", store.keys.working("a", "me"), b"job")
    yield
    assert store.working.retire("me", ["a"]) == 1


def due(store):
    store.sets.add("retry", b"job", 1)
    yield
    assert store.sets.due("retry", 1) == [b"job"]


def promote(store):
    store.sets.add("retry", b"job", 1)
    yield
    assert store.sets.promote("retry", [Promotion(b"job", "a", b"job")]) == [True]
    assert store.queues.names() == ["a"]


def transfer(store):
    store.sets.add("retry", b"job", 1)
    store.queues.push([Entry("a", b"waiting")])
    yield
    assert store.sets.transfer("retry", "dead", [Transfer(b"job", b"job")]) == [True]
    assert store.sets.transfer_from_queue("a", "dead", [Transfer(b"waiting", b"job2")]) == [True]


def beat(store):
    store.processes.signal(["h:1:a"], "TSTP")
    yield
    assert store.processes.beat("h:1:a", {"info": "{}"}, {"t": b"{}"}) == "TSTP"
    assert store.processes.count() == 1


def leave(store):
    store.processes.beat("h:1:a", {"info": "{}"}, {"t": b"{}"})
    yield
    store.processes.leave("h:1:a")
    assert store.processes.count() == 0


SCENES = {
    scene.__name__: scene
    for scene in (
        *(lease, reserve, settle, expired, reclaim, isolate, let_out, retire),
        *(due, promote, transfer, beat, leave),
    )
}
"""One a script: all before the last `yield` is preparation."""


def claim(store):
    store.operations.start("o", {}, 1.0)
    yield
    assert store.operations.claim("o", "me").fields["state"] == "running"


def begin(store):
    yield
    assert store.operations.start("o", {"verb": "retry"}, 1.0)
    assert not store.operations.start("o", {"verb": "kill"}, 2.0)


def cancel(store):
    store.operations.start("o", {}, 1.0)
    yield
    assert store.operations.cancel("o", "me")


def stretch(store):
    for number in (b"1", b"2", b"3"):
        store.sets.add("retry", number, 7)
    yield
    page = store.operations.set_walk("retry", 1, 9).read(b"7 1", 2)
    assert [each.raw for each in page.found] == [b"2", b"3"]


def remove(store):
    store.sets.add("retry", b"job", 1)
    yield
    assert store.link.script("remove", ["retry"], [b"job", b"none"]) == b"10"


def pluck(store):
    store.queues.push([Entry("a", raw) for raw in (b"1", b"2", b"3")])
    yield
    assert store.link.script("pluck", ["queue:a"], [0, 9, "", 0, 0, "", "x", b"2", "", ""]) == b"1"
    assert store.queues.page("a", 0, 9) == [b"1", b"3"]


def clear(store):
    store.queues.push([Entry("a", b"job"), Entry("a", b"job2")])
    yield
    assert store.queues.clear("a") == 2
    assert store.queues.names() == []


def measure(store):
    store.sets.add("retry", b"job", 1)
    store.queues.push([Entry("a", b"job")])
    yield
    assert store.operations.measure(store.operations.list_walk("a", 9))[1] == 1
    assert store.operations.measure(store.operations.set_walk("retry", 0.0, 0.5))[1] == 0
    assert store.operations.measure(store.operations.set_walk("retry", 0.0, 1.0))[1] == 1


SCENES |= {scene.__name__: scene for scene in (begin, claim, cancel, stretch, remove, pluck, clear, measure)}


def search(store):
    store.sets.add("retry", b"job", 1)
    yield
    window = store.search.window(store.search.job_set("retry"), [[b"ob"]], 1)
    assert [(hit.raw, hit.score) for hit in window.hits] == [(b"job", 1.0)]


def locate(store):
    store.queues.push([Entry("a", b'{"enqueued_at":%d}' % second) for second in (1, 2, 3)])
    yield
    assert store.search.locate(["a"], 2.0) == [(1, 3)]


SCENES |= {scene.__name__: scene for scene in (search, locate)}


def enter(store):
    store.queues.push([Entry("a", b"1"), Entry("a", b"2")])
    yield
    store.tasks.enter([TaskEntry(Entry("a", b'{"django_task":{"priority":5}}'), "j", 5)])
    assert store.queues.page("a", 0, 9) == [b'{"django_task":{"priority":5}}', b"1", b"2"]
    store.tasks.enter([TaskEntry(Entry("a", b"later", 7.5), "k", 5)])
    assert store.sets.page("schedule", 0, 9) == [(b"later", 7.5)]
    assert store.tasks.read("k").payload == b"later"


def push(store):
    yield
    store.deliveries.push_once(["j", "k"], [Entry("a", b"1"), Entry("a", b"later", 7.5)])
    assert store.deliveries.push_once(["j", "l"], [Entry("a", b"1"), Entry("a", b"2")]) == [False, True]
    assert store.queues.page("a", 0, 9) == [b"1", b"2"]
    assert store.sets.page("schedule", 0, 9) == [(b"later", 7.5)]
    keys = [store.keys.queues(), store.keys.queue("b"), store.keys.job_set("schedule")]
    assert store.link.script("push", keys, ["b", b"alone", ""]) == 1


def tell(store):
    yield
    assert store.link.script("tell", [], ["101"]) == b"101"


SCENES |= {scene.__name__: scene for scene in (enter, push, tell)}


@pytest.fixture(params=scripts.names())
def scene(request, store):
    """What a script needs is there; `next` runs the rest, and looks at what came of it."""
    return SCENES[request.param]


def play(scene, store: Store, between=lambda: None) -> None:
    """Run a scene, and something before each of its parts but the first."""
    for _ in scene(store):
        between()


def test_it_survives_a_flush(scene, store):
    play(scene, store)
    store.link.call("FLUSHALL")
    play(scene, store, lambda: store.link.call("SCRIPT", "FLUSH"))


def test_it_works_on_a_full_server(scene, store):
    steps = scene(store)
    next(steps)
    writes = scene.__name__ in scripts.WRITERS
    with faults.full(store.link.client, drains=not writes):
        if writes:
            with pytest.raises(StoreRefused):
                list(steps)
        else:
            assert list(steps) == []


def test_it_works_as_servers_without_flags_get_it(scene, store, monkeypatch):
    monkeypatch.setattr(ServerInfo, "supports_shebang", False)
    play(scene, store)
    known = {name: scripts.load(name, False).sha for name in scripts.names()}
    assert store.link.call("SCRIPT", "EXISTS", known[scene.__name__]) == [1]
