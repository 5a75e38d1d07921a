"""Our JSON is Ruby's, byte for byte: Sidekiq's API finds a job that it reschedules by writing it once more."""

import json
import random

import pytest

from kiq_django import codec
from kiq_django.payload import Payload

pytestmark = pytest.mark.acceptance

TEXTS = [
    "", "plain", "é ü ß 漢字 😀", 'quotes " and \\ and /', "\b\f\n\r\t", "".join(map(chr, range(32))), "\x7f\x80\xa0",
    "\u2028\u2029\ufeff\uffff", "</script><!--", "nul \x00 inside", "\U0010ffff",
]  # fmt: skip
NUMBERS = [
    0, -1, 2**63, -(2**63), 2**64 - 1, 10**30, 0.0, -0.0, 1.0, 1.5, 0.1, 1e-4, 1234567.1234567, 999_999_999_999_999.9,
    1_795_318_639.913464, 1_795_318_639.0, -123456789012345.6,
]  # fmt: skip


def documents():
    yield {"texts": TEXTS, "numbers": NUMBERS, "plain": [True, False, None], "nested": [[[{"a": {}}]], []]}
    yield dict(zip(TEXTS, NUMBERS, strict=False))
    chance = random.Random(20_260_203)
    for _ in range(300):
        number = chance.choice([chance.random() * 10 ** chance.randint(-3, 14), chance.randint(-(2**63), 2**64 - 1)])
        characters = [chr(chance.choice([*range(0x250), *range(0x2000, 0x2100), 0x1F600])) for _ in range(8)]
        yield {"n": number, "t": "".join(characters), "at": 1.7e9 + chance.random() * 1e9}


def test_ruby_writes_what_it_read(ruby):
    ours = [codec.dumps(document) for document in documents()]
    assert ruby("json_text", ours) == ours


def test_a_payload_that_has_been_through_ruby_is_the_same(ruby):
    """Ruby changes no byte, and neither do we when we write again what Ruby wrote."""
    made = Payload.new("a.B", TEXTS, {"k": 1.0}, queue="q", retry=True, now=1_795_318_639.0, tags=["é"])
    text = made.encode().decode()
    [again] = ruby("json_text", [text])
    assert again == text
    assert Payload.decode(again.encode()).evolve().encode() == made.encode()


@pytest.mark.parametrize("number", [1e-5, -2e-7, 1e15, -1e16, 1e300])
def test_numbers_without_one_spelling(ruby, number):
    """Ruby's JSON writes these differently from version to version, so nobody can have them byte for byte."""
    ours = codec.dump_bytes({"n": number}).decode()
    [theirs] = ruby("json_text", [ours])
    assert theirs != ours
    assert json.loads(theirs) == json.loads(ours) == codec.loads(theirs)
