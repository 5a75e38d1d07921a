"""Reservation: leases, reserve, settle, and taking back what a dead owner held."""

import pytest

from kiq_django import conf
from kiq_django import store as stores
from kiq_django.store.working import Move
from tests.store.conftest import QUEUES, settle, take
from tests.support import wait_for

# --- leaving ---


def test_what_a_late_waiter_of_a_retired_owner_takes_is_found(store, working, push, waiting):
    working.register("me", QUEUES, 30)
    waiter = store.link.client.connection_pool.make_connection()
    keys = store.keys
    waiter.connect()
    waiter.send_command("BLMOVE", keys.queue("default"), keys.working("default", "me"), "RIGHT", "LEFT", 5)
    wait_for(lambda: store.link.client.info("clients")["blocked_clients"])
    assert working.retire("me", QUEUES) == 0
    [raw] = push("late")
    assert waiter.read_response() == raw
    waiter.disconnect()
    for queue, owner in working.expired(QUEUES):
        working.reclaim(queue, owner, [(raw, "late", raw)])
    assert waiting() == [raw]


def test_a_retired_owner_is_not_renewed(working, push):
    push("a")
    take(working)
    assert working.retire("me", QUEUES) == 1
    assert not working.renew("me", QUEUES, 30)


# --- the dead set ---


@pytest.mark.parametrize("limit", [1, 2])
def test_the_dead_set_keeps_as_many_as_the_setting_says(store, settings, push, limit):
    settings.KIQ = {**settings.KIQ, "LIMITS": {"dead_jobs": limit}}
    assert conf.get().limits.dead_jobs == limit
    limited = stores.get()
    push("a", "b", "c")
    raws = take(limited.working)
    settle(limited.working, *[Move("bury", raw, 0, raw) for raw in raws])
    assert [raw for raw, _ in limited.sets.page("dead", 0, 10)] == raws[-limit:]
