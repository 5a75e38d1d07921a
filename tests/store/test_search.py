"""Search through lists and sets: order, literal texts, and going on while others push, fetch, add and delete."""

import json
import random
from itertools import islice

import pytest

from kiq_django.jids import JidRange, new_jid
from kiq_django.store.search import WINDOW, Spot

START = 1_800_000_000.0
UP, DOWN = 1, -1


@pytest.fixture
def search(store):
    return store.search


@pytest.fixture
def queue(search):
    return search.queue("default")


@pytest.fixture
def dead(search):
    return search.job_set("dead")


def job(number, moment=None, jid=None, **fields):
    """A payload as small as one can be."""
    moment = START + number if moment is None else moment
    document = {"class": "a", "jid": jid or new_jid(moment), "n": f"<{number}>", "enqueued_at": moment, **fields}
    return json.dumps(document, separators=(",", ":")).encode()


def number_of(raw):
    return int(json.loads(raw)["n"][1:-1])


@pytest.fixture
def fill(store):
    """Jobs of these numbers, one a second: into the queue, or into the dead set."""

    def fill(numbers, place="queue", **fields):
        jobs = [(job(number, **fields), START + number) for number in numbers]
        for start in range(0, len(jobs), 1_000):
            part = jobs[start : start + 1_000]
            if place == "queue":
                store.link.call("LPUSH", store.keys.queue("default"), *(raw for raw, _ in part))
            else:
                store.link.call("ZADD", store.keys.job_set("dead"), *(x for raw, score in part for x in (score, raw)))
        return [raw for raw, _ in jobs]

    return fill


def walk(search, scope, way, texts=(), between=lambda: None, **limits):
    """Numbers of everything found, window by window."""
    spot, found = None, []
    while True:
        window = search.window(scope, texts, way, spot, **limits)
        found += [number_of(hit.raw) for hit in window.hits]
        if window.next is None:
            return found
        spot = window.spot(window.next)
        between()


# --- order and limits ---


@pytest.mark.parametrize("members", [1, 7, 100, WINDOW])
def test_in_order_both_ways(search, queue, dead, fill, members):
    fill(range(250))
    fill(range(250), "dead")
    assert walk(search, queue, UP, members=members) == list(range(249, -1, -1))
    assert walk(search, queue, DOWN, members=members) == list(range(250))
    assert walk(search, dead, UP, members=members) == list(range(250))
    assert walk(search, dead, DOWN, members=members) == list(range(249, -1, -1))


def test_nothing_is_there(search, queue, dead):
    for scope in (queue, dead):
        window = search.window(scope, [[b"a"]], UP)
        assert (window.hits, window.next, window.size, window.looked_at(), window.passed()) == ([], None, 0, 0, 0)


def test_between_two_scores_both_included(search, fill):
    fill(range(100), "dead")
    scope = search.job_set("dead", START + 10, START + 19)
    window = search.window(scope, (), UP)
    assert [number_of(hit.raw) for hit in window.hits] == list(range(10, 20))
    assert [hit.score for hit in window.hits] == [START + number for number in range(10, 20)]
    assert (window.size, window.total) == (10, 100)
    assert walk(search, scope, DOWN, members=3) == list(range(19, 9, -1))
    assert walk(search, search.job_set("dead", START + 200), UP) == []


def test_so_many_hits_and_no_more(search, dead, fill):
    fill(range(100), "dead")
    window = search.window(dead, [[b"<5"]], UP, hits=3)
    assert [number_of(hit.raw) for hit in window.hits] == [5, 50, 51]
    assert (window.looked_at(), window.passed(), number_of(window.next.raw)) == (52, 52, 52)
    assert (window.looked_at(50), window.passed(50)) == (50, 50)
    assert walk(search, dead, DOWN, [[b"<5"]], hits=2) == [59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 5]


def test_looking_at_nothing_tells_the_size(search, queue, fill):
    fill(range(10))
    window = search.window(queue, (), UP, members=0)
    assert (window.size, window.looked_at(), window.hits, number_of(window.next.raw)) == (10, 0, [], 9)


def test_large_jobs_end_a_window_early(search, queue, fill):
    fill(range(300), text="x" * 100_000)
    window = search.window(queue, [[b"nowhere"]], UP)
    assert 10 <= window.looked_at() <= 100
    assert walk(search, queue, DOWN) == list(range(300))


def test_large_jobs_behind_small_ones_end_it_soon(search, queue, fill):
    fill(range(300), text="x" * 100_000)
    fill(range(300, 1_000))
    assert 700 < search.window(queue, [[b"nowhere"]], UP).looked_at() < 1_000


