"""One job by its id: at once where it is likely to be, honest about where nobody looked."""

import json

import pytest

from kiq_django import clock
from kiq_django.api import Budget, DeadSet, Hint, Queue, RetrySet, ScheduledSet, find_job, look_up
from kiq_django.api.finding import near_in_queues
from kiq_django.jids import JidRange, new_jid
from kiq_django.payload import Payload
from kiq_django.store import records
from kiq_django.store.queues import Entry
from kiq_django.store.working import Batch, Move

MANY = 200_000
SETS = {"schedule": ScheduledSet, "retry": RetrySet, "dead": DeadSet}


@pytest.fixture
def commands(store):
    """How many commands the server has run so far, those inside of scripts included."""

    def commands():
        stats = store.link.client.info("commandstats")
        return sum(each["calls"] for name, each in stats.items() if name not in ("cmdstat_info", "cmdstat_hello"))

    return commands


@pytest.fixture
def fill_queue(store):
    """Put jobs of these ids and times into a queue, in this order."""

    def fill_queue(pairs, queue="default"):
        rows = [
            f'{{"class":"shop.pay","args":["{"x" * 60}"],"jid":"{jid}","queue":"{queue}","enqueued_at":{came!r}}}'
            for jid, came in pairs
        ]
        for start in range(0, len(rows), 5_000):
            store.link.call("LPUSH", store.keys.queue(queue), *rows[start : start + 5_000])
        store.link.call("SADD", store.keys.queues(), queue)

    return fill_queue


def looked_at(found):
    return sum(look.looked_at for look in found.looks)


# --- in a long queue ---


def test_at_once_in_a_long_queue(fill_queue):
    now = clock.now()
    moments = [now - 1_000 + number / 200 for number in range(MANY)]
    jids = [new_jid(moment) for moment in moments]
    fill_queue(
        (jid, moment + number % 100 / 1_000) for number, (jid, moment) in enumerate(zip(jids, moments, strict=True))
    )
    for number in (0, 1, 999, 77_777, 100_000, 150_001, MANY - 1):
        budget = Budget(jobs=8_000)
        found = look_up(jids[number], budget)
        assert found.job.jid == jids[number]
        assert budget.jobs >= 8_000 - 4_000
        assert (found.complete, [look.place for look in found.looks]) == (True, ["running"])


def test_a_bulk_among_the_jobs_of_others(fill_queue):
    now, ids = clock.now(), JidRange()
    pairs = []
    for slice_number in range(100):
        came = now + slice_number / 2
        pairs += [(ids.take(), came) for _ in range(1_000)]
        pairs += [(new_jid(came + place / 1_000), came + place / 1_000) for place in range(300)]
    fill_queue(pairs)
    for number in range(0, 100_000, 4_567):
        assert find_job(ids[number], Budget(jobs=8_000)).jid == ids[number]
    for jid, _ in pairs[1_100::13_000]:
        assert find_job(jid, Budget(jobs=8_000)).jid == jid


def test_a_job_that_was_enqueued_much_later_than_made(fill_queue):
    now = clock.now()
    jids = [new_jid(now - 100 + number / 1_000) for number in range(20_000)]
    late = new_jid(now - 100)
    fill_queue([*((jid, now - 100 + number / 1_000) for number, jid in enumerate(jids[:6_000])), (late, now - 94)])
    fill_queue((jid, now - 94 + number / 1_000) for number, jid in enumerate(jids[6_000:]))
    assert find_job(late, Budget(jobs=8_000)).jid == late


def test_ids_of_others_are_found_by_looking_through_it(fill_queue):
    now = clock.now()
    fill_queue((f"{number:024d}", now + number / 1_000) for number in range(30_000))
    found = look_up(f"{12_345:024d}")
    assert found.job.queue == "default"
    budget = Budget(jobs=10_000)
    found = look_up(f"{12_345:024d}", budget)
    assert (found.job, found.complete, budget.exhausted) == (None, False, True)
    assert [(look.queue, look.looked_at, look.total, look.complete) for look in found.looks if look.queue] == [
        ("default", 10_000, 30_000, False)
    ]


def test_a_job_that_came_back_is_found_by_looking_through_it(fill_queue):
    now = clock.now()
    back = new_jid(now - 50_000)
    fill_queue((new_jid(now + number / 100), now + number / 100) for number in range(15_000))
    fill_queue([(back, now + 151)])
    fill_queue((new_jid(now + 152 + number / 100), now + 152 + number / 100) for number in range(15_000))
    assert not next(near_in_queues(Queue("default")._store, ["default"], back, Budget()))[1].complete
    assert find_job(back).jid == back


def test_several_queues(fill_queue):
    now = clock.now()
    for queue in "abcdefghijklm":
        fill_queue(((new_jid(now + number), now + number) for number in range(30)), queue)
    fill_queue(((new_jid(now + number / 100), now + number / 100) for number in range(10_000)), "long")
    wanted = Queue("long").page(5_000, 1)[0].jid
    found = look_up(wanted, Budget(jobs=5_000))
    assert (found.job.queue, found.job.jid) == ("long", wanted)
    assert {look.queue for look in found.looks if look.complete} >= set("abcdefghijkl")


# --- in the sets, and with workers ---


@pytest.mark.parametrize("place", SETS)
def test_in_a_set_whoever_made_the_id(put_many, put, place):
    put_many(place, 5_000)
    for jid in (new_jid(), new_jid(clock.now() - 10_000), "f" * 24, "short", 'q"\\é'):
        payload = put(place, 100, jid=jid)
        assert look_up(jid).job.payload == payload
        assert SETS[place]().find(jid).payload == payload


