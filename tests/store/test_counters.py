"""Totals. Minutes, histograms and marks are tested with the API."""

import pytest

from kiq_django.exceptions import StoreRefused
from kiq_django.store.counters import STAT_EXPIRY

NOON = 1_795_348_800.0
"""2026-11-22 12:00:00 UTC."""
HOURS = 3600


def test_totals_of_all_time_and_of_each_utc_day(store, redis_call):
    store.counters.add_totals(3, 1, NOON)
    store.counters.add_totals(2, 0, NOON + 11.9 * HOURS)
    store.counters.add_totals(5, 2, NOON + 12.1 * HOURS)
    assert store.counters.totals() == (10, 3)
    days = [redis_call("GET", f"stat:{name}:2026-11-{day}") for name in ("processed", "failed") for day in (22, 23)]
    assert days == [b"5", b"5", b"1", b"2"]
    assert STAT_EXPIRY - 5 < redis_call("TTL", "stat:processed:2026-11-22") <= STAT_EXPIRY
    assert redis_call("TTL", "stat:processed") == -1


def test_days_outlive_a_reset(store):
    store.counters.add_totals(3, 1, NOON)
    store.counters.reset_totals(["failed"])
    assert store.counters.totals() == (3, 0)
    assert store.link.call("GET", "stat:failed:2026-11-22") == b"1"


def test_a_full_server_counts_nothing_at_all(store, full_redis):
    with pytest.raises(StoreRefused):
        store.counters.add_totals(3, 1, NOON)
    assert store.counters.totals() == (0, 0)
    assert store.link.call("DBSIZE") == 0
