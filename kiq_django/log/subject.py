"""The job that a line is about."""

import json
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from kiq_django.log.escaping import FIELD_CHARACTERS, one_field
from kiq_django.payload import Payload

FIELDS = ("class", "jid", "queue", "tags", "elapsed")
"""What lines say about a job, in this order; `elapsed` is in seconds, once it has ended."""


class Subject:
    """The job that lines are about, fit to be written. Made once for all its lines."""

    tags: Sequence[str] = ()
    text: str = ""
    json: str = ""

    def __init__(self, payload: Payload, queue: str, tid: str = "0") -> None:
        """`tid` is the hexadecimal id of the thread that runs it, if that is known."""
        document = payload.document
        jid: str = document["jid"]
        name = payload.display_name if "wrapped" in document or "display_class" in document else document["class"]
        together = f"{name}{jid}{queue}"
        if not together.isprintable() or " " in together or len(together) > FIELD_CHARACTERS:
            name, jid, queue = one_field(name), one_field(jid), one_field(queue)
        self.name, self.jid, self.queue, self.tid = name, jid, queue, tid
        self.payload = payload
        if "tags" in document:
            self.tags = [one_field(tag) for tag in payload.tags]

    def context(self) -> dict[str, Any]:
        """What a record carries as `kiq`."""
        found: dict[str, Any] = {"class": self.name, "jid": self.jid, "queue": self.queue}
        return {**found, "tags": self.tags} if self.tags else found

    def as_text(self) -> str:
        """`class=... jid=... queue=... tags=...`"""
        if not self.text:
            self.text = f"class={self.name} jid={self.jid} queue={self.queue}"
            if self.tags:
                self.text += f" tags={','.join(self.tags)}"
        return self.text

    def as_json(self) -> str:
        """The same as members of an object."""
        if not self.json:
            self.json = f'"class":{quoted(self.name)},"jid":{quoted(self.jid)},"queue":{quoted(self.queue)}'
            if self.tags:
                self.json += f',"tags":{json.dumps(self.tags)}'
        return self.json
