"""Taking back the jobs of processes that are gone."""

import pytest

from kiq_django import store as stores
from kiq_django.exceptions import StoreUnavailable
from kiq_django.store.queues import Entry
from kiq_django.worker.reaper import Reaper
from tests.support import wait_for
from tests.worker.conftest import encoded


def test_after_an_outage_the_living_may_renew_first(own_server, settings):
    settings.KIQ = {**settings.KIQ, "REDIS": {"url": own_server.url, "socket_timeout": 0.3}}
    store = stores.get()
    reaper = Reaper(store, 5, lease=0.2)
    store.queues.push([Entry("default", encoded("job"))])
    store.working.register("alive", ["default"], 0.2)
    assert store.working.turn([], "alive", ["default"], 1).taken
    reaper.tick()
    own_server.freeze()
    with pytest.raises(StoreUnavailable):
        reaper.tick()
    own_server.thaw()
    wait_for(own_server.answers)
    reaper.tick()
    assert store.working.renew("alive", ["default"], 30)
