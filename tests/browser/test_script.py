"""What the script adds: live update that disturbs nobody, fresh times, copying, keys, typed counts."""

import re

import pytest

from tests.browser import guide
from tests.browser.looks import expect

NUMBERS = "#live dd >> nth=0"
MINUTE = 60_000
LET_GO = """
    document.activeElement.blur();
    getSelection().empty();
    document.querySelectorAll("#live input, #live details").forEach(each => each.remove());
"""


@pytest.fixture
def page(guide_page):
    """The guide, with a clock that stands still until it is moved."""
    guide_page.clock.install()
    guide_page.goto("/guide/")
    return guide_page


def asked(page) -> list[int]:
    """Answers to requests for the live part, from now on."""
    found = []
    page.on("response", lambda answer: answer.url.endswith("/guide/numbers/") and found.append(answer.status))
    return found


def run(page, milliseconds: int) -> None:
    """Let the page's time go by, timers and all."""
    page.clock.run_for(milliseconds)


def answered(page, milliseconds: int = 2_000) -> int:
    """Let time go by until the live part has been asked for; the status of the answer."""
    with page.expect_response("**/guide/numbers/") as answer:
        run(page, milliseconds)
    return answer.value.status


class TestLive:
    def test_what_changed_is_shown(self, page):
        guide.state["processed"] = 1_284_999
        assert answered(page) == 200
        expect(page.locator(NUMBERS)).to_have_text("1,284,999")

    def test_nothing_new_is_not_sent(self, page):
        assert [answered(page), answered(page)] == [200, 304]

    @pytest.mark.parametrize(
        "hold",
        [
            "document.querySelector('#live a').focus()",
            "document.querySelector('#live').insertAdjacentHTML('beforeend', '<input type=checkbox checked>')",
            "document.querySelector('#live').insertAdjacentHTML('beforeend', '<details open>x</details>')",
            "getSelection().selectAllChildren(document.querySelector('#live dt'))",
        ],
        ids=["focused", "ticked", "opened", "text selected"],
    )
    def test_what_somebody_uses_is_left_alone(self, page, hold):
        page.evaluate(hold)
        guide.state["processed"] = 7
        answered(page)
        answered(page)
        expect(page.locator(NUMBERS)).to_have_text("1,284,031")
        page.evaluate(LET_GO)
        answered(page)
        expect(page.locator(NUMBERS)).to_have_text("7")

    def test_a_screen_reader_hears_of_it_now_and_then(self, page):
        guide.state["processed"] = 5
        answered(page)
        said = page.locator("[data-kiq-said]")
        expect(said).to_have_text("5 processed")
        guide.state["processed"] = 6
        answered(page)
        expect(page.locator(NUMBERS)).to_have_text("6")
        expect(said).to_have_text("5 processed")
        for _ in range(15):
            answered(page)
        expect(said).to_have_text("6 processed")

    def test_the_choice_is_remembered(self, page):
        page.locator("[data-kiq-control] select").select_option("0")
        page.reload()
        expect(page.locator("[data-kiq-control] select")).to_have_value("0")
        answers = asked(page)
        run(page, MINUTE)
        assert answers == []

    def test_it_gives_up_after_three_errors_and_goes_on_when_told(self, page, complaints):
        guide.state["broken"] = True
        for _ in range(3):
            assert answered(page) == 503
        expect(page.locator("[data-kiq-banner=lost]")).to_be_visible()
        answers = asked(page)
        run(page, MINUTE)
        assert answers == []
        guide.state["broken"] = False
        with page.expect_response("**/guide/numbers/"):
            page.get_by_role("button", name="Try again").click()
        expect(page.locator("[data-kiq-banner=lost]")).to_be_hidden()
        complaints.clear()

    def test_the_sign_in_page_is_never_put_into_a_page(self, page, complaints):
        page.route("**/guide/numbers/", lambda route: route.fulfill(status=302, headers={"Location": "/admin/login/"}))
        for _ in range(3):
            run(page, 2_000)
            page.wait_for_load_state("networkidle")
        expect(page.locator(NUMBERS)).to_have_text("1,284,031")
        complaints.clear()

    def test_it_pauses_when_nobody_is_there(self, page):
        page.clock.fast_forward(31 * MINUTE)
        expect(page.locator("[data-kiq-banner=idle]")).to_be_visible()
        with page.expect_response("**/guide/numbers/"):
            page.mouse.move(300, 300)
        expect(page.locator("[data-kiq-banner=idle]")).to_be_hidden()

    def test_it_pauses_in_a_hidden_tab(self, page):
        page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away, configurable: true });"
                      "window.away = true")  # fmt: skip
        answers = asked(page)
        run(page, MINUTE)
        assert answers == []
        with page.expect_response("**/guide/numbers/"):
            page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")


