"""The identities of jobs: unique, in order of time, and quick to make."""

import os
import subprocess
import sys
import threading

import pytest

from kiq_django import clock, jids
from kiq_django.jids import JidRange, moment, new_jid

HEX = set("0123456789abcdef")


@pytest.fixture
def at(monkeypatch):
    """Stop the clock at a time."""
    return lambda now: monkeypatch.setattr(clock, "now", lambda: now)


def test_24_lower_case_hex_characters_for_every_time():
    for now in (None, 0, 1.5, 1_800_000_000, 1_800_000_000.999, 1e300, -5.0, float("inf"), float("nan")):
        jid = new_jid(now)
        assert len(jid) == 24
        assert set(jid) <= HEX


def test_the_first_8_are_the_seconds_since_the_epoch():
    assert int(new_jid(1_800_000_000.75)[:8], 16) == 1_800_000_000


def test_in_order_of_time():
    ids = [new_jid(1_800_000_000 + number / 10_000) for number in range(1_000)]
    assert ids == sorted(ids)


def test_the_moment_that_an_id_tells(at):
    at(1_800_000_100.0)
    assert moment(new_jid()) == pytest.approx(1_800_000_100, abs=1 / jids.TICKS)
    assert moment(new_jid(1_800_000_000.25)) == pytest.approx(1_800_000_000.25, abs=1 / jids.TICKS)


@pytest.mark.parametrize(
    "jid",
    ["", "x", "f" * 24, "0" * 24, "6b4" * 7, "6B4A1234" * 3, "6b4a123z" * 3, " 6b4a1234" * 3, "6b4a1234" * 4, "٣" * 24],
)
def test_ids_that_tell_none(at, jid):
    at(1_800_000_000.0)
    assert moment(jid) is None


def test_the_future_is_no_moment(at):
    ahead = new_jid(1_800_010_000)
    at(1_800_000_000.0)
    assert moment(ahead) is None


def test_unique_over_threads_at_one_time():
    made: list[list[str]] = [[] for _ in range(8)]
    threads = [
        threading.Thread(target=lambda mine: mine.extend(new_jid(1_800_000_000.0) for _ in range(5_000)), args=[mine])
        for mine in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({jid for mine in made for jid in mine}) == 40_000


FORK = """
import os
from kiq_django.jids import new_jid
ids = [new_jid(1.8e9) for _ in range(10)]
child = os.fork()
if child:
    os.waitpid(child, 0)
    print(*ids)
print(*(new_jid(1.8e9) for _ in range(300)), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_draws_its_own_chance():
    said = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True).stdout.split()
    assert len(said) == len(set(said)) == 610


@pytest.mark.parametrize("jid", ["a", "f" * 24, "x" * 128, "with space", "ü"])
def test_what_may_be_an_id(jid):
    assert jids.is_plausible(jid)


@pytest.mark.parametrize("jid", ["", "x" * 129, "a\n", "\x00", "a\x1bb", "\ud800", "\u202e", "\x7f"])
def test_what_cannot_be_one(jid):
    assert not jids.is_plausible(jid)


class TestRange:
    def test_it_counts_up_from_its_time_on(self, at):
        at(1_800_000_000.0)
        ids = JidRange()
        taken = [ids.take() for _ in range(1_000)]
        assert taken == sorted(taken) == list(ids)
        assert len(set(taken)) == 1_000
        assert len({jid[:12] for jid in taken}) == 1
        assert {moment(jid) for jid in taken} == {1_800_000_000.0}

    def test_ranges_of_one_time_are_strangers(self, at):
        at(1_800_000_000.0)
        starts = {JidRange(1)[0] for _ in range(2_000)}
        assert len(starts) == 2_000

    def test_the_last_one_still_has_the_time_of_the_first(self, at, monkeypatch):
        at(1_800_000_000.0)
        monkeypatch.setattr(os, "urandom", lambda count: b"\xff" * count)
        ids = JidRange(JidRange.LIMIT - 1)
        assert moment(ids.take()) == moment(ids[0]) == 1_800_000_000.0

    def test_a_million_cost_as_much_as_one(self):
        ids = JidRange(1_000_000)
        assert len({ids[0], ids[999_999], *ids[5:10]}) == 7
        assert not hasattr(ids, "__dict__")

    def test_what_is_printed(self):
        assert repr(JidRange(3, prefix="0" * 16)) == f"<JidRange of 3 from {'0' * 24}>"
