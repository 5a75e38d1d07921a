"""Failures by kind: what belongs together, how much of it there is, and that counting never takes long."""

import time

import pytest

from kiq_django import clock
from kiq_django.api import Budget, DeadSet, FailureGroups, RetrySet
from kiq_django.api.groups import SECONDS, SMALL, matches
from kiq_django.api.tally import MOST_GROUPS, Tally
from kiq_django.payload import Payload
from tests import faults

HOUR = 3600
LATE = {"error_class": "shop.CardTimeout", "error_message": "timed out after 10 s", "error_frame": "pay.py:8 in charge"}


@pytest.fixture
def fail(store):
    """Put jobs that failed into a set, all at once."""

    def failed(number=1, place="retry", name="shop.pay", queue="default", **fields):
        now = clock.now()
        fields = {"retry_count": 0, "failed_at": now - 60, **LATE, **fields}
        commands = []
        for i in range(number):
            payload = Payload.new(name, [i], {}, queue=queue, retry=True, now=now, **fields)
            commands.append(("ZADD", store.keys.job_set(place), repr(now + i / 1000), payload.encode()))
        store.link.send(commands)

    return failed


@pytest.fixture
def count(store):
    return lambda name="retry", seconds=10.0: FailureGroups(name).count(Budget(seconds))


def complete(groups, most=10_000):
    """Ask until all is counted. Returns the last answer and how many questions it took."""
    for number in range(1, most):
        found = groups.count()
        if found.complete:
            return found, number
    raise AssertionError(f"not complete: {found.counted} of {found.total}")


# --- what belongs together ---


def test_an_empty_set(count):
    found = count()
    assert (found.groups, found.other, found.counted, found.total, found.complete) == ((), 0, 0, 0, True)


def test_a_group(fail, count):
    now = clock.now()
    fail(3, error_message="timed out after 10 s for 'A-1'", failed_at=now - 500, retried_at=now - 100)
    fail(
        1,
        queue="mail",
        error_message="timed out after 7 s for 'B'",
        error_frame="pay.py:9 in charge",
        failed_at=now - 50,
    )
    [group] = count().groups
    assert (group.name, group.error_class) == ("shop.pay", "shop.CardTimeout")
    assert group.pattern == "timed out after # s for '…'"
    assert group.frame in ("pay.py:8 in charge", "pay.py:9 in charge")
    assert (group.count, set(group.queues)) == (4, {"default", "mail"})
    assert (group.first_at, group.last_at) == (pytest.approx(now - 500, abs=1), pytest.approx(now - 50, abs=1))
    assert len(group.jids) == 4
    assert group.is_readable


def test_what_tells_groups_apart(fail, count):
    fail(1)
    fail(2, name="shop.refund")
    fail(3, error_class="KeyError")
    fail(4, error_frame="pay.py:8 in refund")
    assert [group.count for group in count().groups] == [4, 3, 2, 1]


def test_jobs_of_ruby_go_by_job_and_error(fail, count, store):
    for message in ("a", "b"):
        fail(1, name="HardWorker", error_class="Net::ReadTimeout", error_frame=None, error_message=message)
    wrapper = {"name": "Sidekiq::ActiveJob::Wrapper", "error_frame": None}
    fail(1, wrapped="Mailer", **wrapper)
    fail(1, wrapped="Other", **wrapper)
    found = {(group.name, group.error_class, group.frame): group.count for group in count().groups}
    late = LATE["error_class"]
    assert found == {("HardWorker", "Net::ReadTimeout", ""): 2, ("Mailer", late, ""): 1, ("Other", late, ""): 1}


def test_what_cannot_be_read_is_one_group(store, fail, count):
    fail(1, "dead")
    now = clock.now()
    for number, raw in enumerate([b"{", b"\xff\xfe", b"[]", b'{"class":7}', b"[" * 5000]):
        store.sets.add("dead", raw, now - 100 - number)
    unreadable, readable = count("dead").groups
    assert (unreadable.count, unreadable.is_readable, unreadable.jids, unreadable.needles) == (5, False, (), ())
    assert unreadable.last_at == pytest.approx(now - 100)
    assert readable.count == 1


def test_a_job_that_was_killed_before_it_failed(put, count):
    put("dead", -300)
    [group] = count("dead").groups
    assert (group.error_class, group.pattern) == ("", "")
    assert group.last_at == pytest.approx(clock.now() - 300, abs=2)


def test_the_trend_is_by_hour(fail, count, monkeypatch):
    now = 1_795_318_639.5
    begin = now // HOUR * HOUR
    monkeypatch.setattr(clock, "now", lambda: now)
    fail(2, failed_at=begin - 100 * HOUR, retried_at=begin + 1)
    fail(3, failed_at=begin - 1)
    fail(4, failed_at=begin - 23 * HOUR)
    fail(5, failed_at=begin - 24 * HOUR)
    [group] = count().groups
    assert group.trend == (4, *[0] * 21, 3, 2)
    assert group.count == 14


