"""Operations on a real server: what they do to which jobs, and what others do meanwhile."""

import threading

import pytest

from kiq_django import clock, signals
from kiq_django.api import labour
from kiq_django.api.budget import Budget
from kiq_django.api.filters import Filter
from kiq_django.api.operation import VERBS
from kiq_django.api.operations import Operations
from kiq_django.api.queues import Queue
from kiq_django.api.sets import SETS, DeadSet, RetrySet, ScheduledSet
from kiq_django.exceptions import ConfigurationError, StoreUnavailable, Unsupported
from kiq_django.payload import Payload
from kiq_django.store.operations import KEPT
from kiq_django.store.queues import Entry

NOBODY = "0" * 12
TOMORROW = 86_400


@pytest.fixture
def operations(store):
    return Operations(store)


@pytest.fixture
def small(monkeypatch):
    """Chunks of five jobs."""
    monkeypatch.setattr(labour, "CHUNK", 5)
    monkeypatch.setattr(labour, "FIRST", 5)


@pytest.fixture
def fill(store):
    """So many jobs in a queue or a set, which came there a minute ago. Returns their ids, in order."""

    def fill(place, number, *, name="shop.jobs.pay", queue="default", **fields):
        then = clock.now() - 60
        made = [
            Payload.new(name, [i], {}, queue=queue, retry=True, now=then, enqueued_at=then, **fields)
            for i in range(number)
        ]
        ahead = -30 if place == "dead" else TOMORROW
        if place == "queue":
            store.queues.push([Entry(queue, payload.encode()) for payload in made])
        for i, payload in enumerate(made if place != "queue" else ()):
            store.sets.add(place, payload.encode(), then + ahead + i / 1000)
        return [payload.jid for payload in made]

    return fill


@pytest.fixture
def finish(operations):
    """Work on an operation until its end."""

    def finish(operation):
        while not (now := operations.step(operation.id)).has_ended:
            pass
        return now

    return finish


@pytest.fixture
def jids(in_set, in_queue):
    """Ids of the jobs of a set or a queue, in order."""

    def jids(place):
        jobs = [job for job, _ in in_set(place)] if place in SETS else in_queue(place)
        return [job.jid for job in jobs]

    return jids


def one_chunk():
    """A budget that anything uses up."""
    return Budget(jobs=0)


# --- each verb in each place ---


@pytest.mark.parametrize("name", SETS)
def test_retry(operations, fill, finish, in_queue, name):
    made = fill(name, 120, retry_count=2)
    ended = finish(operations.start("retry", SETS[name]()))
    assert (ended.state, ended.done, ended.gone, ended.skipped, ended.percent) == ("done", 120, 0, 0, 100)
    assert [job.jid for job in in_queue()] == made
    assert {job.retry_count for job in in_queue()} == {1}
    assert all(job.enqueued_at > ended.started_at - 1 for job in in_queue())
    assert SETS[name]().size == 0


@pytest.mark.parametrize(("name", "goal"), [("schedule", "schedule"), ("retry", "retry"), ("dead", "retry")])
def test_retry_spread(operations, fill, finish, in_set, small, name, goal):
    made = fill(name, 60, retry_count=2)
    ended = finish(operations.start("retry", SETS[name](), spread=600))
    assert ended.done == 60
    moved = in_set(goal)
    assert {job.jid for job, _ in moved} == set(made)
    assert {job.retry_count for job, _ in moved} == {1}
    assert {score for _, score in moved} == {ended.due(jid) for jid in made}
    spread = [score - ended.started_at for _, score in moved]
    assert 0 <= min(spread) < 100 < 500 < max(spread) <= 600


@pytest.mark.parametrize("place", ["queue", "schedule", "retry"])
def test_kill(operations, fill, finish, jids, target, place):
    made = fill(place, 30)
    heard = []
    signals.job_dead.connect(lambda payload, **_: heard.append(payload.jid), weak=False, dispatch_uid="test")
    try:
        ended = finish(operations.start("kill", target(place)))
    finally:
        signals.job_dead.disconnect(dispatch_uid="test")
    assert ended.done == 30
    assert set(jids("dead")) == set(heard) == set(made)
    assert target(place).size == 0


