"""One job in few words, for lists: its name, its call, its error. Everything here is cut to a bearable length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from kiq_django import codec, redaction, routing
from kiq_django.admin import rights

if TYPE_CHECKING:
    from kiq_django.api import JobRecord

LONGEST_CALL = 120
LONGEST_NAME = 100
LONGEST_ERROR = 200
"""Characters."""


def name(record: JobRecord) -> str:
    """What the job is called, or that it cannot be read."""
    return cut(record.display_name, LONGEST_NAME) or _("(not readable)")


def call(record: JobRecord) -> str:
    """The arguments as they were given, secrets hidden: `42, {"to": "ada@example.com"}, locale="de"`."""
    payload = record.payload
    if payload is None:
        return cut(record.raw.decode(errors="replace"), LONGEST_CALL)
    args, kwargs = redaction.redact_call(payload, routing.find(payload))
    parts = [_json(value) for value in args] + [f"{key}={_json(value)}" for key, value in kwargs.items()]
    return cut(", ".join(parts), LONGEST_CALL)


def name_and_call(record: JobRecord) -> SafeString:
    """Both, the arguments below the name."""
    return format_html('{}<span class="kiq-mono">{}</span>', name(record), call(record))


def error(record: JobRecord) -> str:
    """`CardTimeout: gateway timed out`; for bytes that are no job, why not."""
    if record.error:
        return cut(record.error, LONGEST_ERROR)
    message = redaction.redact_text(record.error_message.partition("\n")[0])
    return cut(": ".join(part for part in (short_class(record.error_class), message) if part), LONGEST_ERROR)


def short_class(path: str) -> str:
    """The last part of a dotted path."""
    return path.rpartition(".")[2]


def may_see_arguments(request: HttpRequest) -> bool:
    """Arguments are private: they take a right of their own."""
    return rights.may(request, "view_job_args")


def cut(text: str, most: int) -> str:
    """At most so many characters, on one line."""
    line = " ".join(text[: most * 2].split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _json(value: Any) -> str:
    return codec.dumps(value)
