"""Operations as Redis holds them: one runner at a time, chunks all or nothing, walks that can stop anywhere."""

import random

import pytest

from kiq_django.store import scripts
from kiq_django.store.operations import Chunk, Stretch
from kiq_django.store.queues import Entry
from kiq_django.store.server import ServerInfo
from kiq_django.store.sets import Promotion, Transfer
from tests import faults
from tests.store.test_scripts import NOT_COMMON, faults_of

MOVES = ("promote", "transfer", "remove", "pluck")


@pytest.fixture
def started(store):
    """An operation that `me` runs."""
    store.operations.start("o", {"size": "9"}, 1.0)
    assert store.operations.claim("o", "me")


def chunk(runner="me", **fields):
    return Chunk("o", runner, **{"cursor": b"here", "stride": 7, "looked_at": 2, "skipped": 1, **fields})


def fields(store):
    return store.operations.read(["o"], ["state", "done", "gone", "looked_at", "skipped", "error"])[0]


# --- scripts inside of a script ---


def test_a_chunk_is_judged_as_other_scripts_are():
    text = (scripts.FOLDER / "around" / "chunk.lua").read_text()
    code = "\n".join(line.partition("--")[0] for line in text.splitlines())
    assert faults_of(code) == []
    assert not [what for what, pattern in NOT_COMMON.items() if __import__("re").search(pattern, code)]


@pytest.mark.parametrize("move", MOVES)
def test_a_chunk_holds_the_move_as_it_is(move):
    inside = scripts.load(f"chunk/{move}", True).text
    assert inside.startswith(scripts.SHEBANG + "local function move(KEYS, ARGV)\n")
    assert scripts.load(move, False).text in inside


def everything(store):
    """One chunk of each kind of move. Returns what came of them."""
    for name in ("retry", "dead"):
        store.sets.add(name, b"job", 1)
    store.queues.push([Entry("a", raw) for raw in (b"1", b"2", b"3", b"4")])
    yield
    moves = store.operations
    where = Stretch("a", 0, 4)
    answers = [
        moves.note(chunk()),
        moves.promote(chunk(), "retry", [Promotion(b"job", "b", b"new"), Promotion(b"none", "b", b"none")]),
        moves.transfer(chunk(), "dead", "retry", [Transfer(b"job", b"job", 5.0)]),
        moves.remove(chunk(), "retry", [b"job"]),
        moves.pluck(chunk(), where, [Transfer(b"3", b"")], None),
        moves.pluck(chunk(), where, [Transfer(b"1", b"9", 7.0)], "schedule"),
        moves.divert(chunk(), where, [Transfer(b"2", b"8")], "b"),
    ]
    assert answers == [[], [True, False], [True], [True], [True], [True], [True]]
    assert store.queues.page("a", 0, 9) == [b"4"]
    assert store.queues.page("b", 0, 9) == [b"new", b"8"]
    assert store.queues.names() == ["a", "b"]
    assert store.sets.page("schedule", 0, 9) == [(b"9", 7.0)]
    assert fields(store) == {"state": "running", "done": "6", "gone": "1", "looked_at": "14", "skipped": "7"}
    assert store.operations.claim("o", "me").cursor == b"here"


@pytest.mark.usefixtures("started")
class TestChunks:
    def test_each_move(self, store):
        list(everything(store))

    def test_on_a_server_that_forgets_scripts(self, store):
        steps = everything(store)
        next(steps)
        store.link.call("SCRIPT", "FLUSH")
        assert list(steps) == []

    def test_on_a_full_server(self, store):
        steps = everything(store)
        next(steps)
        with faults.full(store.link.client, drains=True):
            assert list(steps) == []

    def test_on_servers_without_flags(self, store, monkeypatch):
        monkeypatch.setattr(ServerInfo, "supports_shebang", False)
        list(everything(store))

    @pytest.mark.parametrize("runner", ["you", "me"])
    def test_only_its_runner_may(self, store, runner):
        store.sets.add("retry", b"job", 1)
        if runner == "me":
            store.operations.cancel("o", "somebody")
        assert store.operations.remove(chunk(runner), "retry", [b"job"]) is None
        assert store.sets.count("retry") == 1
        assert "looked_at" not in fields(store)

    @pytest.mark.parametrize("end", ["done", "failed"])
    def test_the_last_one(self, store, end):
        assert store.operations.note(chunk(end=end, error="why")) == []
        assert store.operations.open() == []
        assert (fields(store)["state"], fields(store)["error"]) == (end, "why")
        assert store.link.call("TTL", store.keys.operation("o")) > 0
        assert store.operations.claim("o", "me") is None
        assert not store.operations.cancel("o", "me")

    def test_one_runner_at_a_time(self, store):
        assert store.operations.claim("o", "you") is None
        assert store.operations.claim("o", "me")
        store.operations.note(chunk(lease=0))
        assert store.operations.claim("o", "you").fields["runner"] == "you"
        assert store.operations.note(chunk()) is None

    def test_a_destination_of_another_type_loses_nothing(self, store):
        store.queues.push([Entry("a", b"1"), Entry("a", b"2")])
        store.link.call("SET", "schedule", "no")
        with pytest.raises(Exception, match="WRONGTYPE"):
            store.operations.pluck(chunk(), Stretch("a", 0, 2), [Transfer(b"1", b"1", 1.0)], "schedule")
        assert store.queues.page("a", 0, 9) == [b"1", b"2"]


