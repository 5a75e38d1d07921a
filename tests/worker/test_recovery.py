"""What a process held that is known to be gone is given back at once."""

import pytest

from kiq_django import store as stores
from kiq_django.exceptions import StoreUnavailable
from kiq_django.store.queues import Entry
from kiq_django.worker import recovery
from tests.worker.conftest import encoded, numbers


@pytest.mark.parametrize("partitions", [1, 2])
def test_its_jobs_are_back_and_those_of_others_are_not(store, settings, partitions):
    settings.KIQ = {**settings.KIQ, "QUEUES": {"bulk": {"weight": 1, "partitions": partitions}}}
    found = stores.get()
    lists = found.lists("bulk")
    found.queues.push([Entry("bulk", encoded("job", number, queue="bulk")) for number in range(8)])
    for owner, room in (("host:1:aa:default:x", 4), ("host:11:ab:default:x", 4)):
        found.working.register(owner, lists, 60)
        found.working.turn([], owner, lists, room)
    assert found.queues.sizes(["bulk"]) == {"bulk": 0}
    assert recovery.recover(found, "host:1:aa", 60) == 4
    assert found.queues.sizes(["bulk"]) == {"bulk": 4}
    assert recovery.recover(found, "host:1:aa", 60) == 0
    assert len(found.working.held("host:11:ab:default:x", lists)) == 4


def test_they_stand_in_front_in_their_old_order(store):
    store.queues.push([Entry("default", encoded("job", number)) for number in range(5)])
    store.working.register("host:1:aa:default:x", ["default"], 60)
    store.working.turn([], "host:1:aa:default:x", ["default"], 3)
    assert recovery.recover(store, "host:1:aa", 60) == 3
    assert numbers(store.queues.page("default", 0, 9)) == [0, 1, 2, 3, 4]


def test_a_redis_that_is_away_is_waited_for_until_the_lease_ends(store, monkeypatch):
    asked = []

    def away():
        asked.append(1)
        raise StoreUnavailable("away")

    monkeypatch.setattr(store.working, "served", away)
    assert recovery.recover(store, "host:1:aa", 0.4) == 0
    assert len(asked) > 1


def test_a_list_of_another_type_keeps_no_other_queue_waiting(store, caplog):
    for queue in ("bulk", "default"):
        store.queues.push([Entry(queue, encoded("job", 1, queue=queue))])
        store.working.register("host:1:aa:default:x", [queue], 60)
        store.working.turn([], "host:1:aa:default:x", [queue], 3)
    store.link.call("SET", store.keys.queue("bulk"), "of somebody else")
    assert recovery.recover(store, "host:1:aa", 60) == 1
    assert store.queues.sizes(["default"]) == {"default": 1}
    assert len(store.working.held("host:1:aa:default:x", ["bulk"])) == 1
    assert "bulk" in caplog.text
