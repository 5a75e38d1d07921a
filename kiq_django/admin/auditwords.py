"""What the audit log says, in the language of who reads it: entries hold the names, which other programs read too."""

from typing import Any, Final

from django.utils.translation import pgettext, pgettext_lazy

from kiq_django.admin import badges

VERBS: Final = {
    "cancel": pgettext_lazy("what was done", "cancel"),
    "clear": pgettext_lazy("what was done", "clear"),
    "delete": pgettext_lazy("what was done", "delete"),
    "dump threads of": pgettext_lazy("what was done", "dump threads of"),
    "enqueue": pgettext_lazy("what was done", "enqueue"),
    "export": pgettext_lazy("what was done", "export"),
    "kill": pgettext_lazy("what was done", "kill"),
    "move": pgettext_lazy("what was done", "move"),
    "pause": pgettext_lazy("what was done", "pause"),
    "quiet": pgettext_lazy("what was done", "quiet"),
    "reschedule": pgettext_lazy("what was done", "reschedule"),
    "resume": pgettext_lazy("what was done", "resume"),
    "retry": pgettext_lazy("what was done", "retry"),
    "stop": pgettext_lazy("what was done", "stop"),
    "uncover": pgettext_lazy("what was done", "uncover"),
}
DETAILS: Final = {
    "copy of": pgettext_lazy("detail of what was done", "copy of"),
    "filter": pgettext_lazy("detail of what was done", "filter"),
    "from": pgettext_lazy("detail of what was done", "from"),
    "in": pgettext_lazy("detail of what was done", "in"),
    "job": pgettext_lazy("detail of what was done", "job"),
    "queue": pgettext_lazy("detail of what was done", "queue"),
    "spread": pgettext_lazy("detail of what was done", "spread"),
    "to": pgettext_lazy("detail of what was done", "to"),
    "when": pgettext_lazy("detail of what was done", "when"),
}
PLACES: Final = ("queue", "schedule", "retry", "dead")
UNDO: Final = "undo "
"""Begins the verb of what was taken back."""


def verb(name: str) -> str:
    """A verb of an entry; one that is not ours shows itself."""
    if name.startswith(UNDO):
        return pgettext("what was done", "undo %(verb)s") % {"verb": verb(name.removeprefix(UNDO))}
    return str(VERBS.get(name, name))


def place(name: str) -> str:
    """A set of jobs by the word for what is in it; the name of a queue shows itself."""
    return str(badges.STATES[name][2]) if name in PLACES else name


def detail(name: str, value: Any) -> str:
    """One detail of an entry: `from: dead`."""
    text = str(value)
    if name in ("from", "in"):
        text = place(text)
    elif (name, text) == ("filter", "all"):
        text = pgettext("filter", "all")
    return f"{DETAILS.get(name, name)}: {text}"
