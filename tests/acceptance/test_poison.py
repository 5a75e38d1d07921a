"""A job that kills its worker takes no other job along, with real processes that are really killed."""

import pytest

from kiq_django.payload import Payload
from tests.acceptance.process import effects
from tests.support import wait_for

pytestmark = pytest.mark.acceptance


def test_the_killer_dies_and_the_innocent_live(worker, push, store, tmp_path):
    """One among a thousand, ten at once, and its neighbours take long enough to be there each time."""
    kiq = {"WORKER": {"poll_interval": 0.2, "heartbeat": 0.2, "lease": 0.5}}
    for number in range(999):
        push("touch", number, 0.3 if 490 < number < 510 else 0.001)
        if number == 500:
            push("suicide", 500)
    deaths, running = 0, worker("-c", "10", "-v", "0", kiq=kiq)

    def is_over():
        nonlocal deaths, running
        if running.process.poll() is not None:
            deaths, running = deaths + 1, worker("-c", "10", "-v", "0", kiq=kiq)
        return sum(name.startswith("touch") for name in effects(tmp_path)) == 999 and store.sets.count("dead")

    wait_for(is_over, 60, "all but the killer to be done, and the killer to be dead")
    dead = [Payload.decode(raw) for raw, _ in store.sets.page("dead", 0, 99)]
    assert [job.name.rpartition(".")[2] for job in dead] == ["suicide"]
    assert dead[0].document["error_class"].endswith("PoisonError")
    assert deaths == effects(tmp_path)["suicide 500"] == 3
    wait_for(lambda: not store.link.call("LLEN", store.keys.suspects("default")))