@pytest.mark.parametrize("place", ["queue", *SETS])
def test_delete(store, operations, fill, finish, target, place):
    fill(place, 30)
    assert finish(operations.start("delete", target(place))).done == 30
    assert target(place).size == 0
    assert sum(each().size for each in SETS.values()) == 0


@pytest.mark.parametrize(
    ("place", "goal"), [("queue", "schedule"), ("schedule", "schedule"), ("retry", "retry"), ("dead", "retry")]
)
def test_reschedule(operations, fill, finish, in_set, target, small, place, goal):
    made = fill(place, 30, retry_count=3)
    when = clock.now() + 2 * TOMORROW
    ended = finish(operations.start("reschedule", target(place), when=when))
    assert ended.done == 30
    moved = in_set(goal)
    assert {job.jid for job, _ in moved} == set(made)
    assert {score for _, score in moved} == {when}
    assert {job.retry_count for job, _ in moved} == {2 if place == "dead" else 3}
    assert {"enqueued_at" in job.document for job, _ in moved} == {place != "queue"}


@pytest.mark.parametrize("place", ["schedule", "retry", "dead"])
def test_move_within_a_set(operations, fill, finish, in_set, target, small, place):
    made = fill(place, 30)
    before = [score for _, score in in_set(place)]
    assert finish(operations.start("move", target(place), to="mail")).done == 30
    assert [job.jid for job, _ in in_set(place)] == made
    assert [score for _, score in in_set(place)] == before
    assert {job.queue for job, _ in in_set(place)} == {"mail"}


def test_move_to_another_queue(store, operations, fill, finish, in_queue, jids, small):
    made = fill("queue", 23, at=1.0)
    assert finish(operations.start("move", Queue("default"), to="mail")).done == 23
    assert jids("mail") == made
    assert {(job.queue, "at" in job.document) for job in in_queue("mail")} == {("mail", False)}
    assert store.queues.names() == ["default", "mail"]
    assert jids("default") == []


@pytest.mark.parametrize("place", ["queue", *SETS])
@pytest.mark.parametrize("verb", ["retry", "kill", "reschedule", "move"])
def test_inside_of_a_job_nothing_changes_but_where_when_and_how_often(
    operations, fill, finish, in_set, in_queue, target, place, verb
):
    """A signature over the rest still holds."""
    if verb not in VERBS[place]:
        return
    fill(place, 1, retry_count=3, tags=["a"], at=1.0, foreign={"x": [1]})
    ((before, *_),) = [in_queue()] if place == "queue" else in_set(place)
    options = {"reschedule": {"when": clock.now() + 9}, "move": {"to": "mail"}}.get(verb, {})
    finish(operations.start(verb, target(place), **options))
    (after,) = [job for name in SETS for job, _ in in_set(name)] + in_queue() + in_queue("mail")
    names = {*before.document, *after.document}
    changed = {name for name in names if before.document.get(name) != after.document.get(name)}
    assert changed <= {"queue", "at", "enqueued_at", "retry_count"}


def test_a_job_that_was_moved_by_hand_does_not_go_back(store, operations, finish, in_set):
    payload = Payload.new("a", [], {}, queue="old", retry=True, now=1.0)
    store.queues.push([Entry("new", payload.encode())])
    finish(operations.start("reschedule", Queue("new"), when=clock.now() + 9))
    ((job, _),) = in_set("schedule")
    assert job.queue == "new"


@pytest.fixture
def target():
    """The object of a place."""

    def target(place):
        return Queue("default") if place == "queue" else SETS[place]()

    return target


# --- which jobs ---


@pytest.mark.parametrize("place", ["queue", *SETS])
def test_only_what_matches(operations, fill, finish, jids, target, small, place):
    others = fill(place, 17, name="shop.jobs.mail")
    fill(place, 23)
    others += fill(place, 4, name="shop.jobs.mail")
    fill(place, 1)
    ended = finish(operations.start("delete", target(place), Filter(name="shop.jobs.pay"), total=24))
    assert (ended.size, ended.looked_at, ended.total, ended.done) == (45, 45, 24, 24)
    assert sorted(jids("default" if place == "queue" else place)) == sorted(others)


