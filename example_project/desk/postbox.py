"""The mails that the desk has sent: files, as Django's file-based backend writes them."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from example_project.desk.mails import ORDER_HEADER

END_OF_MAIL = b"-" * 79 + b"\n"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as people read it."""

    name: str
    order: str
    to: str
    subject: str
    date: str
    text: str


def mails() -> list[Mail]:
    """Return all mails, the newest first: the names of the files begin with the time of sending."""
    files = sorted(Path(settings.MAILS).glob("*.log"), reverse=True)
    return [mail for file in files for mail in _mails_in(file)]


def find(name: str) -> Mail | None:
    """Return the mail of this name."""
    return next((mail for mail in mails() if mail.name == name), None)


def _mails_in(file: Path) -> Iterator[Mail]:
    """Read one file, which holds several mails when they were sent within the same second."""
    for index, raw in enumerate(file.read_bytes().split(END_OF_MAIL)):
        if raw.strip():
            yield _parse(f"{file.stem}-{index}", raw)


def _parse(name: str, raw: bytes) -> Mail:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    fields = (str(message[key] or "") for key in (ORDER_HEADER, "To", "Subject", "Date"))
    return Mail(name, *fields, text=message.get_content().strip())