# --- texts ---


@pytest.mark.parametrize("text", ["%", "%d", ".*", "[a]", "^", "$", "(", "a-z", "*", "?", "\\\\", "é", "\x00"])
def test_texts_are_taken_literally(store, search, dead, text):
    wanted = b'{"class":"%b"}' % text.encode()
    for raw in (wanted, b'{"class":"other"}', b'{"class":"a5b"}'):
        store.sets.add("dead", raw, 1)
    assert [hit.raw for hit in search.window(dead, [[text.encode()]], UP).hits] == [wanted]


def test_every_text_in_one_of_its_spellings(store, search, dead):
    for raw in (b"ab", b"a", b"b", b"AB", b"aB", b"c"):
        store.sets.add("dead", raw, 1)

    def found(*texts):
        return {hit.raw for hit in search.window(dead, texts, UP).hits}

    assert found([b"a", b"A"], [b"b", b"B"]) == {b"ab", b"AB", b"aB"}
    assert found([b"a"], [b"b"]) == {b"ab"}
    assert found([b"x", b"y", b"c"]) == {b"c"}
    assert found([b"c"], [b"x", b"y"]) == set()
    assert len(found()) == 6


def test_bytes_that_are_no_job(store, search, dead):
    raws = [bytes([number]) for number in range(128, 256)]
    for raw in raws:
        store.sets.add("dead", raw, 1)
    spot, found = None, []
    while spot is not None or not found:
        window = search.window(dead, (), UP, spot, members=10)
        found += [hit.raw for hit in window.hits]
        spot = window.spot(window.next) if window.next else None
    assert found == raws


# --- going on while others are at work ---


@pytest.mark.parametrize("way", [UP, DOWN])
@pytest.mark.parametrize(("pushed", "fetched"), [(1, 1), (150, 0), (0, 150), (150, 40), (700, 300)])
def test_a_queue_is_seen_once_while_others_push_and_fetch(store, search, queue, fill, way, pushed, fetched):
    fill(range(5_000))
    new, key = iter(range(5_000, 5_000 + 15 * pushed)), store.keys.queue("default")

    def others():
        fill(list(islice(new, pushed)))
        if fetched:
            store.link.call("RPOP", key, fetched)

    found = walk(search, queue, way, between=others, members=500)
    left = {number_of(raw) for raw in store.queues.page("default", 0, 100_000)}
    assert len(found) == len(set(found))
    assert left & set(range(5_000)) <= set(found)


@pytest.mark.parametrize("way", [UP, DOWN])
def test_what_was_found_may_be_deleted_at_once(store, search, queue, dead, fill, way):
    fill(range(3_000))
    fill(range(3_000), "dead", moment=START)
    for scope, command in ((queue, "LREM"), (dead, "ZREM")):
        spot, found = None, []
        while spot is not None or not found:
            window = search.window(scope, [[b"1>"]], way, spot, members=200)
            for hit in window.hits:
                arguments = (1, hit.raw) if command == "LREM" else (hit.raw,)
                assert store.link.call(command, scope.key, *arguments) == 1
            found += [number_of(hit.raw) for hit in window.hits]
            spot = window.spot(window.next) if window.next else None
        wanted = [number for number in range(3_000) if number % 10 == 1]
        assert sorted(found) == wanted


@pytest.mark.parametrize("way", [UP, DOWN])
def test_a_set_is_seen_once_while_others_add_and_take(store, search, dead, fill, way):
    fill(range(5_000), "dead")
    chance = random.Random(7)

    def others():
        fill([chance.randrange(5_000, 10**6) for _ in range(100)], "dead")
        store.link.call("ZPOPMIN", dead.key, 150)

    found = walk(search, dead, way, between=others, members=500)
    left = {number_of(raw) for raw, _ in store.sets.page("dead", 0, 100_000)}
    assert len(found) == len(set(found))
    assert left & set(range(5_000)) <= set(found)


@pytest.mark.parametrize("way", [UP, DOWN])
def test_when_the_next_one_is_gone_too_nothing_is_missed(store, search, queue, dead, fill, way):
    fill(range(2_000))
    fill(range(2_000), "dead")
    for scope, command in ((queue, "LREM"), (dead, "ZREM")):
        spot, seen, gone = None, set(), set()
        while spot is not None or not seen:
            window = search.window(scope, (), way, spot, members=100)
            seen |= {number_of(hit.raw) for hit in window.hits}
            spot = window.spot(window.next) if window.next else None
            if window.next:
                gone.add(number_of(window.next.raw))
                store.link.call(command, scope.key, *((1,) if command == "LREM" else ()), window.next.raw)
        assert seen | gone == set(range(2_000))


