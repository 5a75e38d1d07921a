"""Leases, and taking back what somebody held whose lease has ended."""

import pytest

from kiq_django import conf
from kiq_django import store as stores
from kiq_django.exceptions import StoreError
from kiq_django.store.working import FORGET_AFTER, RECOVERIES_THAT_KILL, RECOVERY_WINDOW
from kiq_django.worker.reaper import PAGE, Reaper
from tests.store.conftest import QUEUES, take


@pytest.fixture
def lapse(store):
    """Move the end of an owner's lease to so many seconds ago."""

    def lapsed(owner="me", queue="default", ago=1.0):
        end = store.working.owners(queue)[owner]
        assert end >= 0
        now = int(store.link.call("TIME")[0])
        store.link.call("ZADD", store.keys.owners(queue), now - ago, owner)

    return lapsed


@pytest.fixture
def die(working, lapse):
    """Reserve all and never come back."""

    def dead(owner="me", room=1000):
        taken = take(working, owner, room=room)
        lapse(owner)
        return taken

    return dead


def cases(raws, dead=b"dead"):
    """As a reaper gives them: the newest first."""
    return [(raw, f"jid-{raw.hex()}", dead) for raw in reversed(raws)]


# --- leases ---


def test_a_lease_ends_by_the_servers_clock(working, server_now):
    working.register("me", ["a", "b"], 30)
    for queue in ("a", "b"):
        assert working.owners(queue)["me"] == pytest.approx(server_now() + 30, abs=1)
    assert working.served() == ["a", "b"]


def test_a_lease_is_prolonged(working, lapse):
    working.register("me", QUEUES, 30)
    lapse()
    assert working.expired(QUEUES) == [("default", "me")]
    assert working.renew("me", QUEUES, 30)
    assert working.expired(QUEUES) == []


def test_the_unknown_cannot_renew_and_stay_unknown(working):
    assert not working.renew("nobody", QUEUES, 30)
    assert working.owners("default") == {}


def test_a_renewal_that_fails_on_one_queue_says_so(working):
    working.register("me", ["a", "b"], 30)
    working.reclaim("a", "me", [], force=True)
    assert not working.renew("me", ["a", "b"], 30)


def test_whose_lease_has_ended_is_found_on_every_queue(working, lapse):
    working.register("alive", ["a"], 30)
    working.register("dead", ["a", "b"], 30)
    lapse("dead", "a")
    lapse("dead", "b")
    assert working.expired(["a", "b", "never served"]) == [("a", "dead"), ("b", "dead")]
    assert working.expired([]) == []


# --- taking back ---


def test_a_lease_in_force_protects(working, push):
    raws = push("a")
    take(working)
    assert working.reclaim("default", "me", cases(raws)) is None
    assert working.held("me", QUEUES) == [("default", raws[0])]
    assert working.renew("me", QUEUES, 30)


def test_a_lease_that_was_renewed_in_between_protects(working, push, die):
    raws = push("a")
    die()
    found = working.expired(QUEUES)
    assert working.renew("me", QUEUES, 30)
    assert [working.reclaim(queue, owner, cases(raws)) for queue, owner in found] == [None]


def test_force_takes_it_all_the_same(working, push, waiting):
    raws = push("a")
    take(working)
    assert working.reclaim("default", "me", cases(raws), force=True) == "1"
    assert waiting() == raws
    assert not working.renew("me", QUEUES, 30)


def test_jobs_stand_at_the_front_in_their_old_order(working, push, die, waiting):
    raws = push("a", "b", "c")
    die()
    later = push("later")
    assert working.reclaim("default", "me", cases(raws)) == "111"
    assert waiting() == raws + later


def test_several_pages_keep_their_order(store, push, die, waiting):
    raws = push(*map(str, range(2 * PAGE + 50)))
    die()
    later = push("later")
    assert Reaper(store, 5, 30).reap("default", "me") == len(raws)
    assert waiting() == raws + later


def test_what_is_gone_already_is_left_alone(working, push, die, waiting):
    raws = push("a", "b")
    die()
    assert working.reclaim("default", "me", cases([raws[0], b"never there", raws[1]])) == "101"
    assert waiting() == raws


def test_bytes_are_not_touched(store, working, die, waiting):
    raw = bytes(range(256))
    store.link.call("LPUSH", store.keys.queue("default"), raw)
    die()
    assert Reaper(store, 5, 30).reap("default", "me") == 1
    assert waiting() == [raw]


def test_two_reapers_take_each_job_once(working, push, die, waiting):
    raws = push("a", "b")
    die()
    assert working.reclaim("default", "me", cases(raws)) == "11"
    assert working.reclaim("default", "me", cases(raws)) == "00"
    assert waiting() == raws


# --- jobs that kill ---


