"""One job by its id, wherever it is: the page that a log line, a mail or a colleague links to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kiq_django import conf, models, redaction, routing
from kiq_django.admin import audit, confirm, evidence, jobactions, jobform, jobtext, rights, traces, undo
from kiq_django.admin.jobmetrics import busiest
from kiq_django.admin.jsontree import Node, tree
from kiq_django.admin.lazily import api, store, submodule
from kiq_django.admin.links import url_of_subject
from kiq_django.admin.page import Page
from kiq_django.admin.verbs import VERBS, JobVerb

if TYPE_CHECKING:
    from kiq_django.api import JobRecord
    from kiq_django.api.attempts import Attempt, JobHistory

SAID = ("queue", "retry", "retry_for", "retry_queue", "dead", "backtrace", "tags", "expires_in", "encrypted")
"""Fields of a payload that are options of the job."""
THOROUGHLY = "thoroughly"
"""The parameter that asks to search on where there are very many jobs."""
SECONDS, SECONDS_ON_REQUEST = 0.25, 10.0
"""For which a job is looked for."""
MOST_JOBS = 20_000_000
TIMES = ("created_at", "enqueued_at", "failed_at", "retried_at")


@dataclass(frozen=True, slots=True)
class Try:
    """A failed run as the page shows it."""

    attempt: Attempt
    error_class: str
    message: str
    stretches: list[traces.Stretch]


class Why(confirm.Reason):
    """Here the reason is not a courtesy."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = True


