"""Nothing that a job says can forge a log line, steer a terminal, or show a secret: one line per record, whatever is
in its id, its name, its queue, its tags or its error."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django import log, registry, signals
from kiq_django.context import RunningJob, current
from kiq_django.exceptions import MalformedPayload
from kiq_django.execution import Outcome
from kiq_django.log.formatters import FORMATTERS
from kiq_django.payload import Payload
from kiq_django.redaction import MASK
from kiq_django.store.queues import Entry
from kiq_django.worker.reservation import Reservation
from kiq_django.worker.settler import Settler
from tests.security.chance import patient
from tests.support import wait_for
from tests.worker.conftest import encoded

NAME = "tests.jobsapp.jobs.record"
FORGERY = "x\r\n2026-11-22T17:00:00.000Z pid=1 tid=1 class=admin jid=1 queue=default INFO: done"
HOSTILE = [
    FORGERY,
    "\x1b[2J\x1b]0;owned\x07",
    "\x00\x08\x7f\x9b31m",
    "a\u2028b\u2029c\x85d\x0be\x0cf",
    "\u202etxt.exe\u2066",
    "\ud800\udfff",
    '"},"lvl":"FATAL","msg":"forged',
    "class=other jid=other",
    "%s %d %(name)s {0}",
    "\t" * 50,
    "x" * 100_000,
    "\n" * 5_000,
    "",
]
CONTROL = {chr(i) for i in (*range(32), *range(127, 160), 0x2028, 0x2029, 0x202E, 0x2066)}


def document(text: str) -> dict:
    return {
        "class": text or "c",
        "jid": text,
        "queue": text,
        "args": [text],
        "tags": [text, text],
        "display_class": text,
        "wrapped": text,
        "retry_count": 1,
    }


def ended(text: str, *, failed: bool) -> Outcome:
    payload = Payload(document(text))
    outcome = Outcome(payload, text, registry.find(NAME))
    if failed:
        try:
            raise ValueError(text)
        except ValueError as error:
            outcome.error = error
        outcome.fate = text
    return outcome


def told(text: str) -> list[str]:
    """Words that the journal's records begin with, in the order in which it writes them."""
    journal = log.JobJournal()
    good, bad = ended(text, failed=False), ended(text, failed=True)
    for outcome in (good, bad):
        journal.started(outcome.payload, text)
    journal.settled([good, bad])
    journal.flush()
    return ["INFO", "INFO", "INFO", "INFO", "WARNING"]


def is_harmless(line: str) -> bool:
    return not CONTROL.intersection(line) and not any(0xD800 <= ord(c) <= 0xDFFF for c in line)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_a_record_is_a_line_in_text(text, lines):
    written = lines("text")
    levels = told(text)
    records = [line for line in written() if not line.startswith("    ")]
    assert [line.partition(": ")[0].rpartition(" ")[2] for line in records] == levels
    assert all(map(is_harmless, written()))
    assert not [line for line in records if "class=admin" in line.partition(": ")[0].split()]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_a_record_is_a_line_in_json(text, lines):
    written = lines("json")
    levels = told(text)
    records = [json.loads(line) for line in written()]
    assert [record["lvl"] for record in records] == levels
    assert all(map(is_harmless, written()))
    assert {frozenset(record) - {"trace", "error"} for record in records} == {
        frozenset({"ts", "pid", "tid", "lvl", "msg", "ctx"})
    }


@patient
@given(text=st.text(st.characters()) | st.text(st.sampled_from([*CONTROL, "\r", "\n", " ", "=", '"', "\\"])))
@pytest.mark.parametrize("form", FORMATTERS)
def test_whatever_is_in_it(form, text, lines):
    written = lines(form)
    before = len(written())
    levels = told(text)
    found = written()[before:]
    if form == "json":
        assert [json.loads(line)["lvl"] for line in found] == levels
    else:
        assert len([line for line in found if not line.startswith("    ")]) == len(levels)
    assert all(map(is_harmless, found))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:20]))
@pytest.mark.parametrize("form", FORMATTERS)
def test_lines_of_the_project_inside_of_a_job(text, form, lines):
    written = lines(form)
    token = current.set(RunningJob(Payload(document(text)), text, None))
    try:
        logging.getLogger("kiq_django.inside").warning("said %s", text)
    finally:
        current.reset(token)
    (line,) = written()
    assert is_harmless(line)
    assert form == "text" or json.dumps(json.loads(line)["msg"]) == json.dumps(f"said {text}")