def test_the_order_of_those_that_stay_is_kept(operations, store, finish, jids, small):
    names = ["pay", "mail", "mail", "pay", "mail"] * 20
    made = [Payload.new(name, [], {}, queue="default", retry=True, now=1.0) for name in names]
    store.queues.push([Entry("default", payload.encode()) for payload in made])
    finish(operations.start("delete", Queue("default"), Filter(name="pay")))
    assert jids("default") == [payload.jid for payload in made if payload.name == "mail"]


def test_by_time(operations, put, finish, jids):
    now = clock.now()
    inside = [put("retry", due).jid for due in (60, 90, 120)]
    outside = [put("retry", due).jid for due in (30, 150)]
    ended = finish(operations.start("delete", RetrySet(), Filter(due_from=now + 55, due_to=now + 125)))
    assert (ended.size, ended.done) == (3, 3)
    assert jids("retry") == outside
    assert inside


@pytest.mark.parametrize("place", ["queue", *SETS])
def test_what_cannot_be_read_can_be_deleted_and_stays_otherwise(store, operations, fill, finish, target, place):
    fill(place, 3)
    if place == "queue":
        store.queues.push([Entry("default", b"junk")])
    else:
        store.sets.add(place, b"junk", 1.0)
    moved = finish(operations.start("move", target(place), to="mail"))
    assert (moved.state, moved.done, moved.skipped) == ("done", 3, 1)
    named = finish(operations.start("delete", target(place), Filter(name="junk")))
    assert (named.done, named.skipped) == (0, 0)
    assert finish(operations.start("delete", target(place), Filter(text="junk"))).done == 1


def test_jobs_of_the_same_bytes_are_jobs_each(store, operations, finish):
    raw = Payload.new("a", [], {}, queue="default", retry=True, now=1.0).encode()
    store.queues.push([Entry("default", raw)] * 3)
    assert finish(operations.start("delete", Queue("default"))).done == 3


def test_many_jobs_of_one_moment(operations, store, put, finish, in_set, small):
    """Their order is that of their bytes, and moving them changes those."""
    for _ in range(40):
        store.sets.add("schedule", Payload.new("a", [], {}, queue="z", retry=True, now=1.0).encode(), 2_000_000_000.0)
    ended = finish(operations.start("move", ScheduledSet(), to="a"))
    assert ended.done == 40
    assert {job.queue for job, _ in in_set("schedule")} == {"a"}


# --- later jobs ---


def later(place, store, **fields):
    """A job that comes to a place now."""
    now = clock.now() + 0.01  # no two clocks strike at once
    payload = Payload.new("shop.jobs.pay", [], {}, queue="default", retry=True, now=now, **fields)
    if place == "queue":
        store.queues.push([Entry("default", payload.evolve(enqueued_at=now).encode())])
    elif place == "retry":
        store.sets.add("retry", payload.evolve(enqueued_at=1.0, failed_at=now).encode(), now + 2 * TOMORROW)
    else:
        store.sets.add(place, payload.encode(), now + (2 * TOMORROW if place == "schedule" else 0))
    return payload.jid


@pytest.mark.parametrize("place", ["queue", *SETS])
def test_jobs_that_come_later_are_not_touched(store, operations, fill, finish, jids, target, small, place):
    fill(place, 12)
    operation = operations.start("delete", target(place))
    came = [later(place, store)]
    operations.step(operation.id, one_chunk())
    came.append(later(place, store))
    ended = finish(operation)
    assert (ended.done, ended.gone) == (12, 0)
    assert jids("default" if place == "queue" else place) == came


def test_jobs_that_take_the_places_of_those_that_workers_took_are_later_ones(store, operations, fill, finish, jids):
    made = fill("queue", 12)
    operation = operations.start("delete", Queue("default"))
    store.link.call("RPOP", store.keys.queue("default"), 5)
    came = [later("queue", store) for _ in range(8)]
    assert finish(operation).done == 7
    assert jids("default") == came
    assert not set(made).intersection(came)


def test_a_later_job_of_a_slow_clock_is_behind_those_that_were_there(store, operations, fill, finish, jids, small):
    fill("queue", 12)
    operation = operations.start("delete", Queue("default"))
    payload = Payload.new("a", [], {}, queue="default", retry=True, now=1.0, enqueued_at=1.0)
    operations.step(operation.id, one_chunk())
    store.queues.push([Entry("default", payload.encode())])
    assert finish(operation).done == 12
    assert jids("default") == [payload.jid]


