"""Languages: every text can be translated, all catalogs are complete and up to date, every page shows in each."""

import logging
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import polib
import pytest
from django.contrib.messages import get_messages
from django.test import Client

from kiq_django.registry import all_jobs
from tests import catalogs
from tests.admin import visible
from tests.admin.addresses import addresses
from tests.admin.test_matrix import TEXT, VIEWS, places
from tests.admin.world import World

PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-+#0 ]*(?:\d+)?(?:\.\d+)?[a-zA-Z%]")
SHARED = ("admin", "auth", "contenttypes", "messages", "sessions")
"""Apps of Django whose texts stand on the same site: the same text has one translation for all."""
DATA = re.compile(
    r"""\W*(?:
        .*[Pp]lain.*                                          # what the world says everywhere
        | boss | because | ab | default | mail | low          # people, reasons and queues of the tests
        | HardWorker | tests\.\S+                             # jobs of the tests
        | [0-9a-f]{8,}…? | over1 | unix:\S+ | redis:\S+       # ids and addresses
        | [Rr]edis | url | Valkey | Sidekiq | JSON | kiq_django | python | django | redis-py | hiredis | orjson
        | KIQ\S* | noeviction | master | p50 | p95 | p99
        | \d+\S*                                              # numbers and versions
    )\W*""",
    re.VERBOSE,
)
COMMAND = re.compile(r"(python )?manage\.py .*")
ERROR = re.compile(r"Redis at \S+ cannot be reached: .*")
"""What the store tells developers, in English, below a title in the reader's language."""


# -- the catalogs ----------------------------------------------------------------------------------------


@pytest.fixture(params=catalogs.LANGUAGES)
def language(request) -> str:
    return request.param


@pytest.fixture
def catalog(language) -> polib.POFile:
    return catalogs.read(language)


def test_everything_is_translated(catalog):
    left = [entry.msgid for entry in catalog if not entry.translated() or entry.fuzzy]
    assert left == [], "translate these, in kiq_django/locale; see the glossary at the head of each catalog"


def test_every_catalog_opens_with_a_glossary(catalog):
    assert len(catalog.header.splitlines()) >= 3
    assert "job = " in catalog.header


def test_placeholders_are_those_of_the_original(catalog):
    assert [entry.msgid for entry in catalog if not all(_keep_placeholders(entry))] == []


def _keep_placeholders(entry: polib.POEntry) -> Iterator[bool]:
    one, many = _placeholders(entry.msgid), _placeholders(entry.msgid_plural)
    if not entry.msgid_plural:
        yield _placeholders(entry.msgstr) == one
    last = max(entry.msgstr_plural, default=0)
    for index, text in entry.msgstr_plural.items():
        yield _placeholders(text) == many or (index < last and _placeholders(text) == one)


def _placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def test_a_catalog_has_as_many_forms_as_its_language(catalog):
    number = int(re.match(r"nplurals=(\d)", catalog.metadata["Plural-Forms"])[1])
    assert {len(entry.msgstr_plural) for entry in catalog if entry.msgid_plural} == {number}


def test_what_is_compiled_is_up_to_date(language):
    found = catalogs.path(language).with_suffix(".mo").read_bytes()
    assert found == catalogs.compiled(language), "run: make messages"


def test_the_words_of_the_admin_stay_as_they_are(language, catalog):
    """Catalogs of all apps are one: another translation of ours would show up on pages of others."""
    admins = _catalogs_of_django(language)
    ours = {entry.msgid: entry.msgstr for entry in catalog if not entry.msgctxt and not entry.msgid_plural}
    other = {text: (ours[text], admins[text]) for text in ours.keys() & admins.keys() if ours[text] not in admins[text]}
    assert other == {}, "say it as the admin does, or give it a context"


def _catalogs_of_django(language: str) -> dict[str, set[str]]:
    root = Path(find_spec("django").origin).parent
    found: dict[str, set[str]] = {}
    for folder in ("conf", *(f"contrib/{app}" for app in SHARED)):
        path = root / folder / "locale" / language / "LC_MESSAGES" / "django.po"
        for entry in polib.pofile(str(path)) if path.exists() else ():
            if entry.msgstr and not entry.msgctxt and not entry.fuzzy and not entry.obsolete:
                found.setdefault(entry.msgid, set()).add(entry.msgstr)
    return found


