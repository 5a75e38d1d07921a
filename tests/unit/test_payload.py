import json
import shutil
import subprocess
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kiq_django import codec as module
from kiq_django.exceptions import MalformedPayload, PayloadError
from kiq_django.jids import JidRange, new_jid
from kiq_django.payload import ABSENT, Payload

JID = "0123456789abcdef01234567"
JOB = {"retry": True, "queue": "default", "class": "shop.jobs.invoice", "args": [1], "jid": JID}

texts = st.text(st.characters(exclude_categories=["Cs"]))
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | floats | texts
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)

numbers = st.from_regex(rb"-?[0-9]{1,40}(\.[0-9]*)?(e-?[0-9]*)?")
needs_orjson = pytest.mark.skipif(module.orjson is None, reason="needs orjson")

NO_JSON_OBJECT = [b"null", b"7", b"[]", b'"x"', b"{}"]
NO_JSON = [
    b"",
    b" ",
    b"{",
    b"[1",
    b"NaN",
    b"1e400",
    b"-1e400",
    b'"\\ud800"',
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b"1" * 5_000,
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b'"\xed\xa0\x80"',
    json.dumps(JOB).encode("utf-16"),
    b"\x80\x04K\x01.",
]


def raw_job(**fields):
    return json.dumps({**JOB, **fields}).encode()


@pytest.fixture(params=["plain", pytest.param("fast", marks=needs_orjson)])
def codec(request, monkeypatch):
    """Both codecs have to pass the same tests."""
    monkeypatch.setattr(module, "_parse", getattr(module, f"_parse_{request.param}"))
    return request.param


class TestCodec:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1795318639.0, "1795318639.0"),
            (1795318639.913464, "1795318639.913464"),
            (1e15, "1000000000000000.0"),
            (1e20, "1e+20"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (5e-324, "5e-324"),
            (2**64 - 1, "18446744073709551615"),
            (-(2**63), "-9223372036854775808"),
            (2**70, "1180591620717411303424"),
            ("é\u2028/\x7f", '"é\u2028/\x7f"'),
            ('\\"\b\f\n\r\t\x00\x1f', '"\\\\\\"\\b\\f\\n\\r\\t\\u0000\\u001f"'),
            ({"a": [1, None, True]}, '{"a":[1,null,true]}'),
        ],
    )
    def test_writes_these_bytes_and_reads_them_back(self, codec, value, text):
        assert module.dumps(value) == text
        back = module.loads(text)
        assert back == value
        assert type(back) is type(value)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_refuses_to_write_numbers_that_json_lacks(self, codec, value):
        with pytest.raises(PayloadError):
            module.dumps([None, {"a": value}])

    @pytest.mark.parametrize("value", [object(), {1, 2}, b"x", ABSENT, uuid4()])
    def test_refuses_to_write_other_types(self, codec, value):
        with pytest.raises(PayloadError, match="JSON"):
            module.dumps({"a": value})

    @pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, ["a\ud83d"]])
    def test_refuses_to_write_half_characters(self, codec, value):
        with pytest.raises(PayloadError, match="half a character"):
            module.dumps(value)

    def test_refuses_a_list_that_holds_itself(self, codec):
        ring = []
        ring.append(ring)
        with pytest.raises(PayloadError):
            module.dumps(ring)

    @pytest.mark.parametrize(("opening", "inside", "closing"), [("[", "", "]"), ('{"a":', "1", "}")])
    def test_nests_a_hundred_levels_and_no_more(self, codec, opening, inside, closing):
        text = opening * 100 + inside + closing * 100
        value = module.loads(text)
        assert module.dumps(value) == text
        with pytest.raises(MalformedPayload, match="100 levels"):
            module.loads(f"[{text}]")
        with pytest.raises(PayloadError, match="100 levels"):
            module.dumps([value])

    def test_a_text_full_of_brackets_is_not_deep(self, codec):
        assert module.loads(module.dumps(["[{" * 200])) == ["[{" * 200]

    @pytest.mark.parametrize("raw", NO_JSON)
    def test_refuses_to_read(self, codec, raw):
        with pytest.raises(MalformedPayload):
            module.loads(raw)

    @pytest.mark.parametrize("raw", [b'["\\ud83d\\ude00"]', b'["\\\\ud800"]'])
    def test_reads_whole_characters_however_they_are_written(self, codec, raw):
        assert module.loads(raw) == json.loads(raw)

    def test_reads_what_ruby_writes_beyond_64_bits(self, codec):
        for number in (2**64, -(2**63) - 1, -9999999999999999999, 123456789012345678901234567890):
            assert module.loads(str(number)) == number

    @given(values)
    def test_round_trip(self, value):
        assert module.loads(module.dumps(value)) == value

    @given(values | st.floats() | st.text() | st.lists(st.floats() | st.integers()))
    def test_the_inner_half_of_the_writer_is_as_strict_as_the_whole(self, value):
        assert outcome(lambda: "".join(module._pieces(value))) == outcome(module._ENCODER.encode, value)

    @needs_orjson
    @given(values.map(json.dumps).map(str.encode) | st.binary() | numbers)
    @example(b"1e400")
    @example(b'"\\uD800\\u0041"')
    def test_both_codecs_read_the_same(self, raw):
        shape = raw.translate(module._SHAPE)
        assert outcome(module._parse_plain, raw, shape) == outcome(module._parse_fast, raw, shape)