def fail_all(store, delay=15.0, error_at=None):
    """Run everything in the queue, and have it fail."""
    failed = 0
    while raw := store.link.call("RPOP", store.keys.queue("default")):
        job = Payload.decode(raw)
        count = -1 if job.retry_count is None else job.retry_count
        now = error_at or clock.now()
        store.sets.add("retry", job.evolve(retry_count=count + 1, retried_at=now).encode(), clock.now() + delay)
        failed += 1
    return failed


@pytest.mark.parametrize("delay", [15, 3 * TOMORROW])
@pytest.mark.parametrize("error_at", [None, 1.0], ids=["by the same clock", "by a worker's clock that is slow"])
def test_a_job_that_fails_again_is_not_retried_a_second_time(store, operations, fill, delay, error_at, small):
    made = fill("retry", 28, retry_count=0)
    operation = operations.start("retry", RetrySet())
    runs = 0
    while not operations.step(operation.id, one_chunk()).has_ended:
        runs += fail_all(store, delay, error_at)
    assert runs + fail_all(store, delay) == 28
    assert operations.find(operation.id).done == 28
    assert RetrySet().size == len(made)


def test_the_same_with_a_runner_whose_clock_is_slow(store, operations, fill, monkeypatch, settings, small):
    settings.KIQ = {**settings.KIQ, "SIDEKIQ": {"integer_times": True}}
    fill("retry", 28, retry_count=0)
    operation = operations.start("retry", RetrySet())
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() - 100)
    while not operations.step(operation.id, one_chunk()).has_ended:
        fail_all(store, 3 * TOMORROW)
    assert operations.find(operation.id).done == 28


def test_what_is_in_the_other_queue_already_stays_as_it_is(operations, put, finish, in_set):
    there, here = put("retry", 60, queue="mail"), put("retry", 90)
    assert finish(operations.start("move", RetrySet(), to="mail")).done == 1
    assert [job.jid for job, _ in in_set("retry")] == [there.jid, here.jid]


def test_the_same_of_a_spread_retry(store, operations, fill, in_set, small):
    fill("retry", 28, retry_count=3)
    operation = operations.start("retry", RetrySet(), spread=5 * TOMORROW)
    while not operations.step(operation.id, one_chunk()).has_ended:
        pass
    assert operations.find(operation.id).done == 28
    assert {job.retry_count for job, _ in in_set("retry")} == {2}


# --- cancel, crash, two at once ---


@pytest.mark.parametrize("place", ["queue", *SETS])
def test_cancel(operations, fill, jids, target, small, place):
    fill(place, 30)
    operation = operations.start("delete", target(place))
    half = operations.step(operation.id, Budget(jobs=9))
    assert (half.state, half.done, half.looked_at) == ("running", 10, 10)
    assert 30 < half.percent < 40
    assert operations.cancel(operation.id, by="ada")
    ended = operations.step(operation.id)
    assert (ended.state, ended.cancelled_by, ended.done) == ("cancelled", "ada", 10)
    assert ended.finished_at is not None
    assert target(place).size == 20
    assert operations.open() == []
    assert not operations.cancel(operation.id)


def test_a_cancelled_chunk_is_not_begun(operations, fill, store, monkeypatch, small):
    fill("dead", 30)
    operation = operations.start("delete", DeadSet())
    look = labour.Labour._look

    def cancel_meanwhile(self, *args):
        found = look(self, *args)
        operations.cancel(operation.id)
        return found

    monkeypatch.setattr(labour.Labour, "_look", cancel_meanwhile)
    ended = operations.step(operation.id)
    assert (ended.state, ended.done, DeadSet().size) == ("cancelled", 0, 30)


def test_cancel_before_it_began(operations, fill):
    fill("dead", 3)
    operation = operations.start("delete", DeadSet())
    assert operations.cancel(operation.id)
    assert operations.step(operation.id).state == "cancelled"
    assert DeadSet().size == 3


def killed(store, operation, runner="host:1:dead"):
    """A runner that was killed: it has claimed, and will not be heard of any more. Its lease is over."""
    assert store.operations.claim(operation.id, runner)
    store.link.call("HSET", store.keys.operation(operation.id), "lease", "1")