def test_catalogs_hold_what_the_source_says(tmp_path):
    if missing := catalogs.missing_tools():
        assert not os.environ.get("CI"), f"not installed: {missing}"
        pytest.skip(f"not installed: {missing}")
    package = catalogs.extract(tmp_path)
    for language in catalogs.LANGUAGES:
        wanted, found = catalogs.keys(catalogs.read(language, package)), catalogs.keys(catalogs.read(language))
        assert (wanted - found, found - wanted) == (set(), set()), "run: make messages"


# -- the pages -------------------------------------------------------------------------------------------


@pytest.fixture
def world(store) -> World:
    return World(store, TEXT).make()


def urls(world: World) -> list[str]:
    return [address.at(**places(world)) for address in addresses()]


@pytest.mark.parametrize("code", [*catalogs.LANGUAGES, "en", "ar"])
def test_every_page_shows_in_every_language(code, world, boss):
    found = {url: boss.get(url, headers={"accept-language": code}) for url in urls(world)}
    assert {url for url, answer in found.items() if answer.status_code >= 500} == set()
    pages = [answer.content.decode() for answer in found.values() if answer.status_code == 200]
    frames = [page for page in pages if "<html" in page]
    assert len(frames) > 15
    direction = "rtl" if code == "ar" else "ltr"
    assert all(f'<html lang="{code}" dir="{direction}"' in page for page in frames)


def test_a_page_speaks_the_language_of_its_reader(language, catalog, world, boss):
    (title,) = [entry.msgstr for entry in catalog if entry.msgid == "Background jobs"]
    assert title in boss.get("/admin/kiq/overview/", headers={"accept-language": language}).content.decode()


def test_the_audit_log_speaks_the_language_of_its_reader(world, boss):
    boss.post("/admin/kiq/queue/act/", {"action": "pause", "name": TEXT, "reason": "because", "confirmed": "yes"})
    page = boss.get("/admin/kiq/audit/", headers={"accept-language": "de"}).content.decode()
    assert "pausieren" in page
    assert "Warteschlange plain" in page


@pytest.fixture
def marked(monkeypatch, caplog):
    caplog.set_level(logging.CRITICAL, "django")  # some addresses take no GET
    visible.mark(monkeypatch)


def test_no_text_of_a_page_is_forgotten(marked, world, boss):
    assert missed(boss, urls(world)) == {}


def test_no_text_of_an_empty_page_is_forgotten(marked, store, boss, world):
    store.link.send([("FLUSHALL",)])
    assert missed(boss, urls(world)) == {}


def test_no_text_of_a_page_without_redis_is_forgotten(marked, world, boss, settings):
    settings.KIQ = {**settings.KIQ, "REDIS": "redis://127.0.0.1:1/0"}
    assert missed(boss, urls(world)) == {}


def test_no_text_of_a_question_or_an_answer_is_forgotten(marked, world, boss):
    found: dict[str, list[str]] = {}
    for address in addresses():
        url = address.at(**places(world))
        for deed in VIEWS[address.name].deeds:
            for data in ({**deed.made(world), "confirmed": ""}, deed.made(world)):
                sent = {name: value for name, value in data.items() if value != ""}
                found |= told(url, boss.post(url, sent, follow=True))
            world.make()
    assert found == {}


def test_no_word_of_the_audit_log_is_forgotten(marked, world, boss):
    for address in addresses():
        for deed in VIEWS[address.name].deeds:
            boss.post(address.at(**places(world)), deed.made(world))
            world.make()
    assert missed(boss, ["/admin/kiq/audit/", "/admin/kiq/audit/?p=2"]) == {}


def missed(client: Client, addresses: list[str]) -> dict[str, list[str]]:
    """Sentences that nobody marked, by the address of the page."""
    found: dict[str, list[str]] = {}
    for url in addresses:
        found |= told(url, client.get(url))
    return found


def told(url: str, answer) -> dict[str, list[str]]:
    if answer.status_code in (400, 403) or answer.streaming or "html" not in answer.headers.get("Content-Type", ""):
        return {}
    spoken = [str(each) for each in get_messages(answer.wsgi_request)]
    html = answer.content.decode() + "".join(f"<p>{text}</p>" for text in spoken)
    unmarked = visible.forgotten(html, DATA)
    left = [text for text in unmarked if not (COMMAND.fullmatch(text) or ERROR.fullmatch(text) or text in all_jobs())]
    return {url: sorted(set(left))} if left else {}