@pytest.mark.parametrize("way", [UP, DOWN])
def test_equal_times_while_others_delete_what_is_next(store, search, dead, fill, way):
    raws = fill(range(3_000), "dead")
    store.link.call("ZADD", dead.key, *(x for raw in raws for x in (START, raw)))
    seen, gone, spot, windows = set(), set(), None, 0
    while spot is not None or not seen:
        window = search.window(dead, (), way, spot, members=100)
        windows += 1
        seen |= {number_of(hit.raw) for hit in window.hits}
        spot = window.spot(window.next) if window.next else None
        if window.next:
            victims = [raw for raw, _ in store.sets.page("dead", window.next.position, 3)]
            gone |= set(map(number_of, victims))
            store.link.call("ZREM", dead.key, *victims)
    assert seen | gone == set(range(3_000))
    assert windows < 60


def test_fetched_faster_than_read_it_comes_to_its_end(store, search, queue, fill):
    fill(range(1_000))
    window = search.window(queue, (), UP, members=100)
    spot = window.spot(window.next)
    store.link.call("RPOP", queue.key, 950)
    after = search.window(queue, (), UP, spot)
    assert after.next is None
    assert len(after.hits) <= 50


@pytest.mark.parametrize("spot", [Spot(0, 0, 0.0), Spot(10**9, 10**9, 1e300), Spot(5, 5, -1.0, "x" * 24)])
@pytest.mark.parametrize("way", [UP, DOWN])
def test_a_spot_that_makes_no_sense_does_no_harm(search, queue, dead, fill, spot, way):
    fill(range(20))
    fill(range(20), "dead")
    for scope in (queue, dead):
        assert search.window(scope, (), way, spot).looked_at() <= 20


# --- where is it? ---


def test_locate_by_time(store, search, fill):
    fill(range(1_000))
    places = {START - 1: 999, START: 999, START + 0.5: 998, START + 500: 499, START + 999: 0, START + 1_000: -1}
    for moment, index in places.items():
        assert search.locate(["default"], moment) == [(index, 1_000)]
    assert search.locate(["empty", "default", "default"], START) == [(-1, 0), (999, 1_000), (999, 1_000)]
    assert search.locate([], START) == []


def test_locate_reads_the_times_of_sidekiq_8(store, search):
    for number in range(100):
        raw = b'{"class":"a", "jid":"x", "enqueued_at": %d}' % ((START + number) * 1000)
        store.link.call("LPUSH", store.keys.queue("default"), raw)
    assert search.locate(["default"], START + 50) == [(49, 100)]


def test_locate_within_a_bulk_that_took_long_among_the_jobs_of_others(store, search):
    ids, key = JidRange(), store.keys.queue("default")
    for slice_number in range(20):
        moment = START + slice_number
        others = [job(0, moment + place / 1_000) for place in range(100)]
        store.link.call("LPUSH", key, *(job(0, moment, ids.take()) for _ in range(200)), *others)
    raws = store.link.call("LRANGE", key, 0, -1)
    for number in range(0, 4_000, 97):
        truth = next(i for i, raw in enumerate(raws) if ids[number].encode() in raw)
        ((index, _),) = search.locate(["default"], START, ids[number])
        assert -100 <= index - truth <= 2_000


def test_locate_gives_no_error_for_what_it_cannot_read(store, search):
    for raw in (b"junk", b'{"enqueued_at":', b'{"enqueued_at":"x"}', b'{"enqueued_at":1.2.3}', b"\xff" * 50):
        store.link.call("LPUSH", store.keys.queue("default"), raw)
    for jid in ("", "f" * 24, "no hex at all, 24 letters"[:24], "x" * 100):
        ((index, size),) = search.locate(["default"], START, jid)
        assert -1 <= index < size == 5


def test_held_is_what_workers_have_taken(store, search, fill):
    raws = fill(range(3))
    assert search.held() == []
    store.working.register("me", ["default", "mail"], 30)
    store.working.turn([], "me", ["default", "mail"], 2)
    assert sorted(search.held()) == sorted(("default", raw) for raw in raws[:2])


def test_it_reads_where_nothing_may_be_written(store, search, queue, fill):
    fill(range(3))
    if not store.link.info().supports_shebang:
        pytest.skip("this server looks at each command for itself")
    store.link.call("CONFIG", "SET", "min-replicas-to-write", "1")
    try:
        assert walk(search, queue, DOWN) == [0, 1, 2]
        assert search.locate(["default"], START) == [(2, 3)]
    finally:
        store.link.call("CONFIG", "SET", "min-replicas-to-write", "0")
