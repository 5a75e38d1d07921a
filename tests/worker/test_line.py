"""Async jobs that wait for a place on the event loop."""

import asyncio
import threading
from collections import Counter

import pytest

from kiq_django import clock, registry
from kiq_django.payload import Payload
from kiq_django.worker.config import CapsuleConfig
from kiq_django.worker.event_loop import EventLoop
from kiq_django.worker.line import Guest, Line
from kiq_django.worker.patience import STALE
from kiq_django.worker.reservation import Reservation
from tests.support import wait_for


class Fetched:
    """What a fetcher does for the loop."""

    def __init__(self):
        self.handed_off, self.ended, self.left_alone = [], [], []
        self.hand_off, self.finish = self.handed_off.append, self.ended.append
        self.leave_alone = self.left_alone.append

    def note_start(self):
        pass


@pytest.fixture
def host():
    return Fetched()


@pytest.fixture
def guest(host):
    """Make a guest who knows his number."""

    def made(number=0, name="nap"):
        payload = Payload.new(name, [number], {}, queue="default", retry=False, now=1.5)
        return Guest(Reservation("owner", "default", payload.encode()), payload, host)

    return made


@pytest.fixture
def passed(monkeypatch):
    """A clock that the test moves."""
    moment = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: moment[0])
    return moment


@pytest.fixture
def line():
    return Line()


def let_end(line, passed, count, every):
    """So many jobs of the loop end, one after the other."""
    for _ in range(count):
        passed[0] += every
        line.note_end()


# --- how many wait ---


def test_nobody_waits_before_a_place_was_seen_to_come_free(line):
    assert line.room == 0


@pytest.mark.parametrize(("every", "room"), [(0.0001, 50), (0.001, 5), (0.01, 0), (1.0, 0)])
def test_as_many_wait_as_find_a_place_within_5_ms(line, passed, every, room):
    let_end(line, passed, 2000, every)
    assert line.room == pytest.approx(room, abs=1)


def test_those_who_wait_take_room(line, passed, guest):
    let_end(line, passed, 2000, 0.0001)
    room = line.room
    for number in range(room):
        line.join(guest(number))
    assert (line.room, len(line)) == (0, room)


def test_first_come_first_served(line, guest):
    guests = [guest(number) for number in range(3)]
    for each in guests:
        line.join(each)
    assert [line.next() for _ in range(4)] == [*guests, None]


# --- who waits in vain ---


def test_those_who_wait_in_vain_come_out_within_20_ms(line, passed, guest):
    let_end(line, passed, 2000, 0.0001)
    guests = [guest(number) for number in range(20)]
    for each in guests:
        line.join(each)
    came, found = passed[0], []
    while not found:
        found = line.stuck()
        passed[0] += STALE / 4
        assert passed[0] - came < 0.020
    assert found == guests
    assert (len(line), line.room) == (0, 0)


def test_while_places_come_free_all_stay(line, passed, guest):
    let_end(line, passed, 2000, 0.0001)
    for number in range(20):
        line.join(guest(number))
    for _ in range(50):
        let_end(line, passed, 30, 0.0001)
        assert line.stuck() == []


def test_when_fewer_come_free_than_wait_all_go(line, passed, guest):
    """Places come free, and so rarely that the last would wait for long."""
    let_end(line, passed, 2000, 0.0001)
    for number in range(40):
        line.join(guest(number))
    for _ in range(10):
        let_end(line, passed, 1, 0.004)
        if found := line.stuck():
            break
    assert len(found) == 40


def test_who_is_given_back_goes_to_the_front_of_his_queue_as_he_was(guest, host):
    one = guest()
    one.give_back()
    assert one.reservation.move.verb == "requeue"
    assert one.reservation.move.new == one.reservation.raw
    assert host.ended == [one.reservation]
    assert host.left_alone == ["default"]


