"""Does a text stand in a job? A text is looked for letter by letter, and there is no pattern in it.

The rule: it is in a job when it is part of one of the texts in the job's JSON (keys and values, escapes resolved), or
when it stands in the JSON as stored, so that numbers and whole pieces like `"class":"Charge"` can be looked for too.

Redis sees bytes only, so it is asked for every spelling that JSON writers give a text: UTF-8 as it is (ours, Ruby's,
JavaScript's), non-ASCII escaped (Python's default, PHP's, Java's), `<`, `>` and `&` escaped (Rails', Go's). A payload
that mixes these, part of a text in one and part in another, is not found.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from kiq_django.api.records import JobRecord

HTML = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
ESCAPE = re.compile(r"\\(u[0-9a-f]{4}|.)", re.DOTALL)


def spellings(text: str) -> tuple[bytes, ...]:
    """How JSON may spell a text, without the quotes around it. None when no JSON can: it holds half a character."""
    try:
        as_it_is = text.encode()
    except UnicodeEncodeError:
        return ()
    raw, ascii_only = (json.dumps(text, ensure_ascii=each)[1:-1] for each in (False, True))
    written = [raw, ascii_only, raw.translate(HTML), ascii_only.translate(HTML), ascii_only.replace("/", r"\/")]
    written += [ESCAPE.sub(_in_capitals, each) for each in written]
    return tuple(dict.fromkeys((as_it_is, *map(str.encode, written))))


def quoted(text: str) -> tuple[bytes, ...]:
    """How JSON may spell a value that is this text and no more."""
    return tuple(b'"%b"' % each for each in spellings(text))


def contains(record: JobRecord, text: str) -> bool:
    """Whether a text is in a job, by the rule above. Bytes that are no job are searched as stored."""
    try:
        if text.encode() in record.raw:
            return True
    except UnicodeEncodeError:
        return False
    return record.payload is not None and any(text in each for each in _texts(record.payload.document))


def _texts(value: Any) -> Iterator[str]:
    """Every text inside of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each)


def _in_capitals(escape: re.Match[str]) -> str:
    """The hex digits of an escape; a backslash that is escaped itself begins none."""
    return rf"\u{escape[1][1:].upper()}" if len(escape[1]) > 1 else escape[0]
