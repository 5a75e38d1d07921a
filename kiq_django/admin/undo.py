"""Taking back what can be taken back: a kill, and another time. The link is signed, and good for ten minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kiq_django import models
from kiq_django.admin import audit, confirm, links, rights
from kiq_django.admin.lazily import api, store
from kiq_django.admin.verbs import KILL, RESCHEDULE, JobVerb

if TYPE_CHECKING:
    from kiq_django.admin.page import Page
    from kiq_django.api import JobRecord

SALT = "kiq.undo"
GOOD_FOR = 600
"""Seconds."""
MOST = 25
"""Jobs that one link names: it has to fit into an address."""


def link(verb: JobVerb, done: Sequence[JobRecord], site: str) -> SafeString | str:
    """What is added to the message; empty where nothing can be taken back."""
    kinds = {record.place for record in done}
    if verb not in (KILL, RESCHEDULE) or len(kinds) != 1 or not kinds <= {"schedule", "retry"} or len(done) > MOST:
        return ""
    (place,) = kinds
    items = [(record.jid, record.at) for record in done]
    token = signing.dumps([verb.name, place, items], salt=SALT, compress=True)
    url = reverse("admin:kiq_job_undo", current_app=site)
    return format_html(' <a href="{}?token={}">{}</a>', url, token, _("Undo"))


def undo(page: Page, request: HttpRequest) -> HttpResponse:
    """Ask, and put the jobs back."""
    if not (rights.may(request, KILL.right) or rights.may(request, RESCHEDULE.right)):
        raise PermissionDenied
    token = request.POST.get("undo", "") or request.GET.get("token", "")
    back = links.url_of_list(models.RetryJob, page.admin_site.name) or "../"
    try:
        verb, place, items = signing.loads(token, salt=SALT, max_age=GOOD_FOR)
    except signing.BadSignature:
        messages.error(request, _("This can no longer be undone. Nothing was changed."))
        return HttpResponseRedirect(back)
    if not rights.may(request, KILL.right if verb == "kill" else RESCHEDULE.right):
        raise PermissionDenied
    question = confirm.Question(
        title=_("Undo?"),
        text=_("The jobs get their old place and time again, as far as they are still where they were put."),
        button=ngettext("Yes, put %(count)d job back", "Yes, put %(count)d jobs back", len(items))
        % {"count": len(items)},
        samples=[jid for jid, _at in items],
    )
    answer = confirm.ask(page, request, question, repeat={"undo": token})
    if isinstance(answer, HttpResponse):
        return answer
    done = sum(_put_back(verb, place, jid, at) for jid, at in items)
    audit.record(request, models.Job(items[0][0]), f"undo {verb}", count=done, reason=answer["reason"])
    told = ngettext("%(count)d job was put back.", "%(count)d jobs were put back.", done)
    messages.success(request, told % {"count": done})
    if done < len(items):
        messages.warning(request, _("%(count)d were no longer there.") % {"count": len(items) - done})
    return HttpResponseRedirect(back)


def _put_back(verb: str, place: str, jid: str, at: float) -> bool:
    hint: Any = api.Hint(place="dead" if verb == "kill" else place)  # type: ignore[arg-type]
    record = api.find_job(jid, None, store(), hint=hint)
    if record is None or record.place != hint.place:
        return False
    return record.put_into(place, at) if verb == "kill" else record.reschedule(at)  # type: ignore[attr-defined]
