"""What is kept of a failure, and what makes two of them one kind."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django import failure
from kiq_django.api import JobRecord
from kiq_django.payload import Payload


def fetched(**fields):
    document = {"retry": True, "queue": "own", "class": "shop.pay", "args": [1], "jid": "j", **fields}
    return Payload.decode(Payload(document).encode())


def recorded(payload=None, error=None, **rest):
    rest = {"count": 0, "queue": "q", "now": 7.5, **rest}
    return failure.recorded(payload or fetched(), error or ValueError("broken"), **rest).document


def raised(error):
    try:
        raise error
    except BaseException as caught:
        return caught


class TestFrame:
    def test_it_is_kept(self):
        assert recorded(error=raised(KeyError()))["error_frame"].endswith("in raised")

    def test_that_of_an_earlier_error_is_not(self):
        assert "error_frame" not in recorded(fetched(error_frame="a.py:1 in b"))

    def test_roots(self):
        frame = recorded(error=raised(KeyError()), roots=[f"{__file__.rpartition('/')[0]}/"])["error_frame"]
        assert frame.startswith("test_failure.py:")


class Hostile(Exception):
    """Answers every question with another error."""

    def __getattribute__(self, name):
        raise SystemExit(name)

    def __str__(self):
        raise KeyboardInterrupt


class NotAText(Exception):
    def __str__(self):
        return 7


class Endless(Exception):
    def __str__(self):
        return str(self)


class Traceless(Exception):
    __traceback__ = property(lambda self: 1 / 0)


NAMES = st.text(max_size=5)


class Unnamed(type):
    __module__ = property(lambda cls: 1 / 0)


ERRORS = {
    "hostile": Hostile,
    "not a text": NotAText,
    "endless": Endless,
    "traceless": Traceless,
    "exit": SystemExit,
    "unnamed": lambda: Unnamed("E", (Exception,), {})(),
    "half": lambda: KeyError("\ud800"),
}


@given(
    error=st.sampled_from(sorted(ERRORS)),
    name=NAMES,
    module=NAMES,
    roots=st.lists(NAMES, max_size=2),
    fields=st.dictionaries(st.sampled_from(["error_frame", "failed_at", "at", "error_class"]), st.none() | NAMES),
)
def test_no_exception_can_keep_itself_from_being_recorded(error, name, module, roots, fields):
    named = type("E", (Exception,), {"__qualname__": name, "__module__": module})
    for each in (ERRORS[error](), named("x")):
        document = recorded(Payload({"class": "a", "jid": "j", **fields}), each, lines=True, roots=roots)
        assert type(document["error_class"]) is type(document["error_message"]) is str
        assert type(document.get("error_frame") or "") is str
        assert len(failure.fingerprint(failure.kind_of(Payload(document)))) == 12


class TestFingerprint:
    def of(self, **fields):
        fields = {"error_class": "E", "error_frame": "a.py:8 in b", **fields}
        return JobRecord(fetched(**fields).encode(), "retry").fingerprint

    def test_it_is_the_same_everywhere(self):
        assert self.of() == "05824e3d2acd"
        assert self.of() == failure.fingerprint(("shop.pay", "E", "a.py:8 in b"))

    def test_jobs_arguments_messages_and_times_do_not_count(self):
        assert self.of() == self.of(args=[2], jid="k", error_message="x", failed_at=1.5, queue="other")

    def test_the_line_does_not_count(self):
        assert self.of() == self.of(error_frame="a.py:9 in b")

    @pytest.mark.parametrize(
        "fields",
        [
            {"class": "other"},
            {"wrapped": "other"},
            {"display_class": "other"},
            {"error_class": "F"},
            {"error_class": None},
            {"error_frame": "a.py:8 in c"},
            {"error_frame": "b.py:8 in b"},
            {"error_frame": None},
        ],
    )
    def test_what_counts(self, fields):
        assert self.of() != self.of(**fields)

    def test_parts_do_not_run_into_each_other(self):
        assert failure.fingerprint(("a", "bc", "")) != failure.fingerprint(("ab", "c", ""))

    def test_a_record_tells_its_frame(self):
        assert JobRecord(fetched(error_frame="a.py:8 in b").encode(), "retry").frame == "a.py:8 in b"
        assert JobRecord(fetched(error_frame=7).encode(), "retry").frame == ""
        assert JobRecord(fetched().encode(), "retry").frame == JobRecord(b"{", "dead").frame == ""

    def test_what_cannot_be_read_is_of_one_kind(self):
        kinds = {JobRecord(raw, "dead").fingerprint for raw in (b"{", b"", b"\xff", b"[]", b'{"class":""}')}
        assert kinds == {failure.fingerprint(failure.UNREADABLE)}

    @given(
        st.text(), st.recursive(st.none() | st.text() | st.floats() | st.integers(), st.lists, max_leaves=3), st.text()
    )
    def test_anything_has_one(self, name, error, frame):
        payload = Payload({"class": name, "jid": "j", "error_class": error, "error_frame": frame})
        kind = failure.kind_of(payload)
        assert re.fullmatch("[0-9a-f]{12}", failure.fingerprint(kind))
        assert max(map(len, kind)) <= 300


class TestPattern:
    @pytest.mark.parametrize(
        ("message", "pattern"),
        [
            ("gateway timed out after 10 s", "gateway timed out after # s"),
            ("after 10.5 s, 1,000 of 2:30", "after # s, # of #"),
            ("order42 not in web-2", "order# not in web-#"),
            ("no order 'A-1' for \"ada\" in `x`", "no order '…' for \"…\" in `…`"),
            ("can't open 'a' or users' 'b'", "can't open '…' or users' '…'"),
            ("at 0x7f3a2b10> and deadbeef01 or 6b034f2e", "at #> and # or #"),
            ("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301 gone", "id # gone"),
            ("facade decade", "facade decade"),
            ("duplicate key\nDETAIL: Key (id)=(5)", "duplicate key"),
            ("\n\n  late\n", "late"),
            ("", ""),
            ("\n", ""),
            ("-7 °C", "-# °C"),
            ("'unended 7", "'unended #"),
        ],
    )
    def test_what_changes_is_left_out(self, message, pattern):
        assert failure.pattern(message) == pattern

    def test_it_is_short(self):
        assert len(failure.pattern("word " * 5000)) <= 200

    @pytest.mark.parametrize("text", ["'", '"', "' ", "a'", "0", "0.", "a-", "deadbeef-", "`'\"", "\\", "0x"])
    def test_it_is_quick(self, text):
        began = time.perf_counter()
        failure.pattern(text * 10_000)
        assert time.perf_counter() - began < 0.05

    @given(st.text())
    def test_of_anything(self, message):
        assert len(failure.pattern(message)) <= 200
        json.dumps(failure.pattern(message))