@pytest.mark.parametrize("moment", [-1.0, 0, 1e300, 10**300, "yesterday", None, [], True])
def test_times_that_are_none(fail, count, moment):
    fail(1, failed_at=moment, retried_at=moment)
    [group] = count().groups
    assert (group.first_at, group.last_at, sum(group.trend)) == (None, None, 0)


def test_a_clock_that_is_ahead(fail, count):
    fail(1, failed_at=clock.now() + 600)
    [group] = count().groups
    assert group.last_at <= clock.now()
    assert group.trend[-1] == 1


@pytest.mark.parametrize("value", [7, [], {"a": 1}, "x" * 100_000, "\x00\x1b[31m", "<script>", True])
def test_fields_that_hold_anything(fail, count, value):
    fail(1, error_class=value, error_frame=value, error_message=value, display_class=value)
    [group] = count().groups
    assert group.count == 1
    assert all(len(text) <= 300 for text in (group.name, group.error_class, group.frame, group.pattern))
    [job] = RetrySet().page()
    assert job.fingerprint == group.fingerprint


def test_more_kinds_than_there_is_room_for(fail, count, monkeypatch):
    monkeypatch.setattr("kiq_django.api.tally.MOST_KINDS", 10)
    for number in range(MOST_GROUPS + 20):
        fail(1, error_class=f"E{number}")
    found = count()
    assert (len(found.groups), found.other, found.counted) == (MOST_GROUPS, 20, MOST_GROUPS + 20)


# --- acting on a group ---


def test_a_predicate_finds_the_jobs_of_a_group(fail, count):
    fail(3)
    fail(2, error_class="KeyError")
    found = count()
    for group in found.groups:
        theirs = list(filter(matches(group.fingerprint), RetrySet()))
        assert len(theirs) == group.count
        assert all(needle in job.raw for job in theirs for needle in group.needles)
        assert found.find(group.fingerprint) is group
    assert found.find("") is None
    assert not any(map(matches(""), RetrySet()))


def test_unreadable_jobs_have_a_predicate_too(store, fail, count):
    store.sets.add("dead", b"{", clock.now())
    fail(1, "dead")
    fingerprint = next(group.fingerprint for group in count("dead").groups if not group.is_readable)
    assert [job.raw for job in DeadSet() if matches(fingerprint)(job)] == [b"{"]


@pytest.mark.parametrize(
    ("name", "error", "needles"),
    [
        ("shop.pay", "Net::ReadTimeout", (b'"shop.pay"', b'"Net::ReadTimeout"')),
        ("größe", "a/b", ()),
        ("<x>", "KeyError", (b'"KeyError"',)),
    ],
)
def test_needles_are_written_alike_by_everybody(fail, count, name, error, needles):
    fail(1, name=name, error_class=error)
    assert count().groups[0].needles == needles


# --- in steps ---


def test_a_large_set_is_counted_in_steps(fail, store):
    fail(20_000)
    fail(30, error_class="KeyError")
    groups = FailureGroups("retry")
    first = groups.count(Budget(0.0))
    assert 0 < first.counted < 20_030
    assert (first.complete, first.total) == (False, 20_030)
    assert sum(group.count for group in first.groups) == first.counted
    second = groups.count(Budget(0.0))
    assert second.counted > first.counted
    assert second.counted_at == first.counted_at
    last, _ = complete(FailureGroups("retry"))
    assert (last.counted, last.total) == (20_030, 20_030)
    assert [group.count for group in last.groups] == [20_000, 30]


def test_each_step_is_within_its_time(fail):
    fail(20_000)
    groups, took, is_complete = FailureGroups("retry"), [], False
    while not is_complete:
        began = time.perf_counter()
        is_complete = groups.count().complete
        took.append(time.perf_counter() - began)
    assert sorted(took)[len(took) // 2] < 2 * SECONDS
    began = time.perf_counter()
    assert groups.count().complete
    assert time.perf_counter() - began < SECONDS


def test_large_jobs_are_read_few_at_a_time(fail, monkeypatch):
    fail(60, error_message="x" * 500_000)
    began = time.perf_counter()
    found = FailureGroups("retry").count()
    assert time.perf_counter() - began < 1.0
    assert 0 < found.counted <= 60


def test_jobs_at_one_moment_are_each_counted_once(store, fail):
    now = clock.now()
    for number in range(3000):
        payload = Payload.new("shop.pay", [number], {}, queue="default", retry=True, now=now, **LATE)
        store.sets.add("retry", payload.encode(), now if number % 3 else now - 1)
    groups = FailureGroups("retry")
    for _ in range(5000):
        if (found := groups.count(Budget(0.0))).complete:
            break
    assert (found.counted, found.groups[0].count) == (3000, 3000)


def test_what_comes_and_goes_meanwhile(fail, store):
    fail(3000)
    groups = FailureGroups("retry")
    first = groups.count(Budget(0.0))
    fail(50)  # later than what is counted
    for job in RetrySet().page(0, 100):
        job.delete()
    last, _ = complete(groups)
    assert first.counted < last.counted <= 3000
    assert last.counted >= 2900


def test_a_good_count_is_not_made_again(fail, monkeypatch):
    fail(SMALL + 1000)
    groups = FailureGroups("retry")
    found, _ = complete(groups)
    fail(1)
    again = groups.count()
    assert (again.counted_at, again.counted, again.total) == (found.counted_at, found.counted, found.total + 1)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 60)
    assert groups.count(Budget(0.0)).counted_at == found.counted_at  # the old one is shown until the new one is there
    newer, _ = complete_since(groups, now + 59)
    assert newer.counted == found.counted + 1