def test_a_handler_of_the_project_gets_fields_that_are_harmless(lines):
    """Its format is its own, and most show nothing but the message."""
    seen = []

    class Handler(logging.Handler):
        def emit(self, record):
            seen.append(record.getMessage())

    handler = Handler()
    logging.getLogger("kiq_django.job").addHandler(handler)
    try:
        lines()
        for text in HOSTILE:
            told(text)
    finally:
        logging.getLogger("kiq_django.job").removeHandler(handler)
    assert len(seen) == 5 * len(HOSTILE)
    assert [message for message in seen if "\n" in message or "\r" in message or "\x1b" in message] == []


@pytest.mark.parametrize("form", FORMATTERS)
def test_a_worker_that_is_fed_with_forgeries(form, start, store, lines):
    written = lines(form)
    raws = [encoded(text, jid=text, queue="default", tags=[text]) for text in HOSTILE if text and "\ud800" not in text]
    raws.append(b'{"class":"\r\n\x1b[2J')
    store.queues.push([Entry("default", raw) for raw in raws])
    journal = log.journal()
    start(journal=journal)
    wait_for(lambda: store.sets.count("retry") + store.sets.count("dead") == len(raws))
    wait_for(lambda: any("dead set" in line for line in written()))
    assert all(map(is_harmless, written()))
    assert form == "text" or [json.loads(line)["lvl"] for line in written()]


# --- secrets ---

CANARY = "c4n4ry"
ERRORS = [
    f"cannot reach redis://user:{CANARY}@host:6379/0",
    f'401 for {{"user": "bob", "password": "{CANARY}"}}',
    f"POST /login?token={CANARY}&x=1 failed",
    f"Authorization: Bearer {CANARY}",
]


@pytest.fixture(autouse=True)
def _deaf():
    yield
    signals.job_dead.disconnect(dispatch_uid="kiq_django.log.died")
    signals.jobs_settled.disconnect(dispatch_uid="kiq_django.log.failures")


@pytest.mark.parametrize("text", ERRORS)
@pytest.mark.parametrize("form", FORMATTERS)
def test_an_error_shows_no_secret(text, form, lines):
    written = lines(form)
    told(text.replace(CANARY, "x"))
    journal = log.JobJournal()
    payload = Payload({"class": NAME, "jid": "j", "queue": "default", "args": [{"password": CANARY}, CANARY]})
    outcome = Outcome(payload, "default", registry.find(NAME))
    try:
        raise ConnectionError(text) from ValueError(text)
    except ConnectionError as error:
        outcome.error = error
    journal.started(payload, "default")
    journal.settled([outcome])
    journal.flush()
    found = "\n".join(written())
    assert CANARY not in found
    assert found.count(MASK if form == "text" else json.dumps(MASK)[1:-1]) >= 3


@pytest.mark.parametrize("form", FORMATTERS)
def test_a_death_shows_no_secret(form, lines):
    written = lines(form)
    log.journal()
    payload = Payload({"class": NAME, "jid": "j", "queue": "default", "args": [CANARY]})
    for error in map(ValueError, ERRORS):
        signals.send(signals.job_dead, None, payload=payload, error=error)
    signals.send(signals.job_dead, None, payload=None, error=MalformedPayload(ERRORS[0]))
    assert len(written()) == len(ERRORS) + 1
    assert CANARY not in "\n".join(written())


def test_a_long_error_is_cut_after_its_secrets_are_hidden():
    text = "x" * 980 + f" redis://user:{CANARY * 10}@host:6379/0"
    for limit in range(980, 1_010, 5):
        assert CANARY[:3] not in log.escaping.said(ValueError(text[-limit:]))


def line_about_a_theft(raw, lines):
    written = lines()
    settler = Settler(None, lambda afters: None)
    settler.waiting.append(Reservation("default", "me", raw))
    settler.batches()
    settler.confirm([b"0"], living="me")
    (line,) = written()
    return line


def test_a_job_that_was_taken_back_is_named_without_its_arguments(lines):
    line = line_about_a_theft(encoded("the name", CANARY, jid="the-jid"), lines)
    assert CANARY not in line
    assert line.endswith("its end is not stored: the name, jid the-jid")


@pytest.mark.parametrize("raw", [CANARY.encode(), b"\xff" + CANARY.encode(), b""])
def test_bytes_that_were_taken_back_are_not_shown(raw, lines):
    line = line_about_a_theft(raw, lines)
    assert CANARY not in line
    assert f"{len(raw)} unreadable bytes, SHA-256 " in line


def test_who_was_taken_back_cannot_fill_the_log(lines):
    line = line_about_a_theft(encoded(FORGERY + "x" * 1_000_000, jid="\x1b[2J" + "y" * 1_000_000), lines)
    assert "class=admin" in line
    assert line.isprintable()
    assert len(line) < 500
