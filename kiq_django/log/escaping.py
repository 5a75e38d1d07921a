"""What data of a job may not do in a line: break it, steer a terminal, or be taken for the next field."""

import re

from kiq_django.redaction import redact_text

FIELD_CHARACTERS = 256
MESSAGE_CHARACTERS = 1_000
"""Of an error, in our lines about it."""

_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_A_LINE = re.compile(f"[{_CONTROL}]")
_IN_A_FIELD = re.compile(rf"[{_CONTROL}\s]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _escape(found: re.Match[str]) -> str:
    number = ord(found.group())
    return _SHORT.get(found.group()) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def one_line(text: str) -> str:
    """Text that stays on its line: line breaks, escape and other control characters are spelled out."""
    return text if text.isprintable() else _IN_A_LINE.sub(_escape, text)


def one_field(text: str) -> str:
    """The same, and nothing in it can be taken for the next field."""
    return _IN_A_FIELD.sub(_escape, text[:FIELD_CHARACTERS])


def said(error: BaseException) -> str:
    """`ValueError: its text`, cut, without secrets, on one line, whatever its `__str__` does."""
    try:
        text = redact_text(str(error)[: 10 * MESSAGE_CHARACTERS])[:MESSAGE_CHARACTERS]
    except BaseException as trouble:  # noqa: BLE001 - a stranger's code
        text = f"its text raised {type(trouble).__name__}"
    return one_line(f"{type(error).__name__}: {text}" if text else type(error).__name__)