class JobPage(Page):
    """A page for each job; the list is a form that asks for an id."""

    def more_urls(self) -> list[URLPattern]:
        return [
            path("new/", self.wrap(self.new), name="kiq_job_new"),
            path("undo/", self.wrap(self.undo), name="kiq_job_undo"),
            path("<str:jid>/edit/", self.wrap(self.edit), name="kiq_job_edit"),
            path("<str:jid>/uncover/", self.wrap(self.uncover), name="kiq_job_uncover"),
            path("<str:jid>/act/", self.wrap(self.act), name="kiq_job_act"),
            path("<str:jid>/", self.wrap(self.detail), name="kiq_job"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None) -> HttpResponse:
        """Ask for an id, and go there."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        wanted = request.GET.get("q", "").strip()
        if wanted:
            return HttpResponseRedirect(url_of_subject(models.Job, wanted[:200], self.admin_site.name) or request.path)
        return self.render(request, "job_search.html", title=_("Find a job"))

    def new(self, request: HttpRequest) -> HttpResponse:
        """Enqueue a job by hand."""
        return jobform.new(self, request)

    def undo(self, request: HttpRequest) -> HttpResponse:
        """Take back what a message offers to take back."""
        return undo.undo(self, request)

    def edit(self, request: HttpRequest, jid: str) -> HttpResponse:
        """Enqueue a job again, with other arguments."""
        if not jobform.may_edit(request):
            raise PermissionDenied
        return jobform.edit(self, request, find(request, jid)[0], jid)

    def uncover(self, request: HttpRequest, jid: str) -> HttpResponse:
        """Show the hidden values of one job to somebody who may see them and says why."""
        if not rights.may(request, "view_job_secrets"):
            raise PermissionDenied
        record, _searched = find(request, jid)
        text = _("They are shown once, on the next page. That you have seen them is noted in the audit log.")
        question = confirm.Question(title=_("Uncover hidden values?"), text=text, button=_("Yes, show them"), form=Why)
        answer = confirm.ask(self, request, question)
        if isinstance(answer, HttpResponse):
            return answer
        audit.record(request, models.Job(jid), "uncover", reason=answer["reason"])
        payload = record.payload if record else None
        nodes = [*map(tree, payload.args), *(tree(v, k) for k, v in payload.kwargs.items())] if payload else []
        return self.render(request, "job_uncovered.html", title=jid, jid=jid, arguments=nodes, record=record)

    def act(self, request: HttpRequest, jid: str) -> HttpResponse:
        """Do something with one job: `action` is posted, and where it was seen last."""
        verb = VERBS.get(request.POST.get("action", ""))
        if not may_act(request, verb):  # before anything is looked for: who may do nothing learns nothing
            raise PermissionDenied
        if request.method != "POST" or verb is None:
            raise BadRequest("POST a named action")
        record, _searched = find(request, jid)
        if record is not None and verb not in deeds(request, record):
            raise PermissionDenied
        response = jobactions.on_some(self, request, verb, [record] if record else [], asked=1)
        return response or HttpResponseRedirect(url_of_subject(models.Job, jid, self.admin_site.name))

    def detail(self, request: HttpRequest, jid: str) -> HttpResponse:
        """Everything that is known of one job."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        record, searched = find(request, jid)
        history = submodule("attempts").history(jid, store())
        if record is None and history is None:
            context = {"title": _("Job not found"), "jid": jid, "searched": searched}
            return self.render(request, "job_missing.html", **context)
        is_open = record is not None or not history.is_over
        answer = submodule("why").why_job(record, store(), usual=evidence.usual()) if is_open else None
        return self.render(
            request,
            "job.html",
            title=jobtext.name(record) if record else jobtext.cut(history.name, jobtext.LONGEST_NAME),
            kind=record.display_name if record else history.name,
            kind_lately=busiest.of_job(record.display_name if record else history.name),
            jid=jid,
            record=record,
            history=history,
            answer=answer,
            subject=models.Job(jid),
            tries=list(_tries(history)),
            steps=list(_steps(record, history)),
            **_call(request, record),
            **_outcome(request, jid, record),
            links=_links(jid, record),
            deeds=deeds(request, record),
            may_edit=jobform.may_edit(request),
            may_uncover=rights.may(request, "view_job_secrets"),
            entries=list(audit.entries().filter(object_id=jid)[:MOST_ENTRIES]),
        )


def find(request: HttpRequest, jid: str) -> tuple[JobRecord | None, bool]:
    """The job, looked for first where the link says that it was. And whether all places were searched."""
    hint = api.Hint.read(request.GET.dict() or request.POST.dict())
    seconds = SECONDS_ON_REQUEST if THOROUGHLY in request.GET else SECONDS
    found = api.look_up(jid, api.Budget(seconds, MOST_JOBS), store(), hint=hint)
    return found.job, found.complete


def may_act(request: HttpRequest, verb: JobVerb | None) -> bool:
    """Whether this person may do this, or else anything, with jobs of any place."""
    verbs = VERBS.values() if verb is None else (verb,)
    return any(rights.may(request, jobactions.right_for(each, place)) for each in verbs for place in jobactions.MODELS)


def deeds(request: HttpRequest, record: JobRecord | None) -> list[JobVerb]:
    """What this person may do with this job where it is."""
    if record is None:
        return []
    return [verb for verb in jobactions.possible(request, record.place) if verb.name in record.actions]


def _call(request: HttpRequest, record: JobRecord | None) -> dict[str, Any]:
    """Arguments and options, as far as this person may see them."""
    if record is None or record.payload is None:
        return {"arguments": None, "options": [], "private": False}
    payload = record.payload
    options = [tree(payload.document[name], name) for name in SAID if name in payload.document]
    if not jobtext.may_see_arguments(request):
        return {"arguments": None, "options": options, "private": True}
    args, kwargs = redaction.redact_call(payload, routing.find(payload))
    nodes: list[Node] = [*(tree(value) for value in args), *(tree(value, key) for key, value in kwargs.items())]
    return {"arguments": nodes, "options": options, "private": False}


def _outcome(request: HttpRequest, jid: str, record: JobRecord | None) -> dict[str, Any]:
    """How far the job is while it runs, and what it returned, to those who may see arguments."""
    kept = submodule("results").kept(jid, store())
    if kept is None:
        return {"progress": None, "result": None, "result_is_private": False}
    runs = record is not None and record.place == "running"
    may_see = jobtext.may_see_arguments(request)
    node = tree(redaction.redact({"result": kept.value})["result"]) if kept.has_value and may_see else None
    progress = kept.progress if runs else None
    told = redaction.redact_text(progress.text) if progress and may_see else ""
    private = kept.has_value and not may_see
    return {"progress": progress, "progress_text": told, "result": node, "result_is_private": private}


def _tries(history: JobHistory | None) -> Iterator[Try]:
    """The latest first. An error is no secret, but what stands in it may be one."""
    for attempt in reversed(history.attempts if history else ()):
        message = redaction.redact_text(attempt.message)
        yield Try(attempt, attempt.error_class, message, traces.stretches(attempt.backtrace))


@dataclass(frozen=True, slots=True)
class Step:
    """One point of the timeline."""

    icon: str
    tone: str
    title: str
    at: float | None
    note: str = ""


def _steps(record: JobRecord | None, history: JobHistory | None) -> Iterator[Step]:
    if record and record.created_at:
        yield Step("dot", "info", _("Created"), record.created_at)
    attempts = history.attempts if history else ()
    for attempt in attempts[-MOST_STEPS:]:
        title = _("Attempt %(number)d failed") % {"number": attempt.number}
        yield Step("bad", "bad", title, attempt.started_at, jobtext.short_class(attempt.error_class))
    if record:
        yield _now(record)
        if record.payload and record.payload.expires_at:
            yield Step("clock", "idle", _("Expires"), record.payload.expires_at)
    elif history and history.is_over:
        icon = ("ok", "ok") if history.place == "done" else ("dead", "idle")
        yield Step(*icon, str(ENDS.get(history.place, _("Ended"))), history.finished_at)


MOST_STEPS = 6
MOST_ENTRIES = 20
"""Of the history of one job."""
ENDS = {
    "done": gettext_lazy("Finished"),
    "discarded": gettext_lazy("Discarded"),
    "dropped": gettext_lazy("Given up"),
}


def _now(record: JobRecord) -> Step:
    if record.place == "queue":
        return Step("queue", "info", _("Waits in its queue"), record.enqueued_at, record.queue)
    if record.place == "running":
        return Step("run", "ok", _("Runs"), record.at, record.queue)
    if record.place == "dead":
        return Step("dead", "bad", _("Dead"), record.at)
    return Step("clock", "warn" if record.place == "retry" else "info", _("Due"), record.at, record.queue)


def _links(jid: str, record: JobRecord | None) -> list[tuple[str, str]]:
    """Where else this job leaves traces, as the settings say."""
    chosen = conf.get().dashboard
    document = record.payload.document if record and record.payload else {}
    trace = document.get("trace_id") or "".join(str(document.get("traceparent", "")).split("-")[1:2])
    known = {"jid": quote(jid, safe=""), "trace_id": quote(str(trace or ""), safe="")}
    found = []
    if chosen.log_link:
        found.append((_("Log lines"), _filled(chosen.log_link, known)))
    if chosen.trace_link and (trace or "{trace_id}" not in chosen.trace_link):
        found.append((_("Trace"), _filled(chosen.trace_link, known)))
    return found


def _filled(template: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template