def outcome(function, *arguments):
    """What a function answers, so that NaN, -0.0 and 1 against 1.0 show; errors of all kinds are one."""
    try:
        return repr(function(*arguments))
    except (ValueError, TypeError, RecursionError):
        return "refused"


@pytest.mark.skipif(not shutil.which("ruby"), reason="needs Ruby")
def test_ruby_would_print_the_same_bytes():
    numbers = [1.0, -0.5, 0.0001, 123456789012345.6, 1795318639.913464, 0, -7, 2**64 - 1, 2**80]
    texts = ["", "é", "日本", "😀", "\u2028\u2029", "/", "\x7f", "".join(map(chr, range(32))), '"\\']
    samples = [{"a": numbers}, texts, {**JOB, "created_at": 1795318639.0}, [None, True], [], {}]
    lines = [module.dump_bytes(sample) for sample in samples]
    script = "STDIN.each_line { |line| puts JSON.generate(JSON.parse(line)) }"
    command = ["ruby", "-Ku", "-rjson", "-e", script]
    printed = subprocess.run(command, input=b"\n".join(lines), capture_output=True, check=True).stdout
    assert printed.splitlines() == lines


class TestDecode:
    def test_reads_a_job(self, codec):
        payload = Payload.decode(raw_job(kwargs={"locale": "de"}, tags=["a"], rich=True))
        assert (payload.name, payload.jid, payload.queue) == ("shop.jobs.invoice", JID, "default")
        assert (payload.args, payload.kwargs, payload.tags, payload.rich) == (
            [1],
            {"locale": "de"},
            ["a"],
            True,
        )

    def test_what_may_be_missing(self, codec):
        payload = Payload.decode(json.dumps({"class": "a", "jid": "b"}).encode())
        assert (payload.args, payload.kwargs, payload.tags, payload.rich) == ([], {}, [], False)
        assert (payload.queue, payload.retry, payload.retry_count) == ("default", True, None)
        assert (payload.at, payload.created_at, payload.enqueued_at) == (None, None, None)

    def test_null_is_as_good_as_missing(self, codec):
        names = ["args", "kwargs", "tags", "queue", "retry_count", "retry", "created_at"]
        payload = Payload.decode(raw_job(**dict.fromkeys(names)))
        assert (payload.args, payload.kwargs, payload.tags, payload.queue) == ([], {}, [], "default")
        assert (payload.retry, payload.retry_count, payload.created_at) == (True, None, None)

    @pytest.mark.parametrize("raw", [*NO_JSON, *NO_JSON_OBJECT])
    def test_what_is_no_job_at_all(self, codec, raw):
        with pytest.raises(MalformedPayload):
            Payload.decode(raw)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *(("class", value) for value in (None, "", 1, ["a"])),
            *(("jid", value) for value in (None, 1, [])),
            *(("args", value) for value in ("x", {}, 1, True)),
            *(("kwargs", value) for value in ([], "x", 1)),
            *(("tags", value) for value in ("x", {}, 1)),
            *(("queue", value) for value in (1, [])),
            *(("retry_count", value) for value in ("1", 1.0, True, [])),
        ],
    )
    def test_a_wrong_type_is_named(self, codec, field, value):
        with pytest.raises(MalformedPayload, match=f"'{field}'"):
            Payload.decode(raw_job(**{field: value}))

    @pytest.mark.parametrize(
        ("value", "meaning"),
        [
            (True, True),
            (False, False),
            (0, 0),
            (5, 5),
            (-1, -1),
            ("yes", True),
            ("", True),
            (1.5, True),
            (10**9, 10**9),
        ],
    )
    def test_retry_is_read_as_ruby_reads_it(self, value, meaning):
        retry = Payload.decode(raw_job(retry=value)).retry
        assert retry == meaning
        assert type(retry) is type(meaning)

    @pytest.mark.parametrize("count", [0, -1, 25])
    def test_every_retry_count_is_real(self, count):
        assert Payload.decode(raw_job(retry_count=count)).retry_count == count

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            (b"1795318639.913464", 1795318639.913464),
            (b"1795318639", 1795318639.0),
            (b"1795318639913", 1795318639.913),
            (b"100000000000", 100000000.0),
            (b"99999999999", 99999999999.0),
            (b"-5", -5.0),
            (b"1" * 400, None),
            (b'"1795318639"', None),
            (b"true", None),
            (b"{}", None),
        ],
    )
    @pytest.mark.parametrize("field", ["created_at", "enqueued_at", "failed_at", "retried_at", "at"])
    def test_times_of_every_version(self, codec, field, text, seconds):
        raw = raw_job(**{field: 0}).replace(b'"%s": 0' % field.encode(), b'"%s": %s' % (field.encode(), text))
        found = getattr(Payload.decode(raw), field)
        assert found == seconds
        assert type(found) in (float, type(None))

    @given(st.binary() | values.map(module.dump_bytes))
    def test_fuzz(self, raw):
        decode_or_refuse(raw)

    @given(st.dictionaries(st.sampled_from([*JOB, "kwargs", "tags", "retry_count", "at", "failed_at", "x"]), values))
    def test_fuzz_of_fields(self, fields):
        decode_or_refuse(module.dump_bytes({**JOB, **fields}))

    @given(st.data())
    def test_fuzz_of_damaged_bytes(self, data):
        raw = bytearray(raw_job(created_at=1795318639.5, kwargs={"a": [None, "é"]}, error_message="\u2028"))
        for position in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=5)):
            raw[position] ^= 1 << data.draw(st.integers(0, 7))
        start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(raw))] * 2)))
        decode_or_refuse(bytes(raw))
        decode_or_refuse(bytes(raw[:start] + raw[end:]))
        decode_or_refuse(bytes(raw[:end] + raw[start:]))