def test_times_stay_fresh(page):
    time = page.locator("[data-kiq-time]").nth(0)
    run(page, 60_000)
    expect(time).to_have_text(re.compile(r"^[67]\d s ago$"))
    page.clock.fast_forward(7_200_000)
    expect(time).to_have_text("2 h ago")


def test_times_read_the_same_from_the_server_and_the_script(page):
    told = page.evaluate("[...document.querySelectorAll('[data-kiq-time]')].map(each => each.textContent)")
    assert [text.split(" ", 1)[1] for text in told[1:4]] == ["s ago", "min ago", "d ago"]
    assert told[4] == "in 6 min"


def test_a_command_is_copied(page_as, page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy", exact=True).first.click()
    expect(page.locator(".kiq-why .kiq-copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "python manage.py runworker -q mailers"
    run(page, 2_000)
    expect(page.locator(".kiq-why .kiq-copy")).to_have_text("Copy")


def test_what_is_opened_stays_open(page):
    page.get_by_text("14 library frames").click()
    page.reload()
    expect(page.locator("[data-kiq-remember='guide.frames']")).to_have_attribute("open", "")


def test_a_typed_count_frees_the_button(page):
    button = page.locator("[data-kiq-confirmed]")
    expect(button).to_be_disabled()
    page.locator("#typed").fill("931")
    expect(button).to_be_disabled()
    page.locator("#typed").fill("9,310")
    expect(button).to_be_enabled()


class TestKeys:
    def test_rows_are_walked(self, page):
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        expect(page.locator("table[data-kiq-rows] tbody tr").nth(1)).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url("**#default")

    def test_the_list_of_keys_is_shown_and_switches_them_off(self, page):
        page.keyboard.press("?")
        expect(page.locator("[data-kiq-keys]")).to_be_visible()
        page.get_by_label("Keyboard shortcuts are on").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        expect(page.locator("[data-kiq-keys]")).to_be_hidden()
        page.locator("[data-kiq-help]").click()
        expect(page.locator("[data-kiq-keys]")).to_be_visible()

    def test_g_and_a_letter_go_to_a_page(self, page, put):
        put("dead", -5)
        page.keyboard.press("g")
        page.keyboard.press("d")
        page.wait_for_url("**/admin/kiq/deadjob/")

    def test_they_never_fire_in_a_field(self, page):
        page.locator("#reason").focus()
        page.keyboard.type("gd?j")
        expect(page.locator("#reason")).to_have_value("gd?j")
        expect(page.locator("[data-kiq-keys]")).to_be_hidden()

    def test_they_leave_the_browsers_own_alone(self, page):
        page.keyboard.press("Control+j")
        assert page.evaluate("document.activeElement.tagName") == "BODY"


def test_rows_of_a_list_are_walked_and_ticked(boss_page, put_many):
    put_many("dead", 3)
    boss_page.goto("/admin/kiq/deadjob/")
    boss_page.keyboard.press("j")
    expect(boss_page.locator("#result_list tbody tr").first).to_be_focused()