def test_only_the_own_are_withdrawn(line, guest):
    guests = [guest(number) for number in range(4)]
    for each in guests:
        line.join(each)
    own = {guests[0].reservation, guests[2].reservation, Reservation("owner", "default", b"elsewhere")}
    assert line.withdraw(own) == [guests[0].reservation, guests[2].reservation]
    assert [line.next(), line.next(), line.next()] == [guests[1], guests[3], None]


# --- on the loop ---


@pytest.fixture
def loop():
    loop = EventLoop(2, threading.Event())
    yield loop
    loop.stop(1)


@pytest.fixture
def begun(declare):
    """Numbers of the jobs that have begun; each ends when it is told to."""
    begun, ends = [], {}

    async def stay(number):
        ends[number] = asyncio.Event(), asyncio.get_running_loop()
        begun.append(number)
        await ends[number][0].wait()

    def end(number):
        event, loop = ends[number]
        loop.call_soon_threadsafe(event.set)

    declare(stay)
    return begun, end


def test_a_place_that_comes_free_goes_to_the_next_in_line(loop, begun, guest, host, monkeypatch):
    numbers, end = begun
    monkeypatch.setattr(Line, "room", 2)
    guests = [guest(number, "stay") for number in range(4)]
    assert all(loop.submit(*each) for each in guests)
    wait_for(lambda: numbers == [0, 1])
    assert len(loop.line) == 2
    assert list(loop.running) == [each.reservation for each in guests[:2]]
    end(1)
    wait_for(lambda: numbers == [0, 1, 2])
    end(0)
    wait_for(lambda: numbers == [0, 1, 2, 3])
    assert host.handed_off == [each.reservation for each in guests]
    end(2)
    end(3)
    wait_for(lambda: len(host.ended) == 4)
    assert (loop.free_places, loop.running) == (2 + loop.line.room, {})


def test_nobody_is_left_in_line_beside_a_free_place(loop, declare, guest, host, monkeypatch):
    """Jobs end in the very moment in which others join."""
    monkeypatch.setattr(Line, "room", 1000)

    async def nap(number):
        await asyncio.sleep(0)

    declare(nap)
    threads = [
        threading.Thread(target=lambda: [loop.submit(*guest(number)) for number in range(500)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: len(host.ended) == 2000)
    assert set(Counter(host.ended).values()) == {1}


def test_a_worker_that_stops_gives_back_who_is_in_line(start, declare, push, store, waiting):
    """Jobs that wait 2 ms, many more than there are places: some are in line when it stops."""
    ran = []

    async def nap(number):
        await asyncio.sleep(0.002)
        ran.append(number)

    declare(nap)
    for number in range(3000):
        push("nap", number)
    launcher = start(async_concurrency=20, capsules=[CapsuleConfig(queues={"default": 0}, concurrency=2)])
    wait_for(lambda: len(launcher._event_loop.line) > 5)
    launcher.stop(5)
    assert sorted([*ran, *waiting()]) == list(range(3000))
    assert store.link.call("KEYS", "*working*") == []


def test_they_are_told_as_started_when_they_start(start, declare, push, begun):
    numbers, end = begun
    started = []

    class Journal:
        def started(self, payload, queue):
            started.append(payload.args[0])

        def settled(self, outcomes):
            pass

        def flush(self):
            pass

    assert registry.find("stay").is_async
    loop = EventLoop(1, threading.Event(), Journal())
    host = Fetched()
    jobs = []
    for number in range(2):
        payload = Payload.new("stay", [number], {}, queue="default", retry=False, now=1.5)
        jobs.append((Reservation("owner", "default", payload.encode()), payload, host))
    assert loop.submit(*jobs[0])
    loop.line.join(Guest(*jobs[1]))
    wait_for(lambda: numbers == [0])
    assert started == [0]
    end(0)
    wait_for(lambda: numbers == [0, 1])
    assert started == [0, 1]
    end(1)
    wait_for(lambda: len(host.ended) == 2)
    loop.stop(1)
