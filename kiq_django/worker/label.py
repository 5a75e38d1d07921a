"""What a line of the log calls a job: it shows none of its arguments, and stays one short line."""

import hashlib
from typing import Final

from kiq_django.exceptions import MalformedPayload
from kiq_django.payload import Payload

MOST_CHARACTERS: Final = 100
"""Of a name and of an id, which in a foreign payload may be any text."""


def label(raw: bytes) -> str:
    """Name and id of a job; of bytes that are none their length and the begin of their SHA-256."""
    try:
        payload = Payload.decode(raw)
    except MalformedPayload:
        return f"{len(raw)} unreadable bytes, SHA-256 {hashlib.sha256(raw).hexdigest()[:12]}"
    return f"{_escaped(payload.name)}, jid {_escaped(payload.jid)}"


def _escaped(text: str) -> str:
    """Control characters spelled out, without the quotes that `repr` adds."""
    return repr(text[:MOST_CHARACTERS])[1:-1]
