"""States of queues, jobs and processes: a word with a picture, in a tone that never stands alone."""

from typing import Any, Final

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy

LONGEST_STATE = 40
"""Characters of an unknown state that are shown."""
LONGEST_TITLE = 80

STATES: Final = {
    "ok": ("ok", "ok", gettext_lazy("ok")),
    "warn": ("warn", "warn", gettext_lazy("warning")),
    "error": ("bad", "bad", gettext_lazy("error")),
    "enqueued": ("info", "queue", gettext_lazy("enqueued")),
    "scheduled": ("info", "clock", gettext_lazy("scheduled")),
    "queue": ("info", "queue", gettext_lazy("enqueued")),
    "schedule": ("info", "clock", gettext_lazy("scheduled")),
    "running": ("info", "run", gettext_lazy("running")),
    "retry": ("warn", "retry", gettext_lazy("retry")),
    "dead": ("bad", "dead", gettext_lazy("dead")),
    "finished": ("ok", "ok", gettext_lazy("finished")),
    "failed": ("bad", "bad", gettext_lazy("failed")),
    "serving": ("ok", "ok", gettext_lazy("serving")),
    "slow": ("warn", "warn", gettext_lazy("slow")),
    "unserved": ("bad", "bad", gettext_lazy("unserved")),
    "paused": ("idle", "pause", gettext_lazy("paused")),
    "idle": ("idle", "dot", gettext_lazy("idle")),
    "busy": ("info", "run", gettext_lazy("busy")),
    "quiet": ("idle", "pause", gettext_lazy("quiet")),
    "stopping": ("warn", "clock", gettext_lazy("stopping")),
    "unresponsive": ("bad", "warn", gettext_lazy("unresponsive")),
    "lost": ("bad", "bad", gettext_lazy("lost")),
    "done": ("ok", "ok", gettext_lazy("done")),
    "cancelled": ("idle", "bad", gettext_lazy("cancelled")),
    "waiting": ("idle", "clock", gettext_lazy("waiting")),
}
"""Tone, icon and word of a state, and of a place of jobs."""


def icon(name: str) -> SafeString:
    """A picture of `sprite.html`; screen readers pass over it, so a word stands beside it."""
    return format_html('<svg class="kiq-icon" aria-hidden="true"><use href="#kiq-i-{}"/></svg>', name)


def badge(state: Any, words: Any = None) -> SafeString:
    """A state as icon and word; other words in place of its own, when given. An unknown state shows itself."""
    unknown = ("idle", "dot", Truncator(str(state)).chars(LONGEST_STATE))
    tone, picture, word = STATES.get(str(state), unknown)
    return format_html('<span class="kiq-badge kiq-{}">{} {}</span>', tone, icon(picture), words or word)


def jid(value: Any) -> SafeString:
    """The begin of a job's id, the whole of it as title."""
    text = str(value)
    short = text if len(text) <= 12 else f"{text[:8]}…"
    return format_html('<code class="kiq-jid" title="{}">{}</code>', text[:LONGEST_TITLE], short)
