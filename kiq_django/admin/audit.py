"""Every change that somebody makes is written into the admin's own history: who, what, how many, which, why.

Never arguments of jobs, and nothing that is hidden on the pages.
"""

from __future__ import annotations

import json
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
    told = {"verb": verb, "count": count, "reason": reason[:LONGEST_REASON], "details": dict(details or {})}
    message = {"kiq": told, "changed": {"fields": [summary(told)]}}  # Django's own pages show the second
    flag = DELETION if verb in ("delete", "clear") else CHANGE
    person = request.user.pk or 0
    LogEntry.objects.log_actions(person, [subject], flag, change_message=[message])
    entry = LogEntry.objects.filter(user_id=person).latest("pk")
    admin_action.send_robust(type(subject), request=request, entry=entry, verb=verb, count=count)
    return entry


def summary(told: Mapping[str, Any]) -> str:
    """What was done, in one line: `retry, 29 jobs, set: dead, reason: the gateway is back`."""
    parts = [str(told.get("verb", "")), f"{told.get('count', 1):,} in all" if told.get("count", 1) != 1 else ""]
    parts += [f"{name}: {value}" for name, value in dict(told.get("details") or {}).items()]
    parts += [f"reason: {told['reason']}"] if told.get("reason") else []
    return ", ".join(part for part in parts if part)


def told_by(entry: LogEntry) -> dict[str, Any]:
    """What `record` noted in an entry; empty for what another program wrote."""
    try:
        found = json.loads(entry.change_message)[0]["kiq"]
    except (ValueError, LookupError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def entries() -> Any:
    """All that was ever done here, the latest first."""
    return (
        LogEntry.objects.filter(content_type__app_label=models.Queue._meta.app_label)
        .select_related("user", "content_type")
        .order_by("-action_time", "-pk")
    )
