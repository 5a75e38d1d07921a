"""Enqueueing by hand: an old job with other arguments, or a declared one from nothing.

Hidden values stay hidden: what the form still has as it was shown is taken from the old job (`admin/uncovering.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kiq_django import binding, client, clock, codec, jids, models, redaction, registry, routing, sections
from kiq_django.admin import audit, jobtext, links, rights, uncovering
from kiq_django.admin.confirm import Reason
from kiq_django.client import Handle
from kiq_django.declared import declared_jobs
from kiq_django.exceptions import KiqError, MalformedPayload
from kiq_django.jobs import Job
from kiq_django.payload import ABSENT, CARRIED, PARKED, Payload

if TYPE_CHECKING:
    from kiq_django.admin.page import Page
    from kiq_django.api import JobRecord
    from kiq_django.registry import Definition

FORGOTTEN = (
    "retry_count", "failed_at", "retried_at", "error_class", "error_message", "error_backtrace", "error_frame",
    "enqueued_at", "at", "discarded_at", "expires_at", PARKED, CARRIED,
)  # fmt: skip
"""What an old job says of its own life: a new one begins anew."""
LONGEST_WAIT = 10_000_000
"""Seconds."""


class _Json(forms.CharField):
    """JSON of one kind."""

    def __init__(self, kind: type, **kwargs: Any) -> None:
        attributes = {"rows": 6, "class": "vLargeTextField kiq-mono", "spellcheck": "false"}
        super().__init__(widget=forms.Textarea(attrs=attributes), required=False, strip=False, **kwargs)
        self.kind = kind

    def clean(self, value: Any) -> Any:
        text = super().clean(value).strip() or ("[]" if self.kind is list else "{}")
        try:
            found = codec.loads(text)
        except MalformedPayload as error:
            raise forms.ValidationError(_("This is not JSON: %(error)s") % {"error": error}) from error
        if not isinstance(found, self.kind):
            wanted = _("a list: [1, 2]") if self.kind is list else _("an object: {}")
            raise forms.ValidationError(_("This must be %(kind)s") % {"kind": wanted})
        return found


class JobForm(Reason):
    """What the new job is to be."""

    name = forms.CharField(label=gettext_lazy("Job"), max_length=300)
    args = _Json(list, label=gettext_lazy("Arguments by position"), help_text=gettext_lazy("A JSON list."))
    kwargs = _Json(dict, label=gettext_lazy("Arguments by name"), help_text=gettext_lazy("A JSON object."))
    queue = forms.CharField(label=gettext_lazy("Queue"), max_length=128)
    wait = forms.IntegerField(
        label=gettext_lazy("Wait seconds"), min_value=0, max_value=LONGEST_WAIT, initial=0, required=False
    )

    def __init__(self, *args: Any, old: Payload | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.old = old
        if old is not None:
            self.fields["name"].disabled = True

    def clean_queue(self) -> str:
        """A name that a queue may have."""
        name: str = self.cleaned_data["queue"].strip()
        if trouble := sections.queue_name_trouble(name):
            raise forms.ValidationError(trouble)
        return name

    def clean(self) -> dict[str, Any]:
        """The call must be one that the job can take, as far as its code is known here."""
        found: dict[str, Any] = super().clean() or {}
        if self.errors:
            return found
        try:
            if self.old is not None:
                args, kwargs = redaction.redact_call(self.old, routing.find(self.old))
                found["args"] = uncovering.uncover(found["args"], self.old.args, args, "args")
                found["kwargs"] = uncovering.uncover(found["kwargs"], self.old.kwargs, kwargs, "kwargs")
            definition = self._definition(found["name"])
            if definition and not (self.old and "wrapped" in self.old.document):
                binding.bind(definition.signature, definition.name, found["args"], found["kwargs"])
        except (TypeError, LookupError) as error:
            raise forms.ValidationError(str(error)) from error
        return found

    def _definition(self, name: str) -> Definition | None:
        if self.old is not None:
            return routing.find(self.old)
        definition = registry.find(name)
        if definition is None:
            raise LookupError(_("No job of this name is declared in the code of this process."))
        return definition


def may_edit(request: HttpRequest) -> bool:
    """Whether this person may enqueue a job again: the form shows its arguments."""
    return rights.may(request, "enqueue_job") and jobtext.may_see_arguments(request)


def edit(page: Page, request: HttpRequest, record: JobRecord | None, jid: str) -> HttpResponse:
    """Enqueue a copy of a job, with another id."""
    if not may_edit(request):
        raise PermissionDenied
    if record is None or record.payload is None:
        messages.warning(request, _("The job is gone, or cannot be read."))
        return HttpResponseRedirect(links.url_of_subject(models.Job, jid, page.admin_site.name))
    old = record.payload
    args, kwargs = redaction.redact_call(old, routing.find(old))
    initial = {"name": old.name, "args": _pretty(args), "kwargs": _pretty(kwargs), "queue": record.queue}
    form = JobForm(request.POST or None, initial=initial, old=old)
    if request.method == "POST" and form.is_valid():
        copy = _copy(old, form.cleaned_data)
        return _enqueued(page, request, form, partial(client.push, copy, on_commit=False), origin=jid)
    title = _("Edit and enqueue again")
    text = _("A new job with a new id is enqueued. The old one stays where it is.")
    return _shown(page, request, form, title=title, text=text)


def new(page: Page, request: HttpRequest) -> HttpResponse:
    """Enqueue a declared job by hand."""
    if not rights.may(request, "enqueue_job"):
        raise PermissionDenied
    name = request.GET.get("job", "")[:300]
    queue = next((each.queue for each in declared_jobs() if each.name == name), "")
    initial = {"name": name, "args": "[]", "kwargs": "{}", "queue": queue}
    form = JobForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        return _enqueued(page, request, form, partial(_call, form.cleaned_data))
    text = _("It runs as if your code had enqueued it.")
    return _shown(page, request, form, title=_("Enqueue a job"), text=text, names=sorted(registry.all_jobs()))


def _call(said: dict[str, Any]) -> Handle:
    """Enqueue a declared job as its code would, but for the queue and the time."""
    found = registry.find(said["name"])
    if found is not None and isinstance(found.sender, Job):
        moment = {"at": clock.now() + said["wait"]} if said.get("wait") else {}
        job = found.sender.using(queue=said["queue"], on_commit=False, **moment)
        return job.enqueue(*said["args"], **said["kwargs"])
    # A task of `django.tasks`: nobody is there to ask for its result.
    retry = found.options.retry if found else True
    payload = Payload.new(said["name"], said["args"], said["kwargs"], queue=said["queue"], retry=retry, now=clock.now())
    return client.push(_delayed(payload, said), on_commit=False)


def _copy(old: Payload, said: dict[str, Any]) -> Payload:
    gone = {name: ABSENT for name in FORGOTTEN if name in old.document}
    call = {"args": said["args"], **({"kwargs": said["kwargs"]} if said["kwargs"] or old.kwargs else {})}
    fresh = old.evolve(jid=jids.new_jid(), queue=said["queue"], created_at=clock.now(), **gone, **call)
    return _delayed(fresh, said)


def _delayed(payload: Payload, said: dict[str, Any]) -> Payload:
    return payload.evolve(at=clock.now() + said["wait"]) if said.get("wait") else payload


def _enqueued(
    page: Page, request: HttpRequest, form: JobForm, enqueue: Callable[[], Handle], origin: str = ""
) -> HttpResponse:
    try:
        handle = enqueue()
    except KiqError as error:
        form.add_error(None, str(error))
        return _shown(page, request, form, title=_("Enqueue a job"), text="")
    if not handle:
        form.add_error(None, _("A client link refused it: nothing was enqueued."))
        return _shown(page, request, form, title=_("Enqueue a job"), text="")
    details = {"job": jobtext.cut(handle.job, 100), "queue": form.cleaned_data["queue"]}
    details |= {"copy of": origin} if origin else {}
    audit.record(request, models.Job(handle.id), "enqueue", details=details, reason=form.cleaned_data["reason"])
    messages.success(request, _("Enqueued as %(jid)s.") % {"jid": handle.id})
    return HttpResponseRedirect(links.url_of_subject(models.Job, handle.id, page.admin_site.name))


def _shown(page: Page, request: HttpRequest, form: JobForm, **context: Any) -> HttpResponse:
    return page.render(request, "job_form.html", form=form, **context)


def _pretty(value: Any) -> str:
    """For the eye; what comes back is read strictly."""
    return json.dumps(value, ensure_ascii=False, indent=2)
