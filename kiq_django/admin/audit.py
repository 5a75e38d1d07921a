"""Every change that somebody makes is written into the admin's own history: who, what, how many, which, why.

Never arguments of jobs, and nothing that is hidden on the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db.models import Model
from django.dispatch import Signal
from django.http import HttpRequest

from kiq_django import models

admin_action = Signal()
"""Sent after each change made on a page: `request`, `entry` (the `LogEntry`), `verb`, `count`."""

LONGEST_REASON = 500
"""Characters."""


def record(
    request: HttpRequest,
    subject: Model,
    verb: str,
    *,
    count: int = 1,
    details: Mapping[str, Any] | None = None,
    reason: str = "",
) -> LogEntry:
    """Note what was done.

    Args:
        request: whose user did it.
        subject: a row of `kiq_django.models`, saved nowhere: `models.Queue("mail")`, `models.Job(jid)`.
        verb: a word such as `retry`, `delete`, `pause`.
        count: how many jobs, queues or processes it hit.
        details: what chose them: a filter, a set, a time.
        reason: what the person gave.
    """
    message = {"kiq": {"verb": verb, "count": count, "reason": reason[:LONGEST_REASON], **(details or {})}}
    flag = DELETION if verb in ("delete", "clear") else CHANGE
    # The form of Django's own messages: a list of dicts, of which it shows those that it knows.
    person = request.user.pk or 0
    LogEntry.objects.log_actions(person, [subject], flag, change_message=[message])
    entry = LogEntry.objects.filter(user_id=person).latest("pk")
    admin_action.send_robust(type(subject), request=request, entry=entry, verb=verb, count=count)
    return entry


def entries() -> Any:
    """All that was ever done here, the latest first."""
    return (
        LogEntry.objects.filter(content_type__app_label=models.Queue._meta.app_label)
        .select_related("user", "content_type")
        .order_by("-action_time", "-pk")
    )
