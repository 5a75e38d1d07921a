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


def thrown(*files, name="fail"):
    """An error that came through these files, the outermost first."""

    def call(inner, path):
        names = {"inner": inner}
        exec(compile(f"def {name}():\n    inner()\n", path, "exec"), names)
        return names[name]

    def innermost():
        raise ValueError("x")

    function = None
    for path in reversed(files):
        if function is None:
            names = {}
            exec(compile(f"def {name}():\n    raise ValueError('x')\n", path, "exec"), names)
            function = names[name]
        else:
            function = call(function, path)
    try:
        (function or innermost)()
    except ValueError as error:
        error.__traceback__ = error.__traceback__.tb_next or error.__traceback__  # without this file
        return error


SHOP = "/srv/shop/"


class TestFrameOf:
    @pytest.mark.parametrize(
        ("files", "frame"),
        [
            (["/srv/shop/a.py"], "a.py:2 in fail"),
            (["/srv/shop/a.py", "/srv/shop/billing/b.py"], "billing/b.py:2 in fail"),
            (["/srv/shop/a.py", "/v/lib/python3.12/site-packages/requests/api.py"], "a.py:2 in fail"),
            (["/srv/shop/a.py", "/srv/shop/.venv/lib/python3.12/site-packages/x.py"], "a.py:2 in fail"),
            (["/srv/shop/a.py", "/usr/lib/python3/dist-packages/x.py"], "a.py:2 in fail"),
            (["/srv/shop/a.py", "/usr/lib/python3.12/json/decoder.py"], "a.py:2 in fail"),
            (["/srv/shop/a.py", json.decoder.__file__], "a.py:2 in fail"),
            (["/srv/shop/a.py", "<frozen importlib._bootstrap>"], "a.py:2 in fail"),
            (["/srv/shop/a.py", "<string>"], "a.py:2 in fail"),
            (["/srv/shop/a.py", backtrace.__file__], "a.py:2 in fail"),
            (["/v/lib/python3.12/site-packages/requests/api.py", "/usr/lib64/python3.12/ssl.py"], "ssl.py:2 in fail"),
            (["/srv/shop/.venv/lib/python3.12/site-packages/django/db/models.py"], "django/db/models.py:2 in fail"),
            (["<string>"], "<string>:2 in fail"),
            (["/elsewhere/of/the/machine/a.py"], "the/machine/a.py:2 in fail"),
            (["C:\\shop\\billing\\pay.py"], "shop/billing/pay.py:2 in fail"),
            (["C:\\Python\\Lib\\site-packages\\x\\y.py", "C:\\shop\\a.py"], "C:/shop/a.py:2 in fail"),
            (["manage.py"], "manage.py:2 in fail"),
            ([""], ":2 in fail"),
        ],
    )
    def test_the_innermost_of_the_project(self, files, frame):
        assert backtrace.frame_of(thrown(*files), [SHOP]) == frame

    def test_the_first_root_that_fits(self):
        error = thrown("/srv/shop/src/a.py")
        assert backtrace.frame_of(error, ["/other/", "/srv/shop/src/", SHOP]) == "a.py:2 in fail"
        assert backtrace.frame_of(error, [SHOP, "/srv/shop/src/"]) == "src/a.py:2 in fail"

    def test_here(self):
        assert backtrace.frame_of(raised(3)).startswith("tests/unit/test_backtrace.py:")
        assert backtrace.frame_of(raised(3)).endswith("in _raise")

    def test_never_raised(self):
        assert backtrace.frame_of(ValueError()) == ""

    def test_it_is_short(self):
        frame = backtrace.frame_of(thrown(f"/srv/shop/{'x' * 5000}/a.py", name="f" * 1000), [SHOP])
        assert len(frame) < 220
        assert frame.startswith("…xxx")
        assert "/a.py:2 in fff" in frame

    def test_half_characters(self):
        assert backtrace.frame_of(thrown("/srv/shop/\udcff.py"), [SHOP]) == "?.py:2 in fail"

    def test_a_deep_recursion(self):
        assert backtrace.frame_of(raised(900)).endswith("in _raise")

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=3))
    def test_any_file(self, files):
        assert backtrace.frame_of(thrown(*files), [SHOP, ""])