def complete_since(groups, moment):
    for number in range(10_000):
        found = groups.count()
        if found.complete and found.counted_at >= moment:
            return found, number
    raise AssertionError("never counted again")


def test_a_set_that_has_changed_much_is_counted_again(fail):
    fail(SMALL + 1000)
    groups = FailureGroups("retry")
    found, _ = complete(groups)
    fail(100)
    newer, _ = complete_since(groups, found.counted_at + 1e-6)
    assert newer.counted == found.counted + 100


def test_a_count_that_is_far_off_is_not_shown(fail, store):
    fail(SMALL + 1000)
    groups = FailureGroups("retry")
    complete(groups)
    store.link.call("ZREMRANGEBYRANK", "retry", 0, 1950)
    found = groups.count()
    assert (found.counted, found.total) == (49, 49)


def test_a_small_set_is_always_as_it_is(fail):
    fail(5)
    groups = FailureGroups("retry")
    assert groups.count().counted == 5
    RetrySet().page()[0].delete()
    assert groups.count().counted == 4


def test_forgetting(fail, store):
    fail(SMALL + 1000)
    groups = FailureGroups("retry")
    found, _ = complete(groups)
    groups.forget()
    assert groups.count(Budget(0.0)).counted < found.counted


def test_one_counts_while_the_others_look(fail, store):
    fail(SMALL + 1000)
    groups = FailureGroups("retry")
    first = groups.count(Budget(0.0))
    assert store.groups.claim("retry")
    assert not store.groups.claim("retry")
    assert groups.count().counted == first.counted
    assert 0 < store.link.call("PTTL", store.keys.groups_guard("retry")) <= 2000
    store.link.call("DEL", store.keys.groups_guard("retry"))
    assert groups.count().counted > first.counted


def test_nobody_has_counted_yet_and_somebody_is_at_it(fail, store):
    fail(3)
    assert store.groups.claim("retry")
    found = FailureGroups("retry").count()
    assert (found.groups, found.counted, found.total, found.complete) == ((), 0, 3, False)


def test_a_full_server(fail, store):
    fail(3)
    with faults.full(store.link.client):
        found = FailureGroups("retry").count()
        assert (found.counted, found.complete) == (3, True)
    assert store.link.call("EXISTS", store.keys.groups("retry"), store.keys.groups_guard("retry")) == 0


def test_looking_without_counting(fail, store):
    fail(3)
    nothing = Budget(seconds=0.0, jobs=0)
    assert FailureGroups("retry").count(nothing).counted == 0
    FailureGroups("retry").count()
    fail(3)
    found = FailureGroups("retry").count(nothing)
    assert (found.counted, found.total, found.complete) == (3, 6, True)


def test_what_is_kept_goes_away_by_itself(fail, store):
    fail(3)
    FailureGroups("retry").count()
    assert 0 < store.link.call("TTL", store.keys.groups("retry")) <= 600
    assert store.link.call("EXISTS", store.keys.groups_guard("retry")) == 0


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"began_at":1,"groups":{"a":{"x":1}}}', b'{"groups":[]}'])
def test_what_another_version_has_kept_is_counted_again(fail, store, text):
    fail(3)
    for name in ("done", "begun"):
        store.link.call("HSET", store.keys.groups("retry"), name, text)
    assert FailureGroups("retry").count().counted == 3


def test_what_is_kept_stays_small(fail, store):
    """Five hundred groups of the longest names."""
    now = clock.now()
    tally = Tally(now)
    for number in range(2000):
        text = f"{number:04}" + "\N{PILE OF POO}" * 500
        queue = f"{number}" + "q" * 500
        fields = {"error_class": text, "error_message": text, "error_frame": text, "failed_at": now}
        payload = Payload.new(text, [], {}, queue=queue, retry=True, now=now, jid=text, **fields)
        tally.step([(payload.encode(), b"1")], tally.cursor, now=now, scored=False)
    text = tally.encode()
    assert len(text) < 4_000_000
    assert Tally.decode(text).groups == tally.groups
