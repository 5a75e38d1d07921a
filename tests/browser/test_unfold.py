"""With django-unfold the pages look different, and everything can still be read and used."""

import pytest

from tests.browser.looks import expect, shot

pytest.importorskip("unfold")


@pytest.fixture
def unfold(settings):
    settings.INSTALLED_APPS = ["unfold", *settings.INSTALLED_APPS]
    settings.ROOT_URLCONF = "tests.browser.unfold_urls"
    settings.STRICT_POLICY = False  # its own pages work under none


def test_pages_are_legible(unfold, page_as, person, put, beat):
    beat("web:1:aa")
    put("queue", queue="mailers")
    for number in range(5):
        put("dead", -number, error_class="billing.CardTimeout", error_message="gateway timed out")
    payload = put("retry", 60, error_class="x.Boom", args=[42])
    page = page_as(person(name="boss", is_superuser=True))
    for name, address, words in (
        ("overview", "/admin/kiq/overview/", "Needs attention"),
        ("queue", "/admin/kiq/queue/mailers/", "Why is it not moving?"),
        ("dead", "/admin/kiq/deadjob/", "CardTimeout"),
        ("groups", "/admin/kiq/deadjob/groups/", "CardTimeout"),
        ("job", f"/admin/kiq/job/{payload.jid}/", "Arguments"),
        ("process", "/admin/kiq/process/", "web:1:aa"),
    ):
        page.goto(address)
        expect(page.locator("body")).to_contain_text(words)
        shot(page, f"unfold-{name}")
