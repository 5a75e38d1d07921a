"""What the doctor looks at, in words: `kiq doctor` prints the names themselves, and others read them."""

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

TOPICS: Final = {
    "adapter": gettext_lazy("adapter"),
    "clock": gettext_lazy("clock"),
    "connection": gettext_lazy("connection"),
    "eviction": gettext_lazy("eviction"),
    "features": gettext_lazy("features"),
    "memory": gettext_lazy("memory"),
    "persistence": gettext_lazy("persistence"),
    "processes": gettext_lazy("processes"),
    "queues": gettext_lazy("queues"),
    "role": gettext_lazy("role"),
    "round trip": gettext_lazy("round trip"),
    "server": gettext_lazy("server"),
    "settings": gettext_lazy("settings"),
}
QUEUE: Final = "queue "
"""Begins the topic of one queue, before its name."""


def label(topic: str) -> str:
    """The name of a topic in the language in force; names of programs stay as they are."""
    if topic.startswith(QUEUE):
        return _("Queue %(name)s") % {"name": topic.removeprefix(QUEUE)}
    return str(TOPICS.get(topic, topic))
