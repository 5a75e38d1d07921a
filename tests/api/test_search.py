"""Search for people: texts, filters, pages that go on, budgets, and cursors that somebody has made up."""

import json
import re
from contextlib import suppress
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiq_django import clock
from kiq_django.api import Budget, DeadSet, Queue, RetrySet, ScheduledSet
from kiq_django.api.filters import Filter
from kiq_django.api.texts import spellings
from kiq_django.payload import Payload

CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
SETS = {"schedule": ScheduledSet, "retry": RetrySet, "dead": DeadSet}


def texts_of(value):
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in texts_of(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts_of(each)]
    return [value] if isinstance(value, str) else []


def every_page(search, limit=50, **given):
    """All pages, one after the other: jobs, and how many were looked at."""
    cursor, jobs, looked_at = "", [], 0
    for _ in range(10_000):
        found = search(cursor=cursor, limit=limit, **given)
        jobs += found.jobs
        looked_at += found.looked_at
        assert found.complete == (not found.next)
        if found.complete:
            return jobs, looked_at
        cursor = found.next
    raise AssertionError("a search without end")


# --- what contains a text ---


def ours(document):
    return Payload(document).encode().decode()


def capitals(document):
    return re.sub(r"\\(u.{4}|.)", lambda m: "\\u" + m[1][1:].upper() if m[1][1:] else m[0], json.dumps(document))


def rails(document):
    text = json.dumps(document, ensure_ascii=False)
    return re.sub("[<>&\u2028\u2029]", lambda m: f"\\u{ord(m[0]):04x}", text)


def script(document):
    """For a page: ASCII, and nothing that ends a tag."""
    return re.sub("[<>&]", lambda m: f"\\u{ord(m[0]):04X}", capitals(document))


def php(document):
    return json.dumps(document).replace("/", r"\/")