def killed(working, die, raw, times, dead=b"dead"):
    """The fates of a job whose worker dies again and again."""
    fates = ""
    for number in range(times):
        die(f"owner {number}")
        fates += working.reclaim("default", f"owner {number}", cases([raw], dead))
    return fates


def test_the_third_time_is_the_last(store, working, push, die, members, waiting):
    [raw] = push("a")
    assert killed(working, die, raw, RECOVERIES_THAT_KILL) == "112"
    assert (members("dead"), waiting()) == ([b"dead"], [])
    assert store.link.call("KEYS", "*recovered*") == []


def test_without_a_dead_set_nothing_is_lost_and_others_come_back(working, push, die, waiting, redis_call):
    [raw] = push("a")
    killed(working, die, raw, RECOVERIES_THAT_KILL - 1)
    [other] = push("b")
    die("last")
    redis_call("SET", "dead", "no set")
    with pytest.raises(StoreError):
        working.reclaim("default", "last", cases([raw, other]))
    assert waiting() == [other]
    assert working.held("last", ["default"]) == [("default", raw)]


def test_who_comes_back_from_the_dead_has_all_its_chances_again(store, working, push, die):
    [raw] = push("a")
    killed(working, die, raw, RECOVERIES_THAT_KILL)
    push("a")
    assert killed(working, die, raw, RECOVERIES_THAT_KILL) == "112"


def test_a_job_that_wants_no_grave_is_dropped(working, push, die, members, waiting):
    [raw] = push("a")
    assert killed(working, die, raw, RECOVERIES_THAT_KILL, dead=None) == "113"
    assert (members("dead"), waiting()) == ([], [])


def test_an_empty_job_has_a_grave_too(working, store, die, members, waiting):
    store.link.call("LPUSH", store.keys.queue("default"), b"")
    assert killed(working, die, b"", RECOVERIES_THAT_KILL, dead=b"") == "112"
    assert (members("dead"), waiting()) == ([b""], [])


def test_the_count_has_a_window(store, working, push, die):
    [raw] = push("a")
    assert killed(working, die, raw, 1) == "1"
    [counter] = store.link.call("KEYS", "*recovered*")
    assert 0 < store.link.call("TTL", counter) <= RECOVERY_WINDOW


def test_each_job_has_a_count_of_its_own(working, push, die):
    [a] = push("a")
    assert killed(working, die, a, 2) == "11"
    [b] = push("b")
    die("late")
    assert working.reclaim("default", "late", cases([a, b])) == "12"


def test_burials_keep_to_the_limits(settings, push, die, members):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"dead_jobs": 1, "dead_seconds": 60}}
    assert conf.get().limits.dead_jobs == 1
    working = stores.get().working
    raws = push("a", "b")
    for number in range(RECOVERIES_THAT_KILL):
        die(f"owner {number}")
        fates = working.reclaim("default", f"owner {number}", [(raw, raw.hex(), raw) for raw in reversed(raws)])
    assert fates == "22"
    assert len(members("dead")) == 1


# --- forgetting ---


def test_a_reaped_owner_is_looked_at_only_while_it_holds_something(store, working, lapse):
    working.register("me", QUEUES, 30)
    lapse()
    assert working.reclaim("default", "me", []) == ""
    assert working.owners("default")["me"] < 0
    assert working.expired(QUEUES) == []
    store.link.call("LPUSH", store.keys.working("default", "me"), b"late")
    assert working.expired(QUEUES) == [("default", "me")]


def reaped_long_ago(store, seconds):
    """An owner that was reaped so long ago."""
    now = int(store.link.call("TIME")[0])
    store.link.call("ZADD", store.keys.owners("default"), -(now - seconds), "me")


def test_a_reaped_owner_is_forgotten_after_a_day(store, working):
    reaped_long_ago(store, FORGET_AFTER + 5)
    assert working.expired(QUEUES) == [("default", "me")]
    assert working.reclaim("default", "me", []) == ""
    assert working.owners("default") == {}


def test_not_while_something_is_on_its_list(store, working, waiting):
    reaped_long_ago(store, FORGET_AFTER + 5)
    store.link.call("LPUSH", store.keys.working("default", "me"), b"a", b"b")
    assert working.reclaim("default", "me", cases([b"b"])) == "1"
    assert list(working.owners("default")) == ["me"]
    assert working.reclaim("default", "me", cases([b"a"])) == "1"
    assert working.owners("default") == {}
    assert waiting() == [b"a", b"b"]


def test_not_before_the_day_is_over(store, working):
    reaped_long_ago(store, FORGET_AFTER - 60)
    assert working.expired(QUEUES) == []
    working.reclaim("default", "me", [])
    assert list(working.owners("default")) == ["me"]


def test_a_reaped_owner_keeps_the_time_of_its_first_reaping(store, working):
    reaped_long_ago(store, 60)
    before = working.owners("default")["me"]
    working.reclaim("default", "me", [], force=True)
    assert working.owners("default")["me"] == before
