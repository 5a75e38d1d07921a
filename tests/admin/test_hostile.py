"""What others have written into Redis, or into an address, is text and nothing else on every page."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from kiq_django import conf
from tests.admin.addresses import addresses
from tests.admin.corpus import ADDRESSES, HALF, MARKUP, PAIRS, TEXTS, harmless
from tests.admin.markup import Element, foreign, parse
from tests.admin.parameters import PARAMETERS, in_the_code, questions
from tests.admin.world import ALL, Thing, World

SHAPED = ("plain", "with/slash", "line\nbreak", "with space", "x" * 3_000, "https://x.example/", "%d{x}", "#x")
"""Harmless texts, of every build that decides how a page is drawn."""
MORE = tuple(f"plain{number}" for number in range(45))
"""Lists have a second page."""
ONCE = ("kiq_job_edit", "kiq_job_uncover", "kiq_operation")
"""Pages that show what others do, or all texts in one: they are looked at for one thing alone."""
Shapes = set[tuple[str, ...]]


def filled(store, *texts: str) -> World:
    conf.reset()  # parts of pages are remembered for a moment
    world = World(store, *texts).make()
    world.note(User.objects.get(username="chief"))
    return world


def pages(world: World, things: Sequence[Thing] | None = None) -> Iterator[tuple[str, str]]:
    """The name and the address of every page that shows something of these things."""
    yield "index", reverse("admin:index")
    yield "app_list", reverse("admin:app_list", args=["kiq"])
    for address in addresses():
        if not address.places:
            yield address.name, address.at()
        elif address.name in ONCE:
            yield address.name, address.at(jid=ALL, key=world.things[0].operation)
        elif not address.name.endswith("_act"):
            for thing in world.things if things is None else things:
                for url in address.with_each(thing.kwargs()):
                    yield address.name, url


def shapes(html: str) -> Shapes:
    return {each.shape for each in parse(html).inside}


def vocabulary(chief, store) -> dict[str, Shapes]:
    """The elements that pages have, by name of the page, with what they show being harmless."""
    world = filled(store, *SHAPED, *MORE)
    found = defaultdict(set)
    for name, url in pages(world, world.things[: len(SHAPED)]):
        found[name] |= shapes(chief.get(url).content.decode())
    return found


def strange(html: str, known: Shapes, texts: Sequence[str] = TEXTS) -> list[str]:
    """What is on a page and should not be: elements that it has not when all is harmless, links to elsewhere, texts as
    they were given."""
    page: Element = parse(html)
    found = [f"{each!r}" for each in page.inside if each.shape not in known or "kiqx" in "".join(each.shape)]
    return [*found, *foreign(page), *(f"raw: {text[:60]!r}" for text in texts if "<" in text and text in html)]


# -- stored ------------------------------------------------------------------------------------------


def test_no_text_becomes_markup(chief, store):
    known = vocabulary(chief, store)
    trouble = {}
    for name, url in pages(filled(store, *PAIRS)):
        answer = chief.get(url)
        assert answer.status_code < 500, url
        if answer.status_code == 200 and (found := strange(answer.content.decode(), known[name])):
            trouble[url] = found[:5]
    assert trouble == {}


@pytest.mark.parametrize("text", [text for text in MARKUP if "<" in text])
def test_the_checks_would_see_it(text):
    """The same within an element and within attributes, if it were let through."""
    known = {("p",), ("p", "title"), ("a", "href")}
    for page in (f"<p>{text}</p>", f'<p title="{text}"></p>', f"<p title='{text}'></p>", f"<p title={text}></p>"):
        try:
            if strange(page, known, ()):
                return
        except AssertionError:  # elements that are not closed
            return
    pytest.fail("nothing was seen")


@pytest.mark.parametrize("text", [text for text in ADDRESSES if text[0] not in "#?."])
def test_the_checks_would_see_a_link(text):
    assert foreign(parse(f'<a href="{text}">a</a>'))


# -- acting on it ------------------------------------------------------------------------------------


def test_questions_and_messages_about_it(chief, store):
    """The pages that ask before something is done, and what they say when it is."""
    world = filled(store, *PAIRS[:8], HALF)
    lists = {"retryjob": "delete", "deadjob": "delete", "process": "stop", "queue": "clear"}
    for name, verb in lists.items():
        url = reverse(f"admin:kiq_{name}_changelist")
        keys = [row.pk for row in chief.get(url).context["cl"].result_list]
        for more in ({}, {"reason": PAIRS[3], "token": TEXTS[0]}, {"confirmed": "yes", "reason": PAIRS[4][:400]}):
            post = {"action": verb, "index": 0, "_selected_action": keys, PAIRS[5]: PAIRS[6], **more}
            answer = chief.post(url, post, follow=True, headers={"referer": "javascript:kiqx(1)"})
            assert answer.status_code == 200
            assert not kiqx(answer.content.decode())
    for thing in world.things[:-1]:
        url = reverse("admin:kiq_job_edit", args=[thing.jid])
        post = {"args": thing.text, "kwargs": thing.text, "queue": thing.text, "wait": thing.text, "reason": thing.text}
        assert not kiqx(chief.post(url, post).content.decode())


def kiqx(html: str) -> list[str]:
    """What a text has brought to a page."""
    page = parse(html)
    return [f"{each!r}" for each in page.inside if "kiqx" in "".join(each.shape)] + foreign(page)


# -- reflected ---------------------------------------------------------------------------------------


def test_every_parameter_is_in_the_table():
    assert in_the_code() - {each for names in PARAMETERS.values() for each in names} == set()
    assert set(PARAMETERS) <= {each.name for each in addresses()}


def test_no_parameter_becomes_markup(chief, store):
    (thing,) = filled(store, "plain").things
    trouble = {}
    for number, (name, url, parameter) in enumerate(questions(thing)):
        text = turned(number)
        known = shapes(chief.get(url, {parameter: harmless(text)}).content.decode())
        answer = chief.get(url, {parameter: text})
        assert answer.status_code < 500, (url, parameter)
        found = strange(answer.content.decode(), known) if answer.status_code == 200 else elsewhere(answer)
        if found:
            trouble[name, parameter] = found[:5]
    assert trouble == {}


def turned(number: int) -> str:
    """All texts in one, which begins with another one each time: most parameters are cut."""
    texts = [text for text in TEXTS if len(text) < 1_000]
    number %= len(texts)
    return "".join([*texts[number:], *texts[:number]])


def elsewhere(answer) -> list[str]:
    """Where a redirect leads, unless that is a path of this site."""
    url = answer.headers.get("Location", "")
    return [] if url == "" or (url[0] in "/?" and url[1:2] not in ("/", "\\") and "\n" not in url) else [url]
