"""Numbers, times and states as templates show them, whatever they get."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from kiq_django import clock
from kiq_django.admin import formats
from kiq_django.templatetags import kiq

NOW = 1_795_377_711.0
HOSTILE = [None, "", "x", "<b>", float("nan"), float("inf"), -float("inf"), 10**400, [], {}, object(), b"\xff"]


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    with timezone.override(UTC):
        yield


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "show", [kiq.kiq_number, kiq.kiq_compact, kiq.kiq_percent, kiq.kiq_duration, kiq.kiq_time, kiq.kiq_moment]
)
def test_what_is_no_number_is_a_dash(show, value):
    assert show(value) == formats.NOTHING


@pytest.mark.parametrize("value", [1e300, -1e300, "1e99", 253_402_300_800, -(10**15)])
@pytest.mark.parametrize("show", [kiq.kiq_time, kiq.kiq_moment])
def test_what_is_no_moment_is_a_dash(show, value):
    assert show(value) == formats.NOTHING


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), ("12", "12"), (1_284_031, "1,284,031"), (-5.4, "-5"), (2**70, "1,180,591,620,717,411,303,424")],
)
def test_numbers_are_grouped(value, expected):
    assert kiq.kiq_number(value) == expected


def test_numbers_take_digits_and_the_format_of_the_language():
    assert kiq.kiq_number(1234.567, 1) == "1,234.6"
    with translation.override("de"):
        assert kiq.kiq_number(1234.567, 1) == "1.234,6"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1 k"),
        (9_310, "9.3 k"),
        (123_567, "124 k"),
        (999_999, "1 M"),
        (2.5e12, "2.5 T"),
    ],
)
def test_large_numbers_are_shortened(value, expected):
    assert kiq.kiq_compact(value) == expected


@pytest.mark.parametrize(
    ("share", "expected"), [(0, "0%"), (0.0016, "0.16%"), (0.056, "5.6%"), (0.9, "90%"), (1, "100%"), (7.5, "750%")]
)
def test_shares_are_percents(share, expected):
    assert kiq.kiq_percent(share) == expected


def test_moments_are_told_from_now():
    assert kiq.kiq_time(NOW - 250) == (
        '<time class="kiq-time" datetime="2026-11-22T19:57:41+00:00" title="Nov. 22, 2026, 7:57 p.m." '
        "data-kiq-time>4 min ago</time>"
    )
    assert "in 6 min" in kiq.kiq_time(str(NOW + 372))
    assert "now" in kiq.kiq_time(datetime.fromtimestamp(NOW, UTC))


def test_moments_are_shown_in_the_zone_in_force():
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        assert ">Nov. 23, 2026, 5:01 a.m.<" in kiq.kiq_moment(NOW)
        assert 'datetime="2026-11-22T20:01:51+00:00"' in kiq.kiq_moment(NOW)


def test_a_state_is_a_word_and_an_icon():
    badge = kiq.kiq_state("retry")
    assert "kiq-warn" in badge
    assert "#kiq-i-retry" in badge
    assert "retry</span>" in badge


@pytest.mark.parametrize("state", ["<script>", "x" * 1000, None, 5])
def test_an_unknown_state_shows_itself(state):
    badge = kiq.kiq_state(state)
    assert "kiq-idle" in badge
    assert "<script>" not in badge
    assert len(badge) < 250


def test_ids_are_shortened_and_escaped():
    assert ">9f1c0a77…<" in kiq.kiq_jid("9f1c0a77d2e14b6c8a01f3e5")
    assert ">short<" in kiq.kiq_jid("short")
    assert "<b>" not in kiq.kiq_jid("<b>" * 1000)


@pytest.mark.parametrize(
    ("address", "key"),
    [("/admin/kiq/", "o"), ("/office/kiq/deadjob/", "d"), ("/kiq/queue/", "q"), ("/admin/auth/user/", ""), ("", "")],
)
def test_pages_have_keys(address, key):
    assert kiq.kiq_go(address) == key


def test_no_two_pages_share_a_key():
    keys = [key for name, key in kiq.GO.items() if name != "kiq"]
    assert len(keys) == len(set(keys))
