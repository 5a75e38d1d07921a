"""The list of dead jobs in a browser: what every other page's test looks like."""

import pytest

from tests.browser.looks import axe, expect, shot, width

DEAD = "/admin/kiq/deadjob/"


def test_everybody_can_use_it(boss_page, put_many):
    put_many("dead", 30)
    boss_page.goto(DEAD)
    expect(boss_page.locator("#result_list tbody tr")).to_have_count(30)
    axe(boss_page)


def test_rows_become_cards_on_a_small_screen(boss_page, put):
    put("dead", -5)
    width(boss_page, "narrow")
    boss_page.goto(DEAD)
    expect(boss_page.locator("#result_list td.field-queue")).to_have_attribute("data-label", "Queue")
    across = boss_page.evaluate("document.documentElement.scrollWidth")
    assert across <= 390


def test_pictures(boss_page, put_many):
    put_many("dead", 12)
    boss_page.goto(DEAD)
    shot(boss_page, "dead")


@pytest.mark.parametrize("address", [DEAD, "/admin/"])
def test_the_strict_policy_is_kept(boss_page, put, address):
    put("dead", -5)
    assert boss_page.goto(address).status == 200