@pytest.mark.parametrize("place", SETS)
def test_in_a_set_before_it_was_made(put, place):
    payload = put(place, -86_400, jid=new_jid())
    assert find_job(payload.jid).payload == payload


def test_what_failed_is_found_by_its_record(store, put_many):
    put_many("retry", 3_000)
    raw = Payload.new("a", [], {}, queue="default", retry=True, now=1.5, jid=new_jid()).encode()
    jid = json.loads(raw)["jid"]
    run = records.Attempt(1.5, 0.5, "host:1:a", "E", "message", "", ())
    store.link.call("LPUSH", store.keys.working("default", "me"), raw)
    move = Move("retry", raw, 60, raw, records.failed(jid, "retry", "a", "default", 0, run))
    assert store.working.turn([Batch("me", "default", [], [move])], "me", [], 0).settled == [b"1"]
    found = look_up(jid, Budget(jobs=1))
    assert (found.job.place, found.looks) == ("retry", ())


def test_running(put, beat, running):
    put()
    payload, work = running()
    beat(work={"t1": work})
    assert look_up(payload.jid).job.place == "running"


def test_taken_by_a_worker_that_has_not_told_yet(store, put):
    payload = put(queue="mail", jid=new_jid())
    store.working.register("me", ["mail"], 30)
    store.working.turn([], "me", ["mail"], 1)
    job = find_job(payload.jid)
    assert (job.place, job.queue, job.payload) == ("running", "mail", payload)


def test_a_job_that_moves_on_while_we_look_is_found(store, put, monkeypatch):
    payload = put("retry", 60, jid=new_jid())
    before = type(store.search).held

    def held(search):
        """The moment after the queues, and before the sets."""
        taken = before(search)
        if store.sets.remove("retry", [payload.encode()]):
            store.queues.push([Entry("default", payload.evolve(enqueued_at=clock.now()).encode())])
        return taken

    monkeypatch.setattr(type(store.search), "held", held)
    assert find_job(payload.jid).place == "queue"


def test_nowhere(put, put_many):
    put_many("dead", 100)
    put()
    found = look_up("e" * 24)
    assert (found.job, found.complete) == (None, True)
    assert [(look.place, look.queue, look.looked_at, look.total, look.complete) for look in found.looks] == [
        ("running", "", 0, 0, True),
        ("queue", "default", 1, 1, True),
        ("dead", "", 100, 100, True),
        ("schedule", "", 0, 0, True),
        ("retry", "", 0, 0, True),
    ]


@pytest.mark.parametrize("jid", ["", "x" * 129, "x" * 10**6, "a\nb", "\x00", "\ud800", "\x1b[31m"])
def test_what_can_be_no_id_costs_nothing(put, commands, jid):
    put()
    before = commands()
    assert look_up(jid) == look_up(jid, Budget(jobs=0))
    assert (look_up(jid).job, look_up(jid).complete) == (None, True)
    assert DeadSet().find(jid) is Queue("default").find(jid) is None
    assert commands() == before


@pytest.mark.parametrize("jid", ["*", "?" * 24, "%d", "[a]", ".", '"', "'", "\\", "é", "{", "jid"])
def test_an_id_is_no_pattern(put_many, jid):
    put_many("dead", 50)
    put_many("queue", 50)
    assert look_up(jid) == look_up(jid)
    assert look_up(jid).job is None


# --- hints ---


@pytest.mark.parametrize("place", [*SETS, "queue"])
def test_a_hint_leads_there_directly(put, put_many, place):
    put_many(place, 3_000)
    payload = put(place, 60, jid="made by another program")
    hint = Hint.of(find_job(payload.jid))
    budget = Budget(jobs=2_500)
    found = look_up(payload.jid, budget, hint=hint)
    assert found.job.payload == payload
    assert found.looks == ()


def test_a_place_alone_is_a_hint_to_what_came_there_last(put, put_many):
    put_many("dead", 3_000)
    payload = put("dead", 5_000, jid="made by another program")
    budget = Budget(jobs=2_000)
    found = look_up(payload.jid, budget, hint=Hint(place="dead"))
    assert (found.job.payload, found.looks) == (payload, ())
    assert budget.jobs == 1_999


HINTS = [
    None,
    Hint(place="queue", queue="nowhere", at=1.0),
    Hint(place="queue", queue="\x00", at=float("nan")),
    Hint(place="dead", at=float("inf")),
    Hint(place="retry", at=1e300),
    Hint(place="running"),
    Hint(place="schedule"),
]


@pytest.mark.parametrize("hint", HINTS)
def test_a_wrong_hint_does_not_matter(put, hint):
    payload = put("dead", jid=new_jid())
    assert find_job(payload.jid, hint=hint).payload == payload
    assert look_up("f" * 24, hint=hint).job is None


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({}, None),
        ({"place": "somewhere"}, None),
        ({"place": "dead", "at": "1.5"}, Hint(place="dead", at=1.5)),
        ({"place": "dead", "at": "soon"}, Hint(place="dead")),
        ({"place": "dead", "at": "nan"}, Hint(place="dead")),
        ({"place": "dead", "at": "1e999"}, Hint(place="dead")),
        ({"place": "dead", "at": "9" * 5_000}, Hint(place="dead")),
        ({"place": "queue", "queue": "mail"}, Hint(place="queue", queue="mail")),
        ({"place": "queue", "queue": "ma\nil", "at": "1"}, None),
        ({"place": "queue", "queue": "x" * 10_000}, None),
    ],
)
def test_a_hint_of_an_address(given, hint):
    assert Hint.read(given) == hint