def decode_or_refuse(raw):
    """A payload whose properties are readable and that keeps its bytes, or `MalformedPayload`: no other end."""
    try:
        payload = Payload.decode(raw)
    except MalformedPayload:
        return
    for name in dir(Payload):
        if isinstance(getattr(Payload, name), property):
            getattr(payload, name)
    assert payload.encode() is raw
    assert Payload.decode(payload.evolve(queue="other").encode()).queue == "other"


class TestPayload:
    def test_a_new_one_has_what_every_reader_needs(self):
        payload = Payload.new("a.b", (1, "x"), {}, queue="mail", retry=5, now=1795318639, jid=JID, bid="B")
        assert payload.encode().decode() == (
            '{"retry":5,"queue":"mail","class":"a.b","args":[1,"x"],'
            f'"jid":"{JID}","created_at":1795318639.0,"bid":"B"}}'
        )

    def test_arguments_by_name_and_a_time_have_fields_of_their_own(self):
        payload = Payload.new("a", [], {"b": 1}, queue="q", retry=False, now=1.5, at=7)
        assert (payload.kwargs, payload.at, payload.created_at, len(payload.jid)) == ({"b": 1}, 7.0, 1.5, 24)
        assert "at" not in payload.evolve(at=ABSENT).document

    @given(st.lists(values), st.dictionaries(texts, values), floats, floats)
    def test_round_trip(self, args, kwargs, now, at):
        payload = Payload.new("a", args, kwargs, queue="q", retry=True, now=now, at=at)
        assert Payload.decode(payload.encode()) == payload

    def test_an_unchanged_payload_keeps_its_bytes(self):
        raw = b'{ "class":"a", "jid":"b", "args":[1e2, 12345678901234567890123] }\n'
        assert Payload.decode(raw).encode() is raw
        changed = Payload.decode(raw).evolve(queue="q").encode()
        assert changed == b'{"class":"a","jid":"b","args":[100.0,12345678901234567890123],"queue":"q"}'

    def test_evolve_leaves_the_old_one_alone(self):
        old = Payload.decode(raw_job(x=1))
        new = old.evolve(x=ABSENT, y=2)
        assert ("x" in new.document, new.document["y"], "y" in old.document) == (False, 2, False)
        assert new != old

    def test_the_original_knows_nothing_of_what_a_job_did_to_its_arguments(self):
        payload = Payload.decode(raw_job(args=[[1]]))
        payload.args[0].append(object())
        assert payload.original().args == [[1]]

    def test_trouble_on_writing_names_the_job(self):
        payload = Payload.new("shop.jobs.invoice", [float("nan")], {}, queue="q", retry=True, now=1)
        with pytest.raises(PayloadError, match=rf"shop\.jobs\.invoice {payload.jid}.*not JSON"):
            payload.encode()

    def test_the_name_for_people(self):
        assert Payload.decode(raw_job(wrapped="W", display_class="D")).display_name == "D"
        assert Payload.decode(raw_job(wrapped="W", display_class=7)).display_name == "W"
        assert Payload.decode(raw_job()).display_name == "shop.jobs.invoice"

    def test_what_is_printed_holds_no_argument(self):
        assert repr(Payload.decode(raw_job(args=["secret"]))) == f"<Payload shop.jobs.invoice {JID}>"

    def test_is_usable_in_sets(self):
        assert len({Payload.decode(raw_job()), Payload.decode(raw_job()), Payload.decode(raw_job(jid="x"))}) == 2
        assert Payload.decode(raw_job()) != raw_job()


class TestIds:
    def test_an_id_is_24_lower_case_hex_characters(self):
        ids = {new_jid() for _ in range(100)}
        assert len(ids) == 100
        assert all(len(jid) == 24 and set(jid) <= set("0123456789abcdef") for jid in ids)

    def test_a_range_remembers_what_it_gave(self):
        jids = JidRange()
        taken = [jids.take() for _ in range(20)]
        assert list(jids) == taken
        assert (len(jids), len(set(taken)), jids[0], jids[-1], jids[3:5]) == (
            *(20, 20, taken[0], taken[-1]),
            taken[3:5],
        )
        assert taken[7] in jids
        assert new_jid() not in jids
        with pytest.raises(IndexError):
            jids[20]
        assert all(len(jid) == 24 and set(jid) <= set("0123456789abcdef") for jid in taken)

    def test_two_ranges_share_nothing(self):
        assert JidRange(1)[0] != JidRange(1)[0]

    def test_a_range_ends(self):
        jids = JidRange(JidRange.LIMIT - 1, prefix="0" * 16)
        assert jids.take() == "0" * 16 + "f" * 8
        with pytest.raises(OverflowError):
            jids.take()
