"""The bell: no ring is lost, and ringing while nobody sleeps costs nothing."""

import selectors
import sys
import threading

import pytest

from kiq_django.worker.bell import Bell


class Sleeper:
    """The loop that a bell wakes."""

    def __init__(self):
        self.bell = Bell()
        self.selector = selectors.DefaultSelector()
        self.bell.join(self.selector)

    def sleep(self, seconds):
        """True when it was woken, or did not sleep at all."""
        if not self.bell.may_sleep():
            self.bell.awake()
            return True
        events = self.selector.select(seconds)
        self.bell.awake()
        return bool(events)


@pytest.fixture
def sleeper():
    made = Sleeper()
    yield made
    made.selector.close()
    made.bell.close()


@pytest.fixture
def hasty():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_no_ring_no_waking(sleeper):
    sleeper.bell.heard()
    assert not sleeper.sleep(0)


def test_a_ring_before_sleep_lets_nobody_sleep(sleeper):
    sleeper.bell.heard()
    sleeper.bell.ring()
    assert not sleeper.bell.may_sleep()


def test_a_ring_wakes(sleeper):
    sleeper.bell.heard()
    threading.Timer(0.02, sleeper.bell.ring).start()
    assert sleeper.sleep(10)


def test_who_has_heard_may_sleep_again(sleeper):
    sleeper.bell.ring()
    sleeper.bell.heard()
    assert not sleeper.sleep(0)


def test_rings_while_awake_leave_nothing_in_the_pipe(sleeper):
    for _ in range(100_000):  # more than the pipe holds
        sleeper.bell.ring()
    sleeper.bell.heard()
    assert not sleeper.sleep(0)


def test_many_rings_wake_once(sleeper):
    sleeper.bell.heard()
    assert sleeper.bell.may_sleep()
    for _ in range(100):
        sleeper.bell.ring()
    assert sleeper.selector.select(0)
    sleeper.bell.awake()
    sleeper.bell.heard()
    assert not sleeper.sleep(0)


def test_ringing_after_the_end_harms_nobody():
    bell = Bell()
    bell.may_sleep()
    bell.close()
    bell.ring()


def test_no_ring_is_lost(sleeper, hasty):
    """The sleeper looks at everything after `heard`, as the fetcher does; whatever it missed must wake it."""
    rounds, ringers = 3000, 3
    written, read = [0] * ringers, [0] * ringers
    seen = threading.Semaphore(0)

    def ring(which):
        for _ in range(rounds):
            written[which] += 1
            sleeper.bell.ring()
            if not seen.acquire(timeout=20):
                return

    threads = [threading.Thread(target=ring, args=[which], daemon=True) for which in range(ringers)]
    for thread in threads:
        thread.start()
    while sum(read) < rounds * ringers:
        sleeper.bell.heard()
        news = [now - before for now, before in zip(written, read, strict=True)]
        read = [before + new for before, new in zip(read, news, strict=True)]
        for _ in range(sum(news)):
            seen.release()
        if sum(read) < rounds * ringers:
            assert sleeper.sleep(5), "a ring was lost"
    for thread in threads:
        thread.join(5)