@pytest.mark.parametrize("place", ["queue", *SETS])
def test_another_goes_on_where_a_killed_runner_was(store, operations, fill, finish, jids, target, small, place):
    made = fill(place, 33)
    operation = operations.start("move", target(place), Filter(text=","), to="mail")
    operations.step(operation.id, Budget(jobs=14))
    killed(store, operation)
    ended = finish(operation)
    assert (ended.state, ended.done, ended.gone, ended.looked_at) == ("done", 33, 0, 33)
    assert sorted(jids("mail" if place == "queue" else place)) == sorted(made)


def test_while_one_is_at_it_others_are_not(store, fill):
    fill("dead", 30)
    first, second = Operations(store), Operations(store)
    operation = first.start("delete", DeadSet())
    assert store.operations.claim(operation.id, first._runner)
    assert second.step(operation.id).done == 0
    assert first.step(operation.id).done == 30


def test_who_has_lost_the_lease_does_nothing_more(store, operations, fill, monkeypatch, small):
    fill("dead", 30)
    operation = operations.start("delete", DeadSet())
    look = labour.Labour._look

    def sleep_too_long(self, *args):
        found = look(self, *args)
        store.link.call("HSET", store.keys.operation(operation.id), "lease", "1")
        assert store.operations.claim(operation.id, "host:2:other")
        return found

    monkeypatch.setattr(labour.Labour, "_look", sleep_too_long)
    assert (operations.step(operation.id).done, DeadSet().size) == (0, 30)


def test_two_runners_at_once_do_everything_once(store, fill, jids, small):
    made = fill("dead", 300)
    first = Operations(store)
    operation = first.start("retry", DeadSet())

    def run():
        mine = Operations(store)
        while not mine.step(operation.id, Budget(jobs=12)).has_ended:
            pass

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    ended = first.find(operation.id)
    assert (ended.done, ended.gone, ended.looked_at) == (300, 0, 300)
    assert sorted(jids("default")) == sorted(made)


def test_two_operations_at_once_do_everything_once(store, fill, jids, small):
    made = fill("dead", 300)
    mine = Operations(store)
    both = [mine.start("retry", DeadSet()), mine.start("delete", DeadSet(), Filter(text="[1"))]
    while mine.open():
        for operation in both:
            mine.step(operation.id, one_chunk())
    done = [mine.find(operation.id).done for operation in both]
    assert sum(done) == 300
    assert len(jids("default")) == done[0]
    assert set(jids("default")) <= set(made)


def test_an_answer_that_was_lost_leaves_it_as_the_server_has_it(store, operations, fill, finish, monkeypatch, small):
    fill("dead", 30)
    operation = operations.start("delete", DeadSet())
    remove = store.operations.remove
    lost = []

    def lose(*args):
        answer = remove(*args)
        if not lost:
            lost.append(answer)
            raise StoreUnavailable("gone")
        return answer

    monkeypatch.setattr(store.operations, "remove", lose)
    with pytest.raises(StoreUnavailable):
        operations.step(operation.id)
    ended = finish(operation)
    assert (ended.done, ended.gone, ended.looked_at) == (30, 0, 30)


def test_somebody_was_quicker(store, operations, fill, monkeypatch):
    fill("dead", 10)
    operation = operations.start("retry", DeadSet())
    look = labour.Labour._look

    def be_quicker(self, *args):
        found = look(self, *args)
        DeadSet().delete(DeadSet().page(0, 4))
        return found

    monkeypatch.setattr(labour.Labour, "_look", be_quicker)
    ended = operations.step(operation.id)
    assert (ended.state, ended.done, ended.gone) == ("done", 6, 4)


@pytest.mark.parametrize("taken", [1, 7, 600, 30_000])
def test_workers_take_jobs_meanwhile(store, operations, jids, taken):
    """What they take is theirs; nothing of the rest is missed, however far the list has moved."""
    names = ["mail"] * 21_000 + ["pay", "mail"] * 6_000
    made = [Payload.new(name, [], {}, queue="default", retry=True, now=1.0) for name in names]
    store.queues.push([Entry("default", payload.encode()) for payload in made])
    operation = operations.start("delete", Queue("default"), Filter(name="pay"))
    operations.step(operation.id, Budget(jobs=22_000))
    store.link.call("RPOP", store.keys.queue("default"), taken)
    while not operations.step(operation.id, Budget(jobs=5_000)).has_ended:
        store.link.call("RPOP", store.keys.queue("default"), 3)
    left = set(jids("default"))
    assert not left.intersection(payload.jid for payload in made if payload.name == "pay")
    assert left <= {payload.jid for payload in made}


