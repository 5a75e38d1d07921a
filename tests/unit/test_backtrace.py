import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiq_django import backtrace


def raised(depth=0):
    try:
        _raise(depth)
    except ValueError as error:
        return error


def _raise(depth):
    if depth:
        _raise(depth - 1)
    raise ValueError("x")


def test_packed_as_sidekiq_reads_it():
    packed = backtrace.encode(["a.rb:1", "é"])
    assert json.loads(zlib.decompress(base64.b64decode(packed, validate=True))) == ["a.rb:1", "é"]


def test_has_no_line_breaks():
    assert "\n" not in backtrace.encode([str(number) for number in range(1000)])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_round_trip(lines):
    assert backtrace.decode(backtrace.encode(lines)) == lines


def test_half_characters_are_replaced_on_both_ways():
    assert backtrace.decode(backtrace.encode(["a\ud800"])) == ["a?"]
    foreign = base64.b64encode(zlib.compress(b'["\\ud800"]')).decode()
    assert backtrace.decode(foreign) == ["?"]


def test_reads_the_line_breaks_of_older_versions():
    packed = backtrace.encode([str(number) for number in range(100)])
    broken = "\n".join(packed[start : start + 60] for start in range(0, len(packed), 60)) + "\n"
    assert backtrace.decode(broken) == [str(number) for number in range(100)]


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (None, []),
        ("", [""]),
        ("plain\ntext", ["plain\ntext"]),
        ("AAAA", ["AAAA"]),
        (["a", 1], ["a", "1"]),
        (7, ["7"]),
        (base64.b64encode(b"not zlib").decode(), [base64.b64encode(b"not zlib").decode()]),
        (
            base64.b64encode(zlib.compress(b'"text"')).decode(),
            [base64.b64encode(zlib.compress(b'"text"')).decode()],
        ),
        (base64.b64encode(zlib.compress(b"[1]")).decode(), ["1"]),
    ],
)
def test_what_is_not_packed_comes_back_as_it_is(found, lines):
    assert backtrace.decode(found) == lines


@pytest.mark.parametrize("content", [b"[" * 100_000, b'["' + b"x" * (9 * 1_048_576) + b'"]', b"\xff"])
def test_a_bomb_does_not_go_off(content):
    packed = base64.b64encode(zlib.compress(content)).decode()
    assert backtrace.decode(packed) == [packed]


@given(st.text())
def test_reads_any_text(text):
    assert backtrace.decode(text)


class TestLinesOf:
    def test_innermost_first(self):
        lines = backtrace.lines_of(raised(2))
        assert len(lines) == 4
        assert all(line.startswith(__file__) for line in lines)
        assert lines[0].endswith("in `_raise`")
        assert lines[-1].endswith("in `raised`")

    def test_the_number_of_the_line(self):
        assert f":{_raise.__code__.co_firstlineno + 3}:" in backtrace.lines_of(raised())[0]

    @pytest.mark.parametrize(("limit", "count"), [(True, 4), (3, 3), (100, 4), (1, 1), (0, 0), (False, 0), (-2, 0)])
    def test_limit(self, limit, count):
        assert len(backtrace.lines_of(raised(2), limit)) == count

    def test_never_raised(self):
        assert backtrace.lines_of(ValueError()) == []

    def test_a_deep_one_is_cut(self, monkeypatch):
        monkeypatch.setattr(backtrace, "MAX_CHARACTERS", 1000)
        lines = backtrace.lines_of(raised(500))
        assert 1 < len(lines) < 500
        assert len("".join(lines)) <= 1000