WRITERS = [ours, json.dumps, capitals, rails, script, php]
PIECES = [*'aB0 "\\/<&é日😀\n\x01\x7f\u2028n%', "u00e9"]
words = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
values = st.recursive(words | st.integers(-20, 20), lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@st.composite
def contents_and_text(draw):
    """Jobs, who writes each, and a text that stands in one of them more often than chance would have it."""
    contents = draw(st.lists(st.tuples(values, st.sampled_from(WRITERS)), min_size=1, max_size=8))
    parts = [text[start : start + 3] for value, _ in contents for text in texts_of(value) for start in range(len(text))]
    return contents, draw(st.sampled_from(parts) if parts else words)


@settings(max_examples=100, deadline=None, suppress_health_check=CHECKS)
@given(contents_and_text())
def test_it_finds_exactly_the_jobs_that_contain_a_text(store, contents_and_text):
    contents, text = contents_and_text
    store.link.call("DEL", store.keys.job_set("dead"))
    raws = [
        write({"class": "x", "args": [value], "jid": str(number)}).encode()
        for number, (value, write) in enumerate(contents)
    ]
    for raw in raws:
        store.sets.add("dead", raw, 1)
    wanted = {raw for raw in raws if text.encode() in raw or any(text in each for each in texts_of(json.loads(raw)))}
    assert {job.raw for job in DeadSet().search(Filter(text=text)).jobs} == wanted
    assert {job.raw for job in DeadSet().scan(text)} == wanted


@pytest.mark.parametrize("write", WRITERS)
def test_whoever_wrote_it(store, write):
    text = 'a/é<"b\\&😀\n>\x01日\u2028\\u00e9/z'
    store.sets.add("dead", write({"class": "x", "args": [text], "jid": "y"}).encode(), 1)
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            assert DeadSet().search(Filter(text=text[start:end])).jobs, text[start:end]


@pytest.mark.parametrize("text", ["A[1]", "*", "?", "\\", "^a-z", "%d", "(.-)", "$", "50%", "'\"", "é", "日本", "a\nb"])
def test_a_text_is_no_pattern(put, text):
    wanted = put("dead", args=[{"deep": [f"x{text}y"]}])
    put("dead", args=["A1 abc d5 5"])
    assert [job.jid for job in DeadSet().search(Filter(text=text)).jobs] == [wanted.jid]


def test_numbers_and_pieces_of_json_are_texts_too(put):
    wanted = put("dead", name="shop.Pay", args=[90071992547409931, 77077.25])
    put("dead", name="shop.Payment", args=[1])
    for text in ("90071992547409931", "77077.25", '"class":"shop.Pay"', wanted.jid):
        assert [job.jid for job in DeadSet().search(Filter(text=text)).jobs] == [wanted.jid]


def test_bytes_that_are_no_job_are_searched_as_they_are(store, put):
    put("dead")
    store.sets.add("dead", b"\xff junk", 1.0)
    assert [job.raw for job in DeadSet().search(Filter(text="junk")).jobs] == [b"\xff junk"]
    assert DeadSet().search(Filter(name="junk")).jobs == ()


def test_half_a_character_is_in_no_job(put):
    put("dead")
    found = DeadSet().search(Filter(text="a\ud800"))
    assert (found.jobs, found.complete, found.total, found.next) == ((), True, 1, "")
    assert spellings("\ud800") == ()


# --- filters ---


@pytest.mark.parametrize("place", SETS)
def test_all_that_is_given_must_be_fulfilled(put, place):
    wanted = put(place, 60, name="shop.pay", queue="mail", args=["é"], error_class="Oops")
    put(place, 60, name="shop.pay", queue="mail", args=["é"], error_class="Other")
    put(place, 60, name="shop.pay", queue="default", args=["é"], error_class="Oops")
    put(place, 60, name="shop.payment", queue="mail", args=["é"], error_class="Oops")
    put(place, 60, name="shop.pay", queue="mail", args=["e"], error_class="Oops")
    where = Filter(name="shop.pay", queue="mail", text="é", error_class="Oops")
    assert [job.jid for job in SETS[place]().search(where).jobs] == [wanted.jid]


def test_the_name_for_people_is_a_name(put):
    wanted = put("retry", name="Wrapper", wrapped="HardJob")
    assert [job.jid for job in RetrySet().search(Filter(name="HardJob")).jobs] == [wanted.jid]
    assert [job.jid for job in RetrySet().search(Filter(name="Wrapper")).jobs] == [wanted.jid]


def test_a_job_without_a_queue_goes_to_the_default_one(store):
    store.sets.add("retry", b'{"class":"a","jid":"b"}', 1.0)
    assert len(RetrySet().search(Filter(queue="default")).jobs) == 1


def test_a_job_that_was_moved_to_a_queue_is_there_whatever_it_says(store):
    store.link.call("LPUSH", store.keys.queue("mail"), b'{"class":"a","jid":"b","queue":"default"}')
    assert len(Queue("mail").search(Filter(queue="mail")).jobs) == 1


def test_between_two_times(put):
    jobs = [put("schedule", due) for due in (100, 200, 300)]
    now = clock.now()
    found = ScheduledSet().search(Filter(due_from=now + 150, due_to=now + 250))
    assert [job.jid for job in found.jobs] == [jobs[1].jid]
    assert (found.total, found.looked_at) == (1, 1)


def test_a_question_of_ones_own(put_many):
    made = put_many("dead", 300)
    jobs, looked_at = every_page(DeadSet().search, only=lambda job: job.args[0] % 10 == 0)
    assert [job.jid for job in jobs] == [payload.jid for payload in made[::10]]
    assert looked_at == 300


# --- pages ---


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_page_after_page_in_both_orders(put_many, limit):
    jids = [payload.jid for payload in put_many("retry", 250)]
    queued = [payload.jid for payload in put_many("queue", 250)]
    pages = {
        "sets": (RetrySet().search, "latest_first", jids),
        "queues": (Queue("default").search, "newest_first", queued),
    }
    for search, word, expected in pages.values():
        forwards, looked_at = every_page(search, limit)
        backwards, _ = every_page(search, limit, **{word: True})
        assert [job.jid for job in forwards] == expected
        assert [job.jid for job in backwards] == expected[::-1]
        assert looked_at == 250


def test_scan_is_in_order(put_many):
    jids = [payload.jid for payload in put_many("dead", 700)]
    assert [job.jid for job in DeadSet().scan("shop", latest_first=False)] == jids
    assert [job.jid for job in DeadSet().scan("shop")] == [job.jid for job in DeadSet()] == jids[::-1]


def test_how_far_it_came(put_many):
    put_many("dead", 300)
    found = DeadSet().search(limit=50)
    assert (len(found.jobs), found.looked_at, found.passed, found.total, found.complete) == (50, 50, 50, 300, False)
    further = DeadSet().search(Filter(text="nowhere"), cursor=found.next)
    assert (further.jobs, further.looked_at, further.passed, further.complete) == ((), 250, 300, True)


def test_a_page_ends_with_its_budget_and_goes_on_from_there(put_many):
    put_many("dead", 5_000)
    where, cursor, passed = Filter(text='"args":[4'), "", []
    jobs = []
    for _ in range(4):
        found = DeadSet().search(where, cursor=cursor, limit=200, budget=Budget(jobs=700), latest_first=True)
        assert found.looked_at <= 700
        jobs += found.jobs
        passed.append(found.passed)
        cursor = found.next
    assert passed == [200, 400, 600, 800]
    assert [job.args[0] for job in jobs] == list(range(4_999, 4_999 - len(jobs), -1))


def test_without_time_it_tells_the_size_and_where_to_begin(put_many):
    put_many("queue", 30)
    budget = Budget(seconds=-1)
    found = Queue("default").search(budget=budget)
    assert (found.jobs, found.looked_at, found.total, found.complete, budget.exhausted) == ((), 0, 30, False, True)
    assert len(Queue("default").search(cursor=found.next).jobs) == 30


def test_a_budget_that_just_suffices_is_not_exhausted(put_many):
    put_many("queue", 30)
    budget = Budget(jobs=30)
    assert Queue("default").search(budget=budget).complete
    assert not budget.exhausted


def test_large_jobs_make_short_pages(put_many):
    made = put_many("dead", 40, note="x" * 1_000_000)
    found = DeadSet().search()
    assert 1 <= len(found.jobs) <= 20
    jobs, _ = every_page(DeadSet().search)
    assert [job.jid for job in jobs] == [payload.jid for payload in made]


def test_pages_of_a_queue_at_work(store, put, put_many):
    made = [payload.jid for payload in put_many("queue", 600)]
    numbers = count()

    def search(**given):
        found = Queue("default").search(**given)
        for _ in range(20):
            put(jid=f"{next(numbers):020d}aaaa")
            store.link.call("RPOP", store.keys.queue("default"))
        return found

    jobs, _ = every_page(search, newest_first=True)
    seen = [job.jid for job in jobs if job.jid in made]
    assert len(seen) == len(set(seen))
    assert seen == made[::-1][: len(seen)]
    assert Queue("default").size == 600
    assert len(seen) >= 300


@pytest.mark.parametrize("limit", [0, -1, 201, 10**9])
def test_the_limit_has_limits(limit):
    with pytest.raises(ValueError, match="limit must be 1 to 200"):
        DeadSet().search(limit=limit)


# --- cursors ---


@pytest.mark.parametrize("search", [DeadSet().search, lambda **given: Queue("default").search(**given)])
@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "su",
        "su-1-1-",
        "su-1-1-0000000000000000",
        "su-1-1-7ff0000000000000-",
        "su-1-1-fff8000000000000-",
        "su--1-1-0000000000000000-",
        "su-1-1-000000000000000-",
        "su-1-1-00000000000000000-",
        "su-\u0661-1-0000000000000000-",
        "su-11111111111-1-0000000000000000-",
        "su-1-1-0000000000000000-short",
        "su-1-1-0000000000000000-" + "x" * 65,
        "su-1-1-0000000000000000-\n",
        "su-1-1-0000000000000000-*?[a]" + "x" * 12,
        " su-1-1-0000000000000000-",
        "9" * 5_000,
        "\x00",
        "\ud800",
        "' OR 1=1 --",
    ],
)
def test_a_cursor_that_somebody_made_up_is_refused(put, search, cursor):
    put("dead")
    with pytest.raises(ValueError, match="no place where the search can go on"):
        search(cursor=cursor)


def test_a_cursor_of_another_order_or_place_is_refused(put_many):
    put_many("dead", 10)
    put_many("queue", 10)
    cursor = DeadSet().search(limit=1).next
    assert RetrySet().search(cursor=cursor).complete
    with pytest.raises(ValueError, match="no place where"):
        DeadSet().search(cursor=cursor, latest_first=True)
    with pytest.raises(ValueError, match="no place where"):
        Queue("default").search(cursor=cursor)


def test_a_cursor_tells_nothing_of_what_is_in_jobs(put_many):
    put_many("dead", 2, secret="hunter2")
    cursor = DeadSet().search(limit=1).next
    assert re.fullmatch(r"su-1-0-[0-9a-f]{16}-[0-9a-f]{24}", cursor)


@given(st.text(max_size=80) | st.from_regex(r"[ls][ud]-[0-9]{1,12}-[0-9]{1,12}-[0-9a-f]{15,17}-[0-9a-z]{0,70}"))
@settings(max_examples=100, deadline=None, suppress_health_check=CHECKS)
def test_no_cursor_does_harm(store, cursor):
    for search in (DeadSet().search, Queue("default").search):
        with suppress(ValueError):
            assert search(cursor=cursor).looked_at == 0