def test_a_queue_whose_seen_jobs_are_all_gone(store, operations, fill, finish, small):
    others = fill("queue", 20, name="mail")
    fill("queue", 20)
    operation = operations.start("delete", Queue("default"), Filter(name="shop.jobs.pay"))
    operations.step(operation.id, Budget(jobs=14))
    assert all(Queue("default").delete_job(jid) for jid in others[:15])
    assert finish(operation).done == 20


def test_an_error_of_ours_ends_it(operations, fill, monkeypatch, caplog):
    fill("dead", 3)
    operation = operations.start("delete", DeadSet())
    monkeypatch.setattr(labour.Labour, "_look", lambda *_: 1 / 0)
    ended = operations.step(operation.id)
    assert (ended.state, ended.error) == ("failed", "ZeroDivisionError: division by zero")
    assert operation.id in caplog.text
    assert operations.open() == []


def test_a_filter_of_a_later_version_is_refused_not_passed_over(store, operations, fill):
    fill("dead", 3)
    operation = operations.start("delete", DeadSet())
    store.link.call("HSET", store.keys.operation(operation.id), "where", '{"tag": "x"}', "colour", "red")
    assert operations.find(operation.id).where == Filter()
    ended = operations.step(operation.id)
    assert ended.state == "failed"
    assert "tag" in ended.error
    assert DeadSet().size == 3


# --- to look at ---


def test_what_is_known_of_it(operations, fill):
    fill("dead", 100)
    where = Filter(name="shop.jobs.pay", due_to=clock.now())
    started = operations.start("retry", DeadSet(), where, spread=60, by="ada", reason="it is back", total=99)
    found = operations.find(started.id)
    assert found == started
    assert (found.verb, found.place, found.where, found.spread, found.total) == ("retry", "dead", where, 60.0, 99)
    assert (found.state, found.by, found.reason, found.size) == ("waiting", "ada", "it is back", 100)
    assert (found.percent, found.rate, found.remaining, found.seconds) == (0, 0, None, 0)
    half = operations.step(started.id, one_chunk())
    assert (half.percent, half.looked_at) == (50, 50)
    assert half.rate > 0
    assert half.remaining > 0
    ended = operations.step(started.id)
    assert (ended.percent, ended.remaining, ended.has_ended) == (100, 0, True)
    assert ended.seconds > 0


def test_all_and_open(operations):
    made = [operations.start("delete", DeadSet()) for _ in range(3)]
    assert {each.id for each in operations.all()} == {each.id for each in made}
    assert len(operations.all(2)) == 2
    assert operations.open() == sorted(each.id for each in made)
    assert operations.step(made[0].id).state == "done"
    assert operations.open() == sorted(each.id for each in made[1:])
    assert operations.find(NOBODY) is None
    assert operations.step(NOBODY) is None
    assert not operations.cancel(NOBODY)


def test_started_twice_with_one_token_it_is_one(operations, fill, finish):
    fill("dead", 3)
    first = operations.start("delete", DeadSet(), token="t0ken", by="ada")
    finish(first)
    fill("dead", 3)
    second = operations.start("delete", DeadSet(), token="t0ken", by="bob")
    assert (second.id, second.state, second.by, second.done) == ("t0ken", "done", "ada", 3)
    assert DeadSet().size == 3
    assert len(operations.all()) == 1


def test_an_operation_that_was_flushed_is_forgotten(store, operations):
    store.link.call("SADD", store.keys.open_operations(), NOBODY)
    assert operations.step(NOBODY) is None
    assert operations.open() == []


def test_only_the_last_are_kept(store, operations):
    now = clock.now()
    made = [f"{number:012x}" for number in range(KEPT + 5)]
    for number, each in enumerate(made):
        store.operations.start(each, {}, now - 60 + number / 10)
        if number:
            operations.cancel(each)
    last = operations.start("delete", DeadSet())
    assert store.operations.ids(10 * KEPT) == [last.id, *reversed(made[-KEPT + 1 :]), made[0]]
    assert 0 < store.link.call("TTL", store.keys.operation(made[-1])) <= 7 * 86_400
    assert store.link.call("TTL", store.keys.operation(made[0])) == -1
    assert store.link.call("EXISTS", store.keys.operation(made[1])) == 0