# --- taking out of a list ---


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("size", [1, 2, 3, 10, 300])
@pytest.mark.parametrize("start", [0, 1, 150, 299])
def test_pluck_anywhere(store, size, start):
    raws = [b"%03d" % number for number in range(size)]
    store.queues.push([Entry("a", raw) for raw in raws])
    wanted = [raw for raw in raws[start:][:20] if int(raw) % 3 != 1]
    moves = [Transfer(raw, raw, 1.0) for raw in wanted]
    moved = store.operations.pluck(chunk(), Stretch("a", start, 20), moves, "dead")
    assert moved == [True] * len(wanted)
    assert store.queues.page("a", 0, 999) == [raw for raw in raws if raw not in wanted]
    store.link.call("DEL", "dead")


@pytest.mark.usefixtures("started")
def test_pluck_what_has_moved_meanwhile(store):
    raws = [b"%04d" % number for number in range(2_000)]
    store.queues.push([Entry("a", raw) for raw in raws])
    wanted = [Transfer(raw, b"") for raw in raws[1_000:1_010]]
    store.link.call("RPOP", "queue:a", 300)
    store.link.call("LPUSH", "queue:a", *[b"new%d" % number for number in range(50)])
    assert all(store.operations.pluck(chunk(), Stretch("a", 1_000, 10), wanted[:5], None))
    store.link.call("RPOP", "queue:a", 900)
    assert store.operations.pluck(chunk(), Stretch("a", 1_000, 10), wanted[5:], None) == [False] * 5


# --- walks ---


def through(walk, step, between=lambda: None, left=lambda raws: raws):
    """Everything that a walk sees, in order."""
    seen, cursor = [], b""
    while True:
        page = walk.read(cursor, step)
        found = [each.raw for each in page.found]
        seen += found
        cursor = walk.after(cursor, page, set(left(found)))
        if page.is_last:
            return seen
        between()


@pytest.mark.parametrize("step", [1, 2, 7, 100])
def test_a_set_in_the_order_of_its_scores_and_bytes(store, step):
    chance = random.Random(step)
    raws = [bytes(chance.choices(b"\x00aZ\xff\xe4", k=chance.randrange(1, 9))) for _ in range(120)]
    for raw in raws:
        store.sets.add("retry", raw, chance.choice([-1.5, 0, 1e9, 1e9 + 1e-6, 2**53]))
    everything = [raw for raw, _ in store.sets.page("retry", 0, 999)]
    assert through(store.operations.set_walk("retry", float("-inf"), float("inf")), step) == everything
    some = [raw for raw, score in store.sets.page("retry", 0, 999) if 0 <= score <= 1e9]
    assert through(store.operations.set_walk("retry", 0, 1e9), step) == some


@pytest.mark.parametrize("seed", range(20))
def test_a_set_of_which_others_take_and_to_which_they_add(store, seed):
    chance = random.Random(seed)
    scores = [1.0, 2.0, 3.0]
    staying = [b"s%02d" % number for number in range(40)]
    others = [b"o%02d" % number for number in range(40)]
    for raw in staying:
        store.sets.add("retry", raw, chance.choice(scores))

    def disturb():
        for raw in chance.sample(others, 15):
            if chance.random() < 0.5:
                store.sets.add("retry", raw, chance.choice(scores))
            else:
                store.sets.remove("retry", [raw])

    disturb()
    seen = through(store.operations.set_walk("retry", 0, 9), chance.randrange(1, 9), disturb)
    assert sorted(raw for raw in seen if raw in staying) == staying


@pytest.mark.parametrize("seed", range(20))
def test_a_list_from_which_workers_and_others_take(store, seed):
    chance = random.Random(seed)
    raws = [b"%04d" % number for number in range(400)]
    store.queues.push([Entry("a", raw) for raw in raws])
    taken = set()

    def disturb():
        taken.update(store.link.call("RPOP", "queue:a", chance.choice([1, 2, 40])) or ())
        if chance.random() < 0.3 and (page := store.queues.page("a", chance.randrange(20), 3)):
            taken.update(raw for raw in page if store.queues.remove("a", raw))
        store.link.call("LPUSH", "queue:a", b"new")

    seen = through(store.operations.list_walk("a", 10_000), 23, disturb)
    assert {raw for raw in seen if raw != b"new"} | taken == set(raws)


def test_a_list_no_further_than_there_was_something_at_the_start(store):
    store.queues.push([Entry("a", b"%d" % number) for number in range(9)])
    assert through(store.operations.list_walk("a", 5), 3) == [b"0", b"1", b"2", b"3", b"4"]
    assert through(store.operations.list_walk("b", 5), 3) == []


def test_a_list_of_which_everything_is_taken_out_on_the_way(store):
    raws = [b"%03d" % number for number in range(50)]
    store.queues.push([Entry("a", raw) for raw in raws])

    def take(found):
        for raw in found:
            store.queues.remove("a", raw)
        return []

    assert through(store.operations.list_walk("a", 99), 7, left=take) == raws


def test_measure(store):
    store.queues.push([Entry("a", b"1"), Entry("a", b"2")])
    for score in (1, 2, 3):
        store.sets.add("retry", b"%d" % score, score)
    now, size = store.operations.measure(store.operations.list_walk("a", 9))
    assert (now > 1e9, size) == (True, 2)
    assert store.operations.measure(store.operations.set_walk("retry", 2, 9))[1] == 2