# --- what makes no sense ---


@pytest.mark.parametrize("verb", ["retry", "kill", "delete", "reschedule", "move"])
@pytest.mark.parametrize("place", ["queue", *SETS])
def test_what_cannot_be_done_there(operations, target, verb, place):
    options = {"reschedule": {"when": 1.0}, "move": {"to": "mail"}}.get(verb, {})
    if verb in VERBS[place]:
        assert operations.start(verb, target(place), **options).verb == verb
    else:
        with pytest.raises(Unsupported, match=f"{verb}.*there you can"):
            operations.start(verb, target(place), **options)


@pytest.mark.parametrize(
    ("verb", "options", "words"),
    [
        ("reschedule", {}, "time"),
        ("delete", {"when": 1.0}, "time"),
        ("move", {}, "queue"),
        ("delete", {"to": "mail"}, "queue"),
        ("move", {"to": "no good"}, "not a queue name"),
        ("retry", {"spread": -1}, "spread"),
        ("delete", {"spread": 1}, "spread"),
    ],
)
def test_options_that_make_no_sense(operations, verb, options, words):
    with pytest.raises(ConfigurationError, match=words):
        operations.start(verb, RetrySet(), **options)
    assert operations.all() == []


def test_queues_that_make_no_sense(operations):
    with pytest.raises(ConfigurationError, match="another queue"):
        operations.start("move", Queue("mail"), to="mail")
    with pytest.raises(ConfigurationError, match="without a time"):
        operations.start("delete", Queue("mail"), Filter(due_from=1.0))


# --- before ---


@pytest.mark.parametrize("place", ["queue", *SETS])
def test_preview(operations, fill, target, place):
    fill(place, 12, name="shop.jobs.mail", queue="default")
    made = fill(place, 700)
    everything = operations.preview(target(place))
    assert (everything.count, everything.complete, everything.size, everything.looked_at) == (712, True, 712, 712)
    assert everything.names == (("shop.jobs.pay", 700), ("shop.jobs.mail", 12))
    assert everything.queues == (("default", 712),)
    assert len(everything.jobs) == 10
    assert everything.oldest <= everything.newest
    some = operations.preview(target(place), Filter(name="shop.jobs.pay"))
    assert (some.count, some.complete, some.names) == (700, True, (("shop.jobs.pay", 700),))
    assert [job.jid for job in some.jobs] == made[:10]


def test_preview_within_a_budget(operations, fill):
    fill("dead", 2_000)
    some = operations.preview(DeadSet(), Filter(name="shop.jobs.pay"), Budget(jobs=600))
    assert not some.complete
    assert 600 <= some.count == some.looked_at < 2_000
    everything = operations.preview(DeadSet(), budget=Budget(jobs=600))
    assert (everything.count, everything.complete) == (2_000, True)
    assert everything.looked_at < 2_000


def test_preview_of_nothing(operations):
    nothing = operations.preview(DeadSet(), Filter(text="x"))
    assert (nothing.count, nothing.complete, nothing.oldest, nothing.jobs) == (0, True, None, ())


def test_preview_between_times(operations, put):
    now = clock.now()
    for due in (-100, -50, -10):
        put("dead", due)
    found = operations.preview(DeadSet(), Filter(due_from=now - 60, due_to=now - 20))
    assert (found.count, found.size) == (1, 1)
    assert found.oldest == found.newest == pytest.approx(now - 50, abs=1)


def test_large_jobs_are_read_few_at_a_time(operations, store, finish, monkeypatch):
    for number in range(30):
        payload = Payload.new("a", ["x" * 300_000, number], {}, queue="default", retry=True, now=1.0)
        store.sets.add("dead", payload.encode(), number)
    monkeypatch.setattr(labour, "FIRST", 2)
    strides = []
    stride = labour.stride
    monkeypatch.setattr(labour, "stride", lambda *args: strides.append(stride(*args)) or strides[-1])
    assert finish(operations.start("delete", DeadSet())).done == 30
    assert max(strides) == 3
