"""Acting on jobs: those that were ticked, those of one kind of failure, all that a filter shows, or a single one.

A single form never does more than it can do while somebody waits. What is ticked on a page is done at once; all that
match become an operation (`api.operations`), which is begun here and finished by a worker, with a page of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kiq_django import models
from kiq_django.admin import audit, confirm, formats, jobexport, jobtext, links, rights, undo
from kiq_django.admin.jobrows import Place
from kiq_django.admin.lazily import api, store, submodule
from kiq_django.admin.lists import Chosen
from kiq_django.admin.outcome import Outcome
from kiq_django.admin.verbs import DELETE, VERBS, JobVerb
from kiq_django.exceptions import ConfigurationError, Unsupported

if TYPE_CHECKING:
    from kiq_django.admin.page import Page
    from kiq_django.api import JobRecord
    from kiq_django.api.filters import Filter
    from kiq_django.api.operation import Operation

ASKS_FROM = 25
"""Even what is harmless is asked about when it hits more than so many."""
NOTED_ONE_BY_ONE = 25
"""Up to so many jobs have each an entry in the history; more have one in common."""
SECONDS_AT_ONCE = 1.0
"""An operation is worked on for so long before the answer is sent."""
PREVIEW_SECONDS = 2.0
SAMPLES = 10
SPLIT = 8
"""Names and queues that a question tells apart."""
MODELS: dict[str, Any] = {
    "queue": models.QueuedJob,
    "schedule": models.ScheduledJob,
    "retry": models.RetryJob,
    "dead": models.DeadJob,
}


def right_for(verb: JobVerb, place: str) -> str:
    """The permission that a verb takes in a place."""
    return f"delete_{MODELS[place]._meta.model_name}" if verb is DELETE and place in MODELS else verb.right


def possible(request: HttpRequest, place: str) -> list[JobVerb]:
    """What this person may do with the jobs of a place."""
    names = submodule("operation").VERBS.get(place, ())
    return [verb for verb in VERBS.values() if verb.name in names and rights.may(request, right_for(verb, place))]


def list_actions(request: HttpRequest, place: str) -> dict[str, tuple[Any, str, Any]]:
    """The same as Django's list page wants it."""
    found: dict[str, tuple[Any, str, Any]] = {
        verb.key: (_action(verb), verb.key, verb.label) for verb in possible(request, place)
    }
    if jobtext.may_see_arguments(request):
        found["export"] = (jobexport.export, "export", jobexport.export.short_description)  # type: ignore[attr-defined]
    return found


def _action(verb: JobVerb) -> Callable[[Any, HttpRequest, Chosen], HttpResponse | None]:
    @admin.action(description=verb.label)
    def act(page: Any, request: HttpRequest, chosen: Chosen) -> HttpResponse | None:
        rows: Any = chosen.rows
        if chosen.everything:
            return on_all(page, request, verb, rows.place, rows.where)
        records = [row.record for row in chosen]  # type: ignore[attr-defined]
        return on_some(page, request, verb, records, asked=len(chosen.keys or ()))

    return act


# -- some ------------------------------------------------------------------------------------------


def on_some(
    page: Page, request: HttpRequest, verb: JobVerb, records: Sequence[JobRecord], *, asked: int
) -> HttpResponse | None:
    """Act on jobs that somebody has chosen one by one.

    Args:
        asked: how many were chosen; the others are gone already.

    Returns:
        A page that asks, or None when it is done.
    """
    if not all(rights.may(request, right_for(verb, record.place)) for record in records):
        raise PermissionDenied
    answers: Any = {"reason": ""}
    if records and (verb.asks or len(records) > ASKS_FROM or "spread" in request.POST):
        answers = confirm.ask(page, request, _question(verb, records))
        if isinstance(answers, HttpResponse):
            return answers
    outcome = Outcome(gone=asked - len(records))
    try:
        if answers.get("spread"):
            outcome.spread(records, answers["spread"])
        else:
            outcome.act(records, verb, answers)
    finally:  # when Redis goes away in between, what was done until then is done
        _note(request, verb, outcome, answers)
        _tell(page, request, verb, outcome)
    return None


def _question(verb: JobVerb, records: Sequence[JobRecord]) -> confirm.Question:
    number = len(records)
    names, queues = Counter(map(jobtext.name, records)), Counter(record.queue for record in records)
    return confirm.Question(
        title=verb.said(verb.question, number),
        text=str(verb.text),
        button=verb.said(verb.button, number),
        danger=verb.danger,
        facts=_shares(names.most_common(SPLIT), queues.most_common(SPLIT)),
        samples=[_sample(record) for record in records[:SAMPLES]],
        form=verb.form,
    )


def _shares(names: Iterable[tuple[str, int]], queues: Iterable[tuple[str, int]]) -> list[tuple[str, str]]:
    facts = [(jobtext.cut(name, 80) or _("(not readable)"), formats.number(number)) for name, number in names]
    return facts + [(_("Queue %(name)s") % {"name": name}, formats.number(number)) for name, number in queues if name]


def _sample(record: JobRecord) -> str:
    return f"{jobtext.name(record)} {record.jid}"


def _note(request: HttpRequest, verb: JobVerb, outcome: Outcome, answers: Any) -> None:
    details = {name: str(answers[name]) for name in ("spread", "when", "to") if answers.get(name)}
    if len(outcome.done) <= NOTED_ONE_BY_ONE:
        for record in outcome.done:
            more = {"job": jobtext.name(record), "from": record.place, **details}
            audit.record(request, models.Job(record.jid), verb.name, details=more, reason=answers["reason"])
    elif outcome.done:
        place = outcome.done[0].place
        audit.record(
            request, MODELS[place](place), verb.name, count=len(outcome.done), details=details, reason=answers["reason"]
        )


def _tell(page: Page, request: HttpRequest, verb: JobVerb, outcome: Outcome) -> None:
    """What was done, and what was not."""
    if outcome.done:
        back = undo.link(verb, outcome.done, page.admin_site.name)
        messages.success(request, format_html("{}{}", verb.said(verb.done, len(outcome.done)), back))
    if outcome.gone:
        gone = ngettext("%(count)s job was gone already.", "%(count)s jobs were gone already.", outcome.gone)
        messages.warning(request, gone % {"count": outcome.gone})
    if outcome.skipped:
        text = ngettext(
            "%(count)s job cannot be read, so this cannot be done with it.",
            "%(count)s jobs cannot be read, so this cannot be done with them.",
            outcome.skipped,
        )
        messages.warning(request, text % {"count": outcome.skipped})


# -- all that match --------------------------------------------------------------------------------


def on_all(page: Page, request: HttpRequest, verb: JobVerb, place: Place, where: Filter) -> HttpResponse | None:
    """Act on all jobs of a place that match: ask with the number of them, then begin an operation."""
    if not rights.may(request, right_for(verb, place.kind)) or not rights.may(request, "run_operation"):
        raise PermissionDenied
    operations = api.Operations(store())
    found = operations.preview(_target(place), where, api.Budget(PREVIEW_SECONDS))
    answers = confirm.ask(page, request, _question_on_all(verb, found, where))
    if isinstance(answers, HttpResponse):
        return answers
    try:
        begun = operations.start(
            verb.name,  # type: ignore[arg-type]
            _target(place),
            where,
            by=request.user.get_username(),
            total=found.count if found.complete else None,
            token=answers["token"],
            **verb.options(answers),
        )
    except (Unsupported, ConfigurationError) as error:
        messages.error(request, str(error))
        return None
    if begun.begun_at is None:
        _note_operation(request, verb, begun, where)
    ended = operations.step(begun.id, api.Budget(SECONDS_AT_ONCE)) or begun
    return _answer(page, request, verb, ended)


def _target(place: Place) -> Any:
    if place.kind == "queue":
        return api.Queue(place.queue, store())
    return submodule("sets").SETS[place.kind](store())


def _question_on_all(verb: JobVerb, found: Any, where: Filter) -> confirm.Question:
    number = found.count
    title, button = verb.said(verb.question, number), verb.said(verb.button, number)
    text = str(verb.text)
    if not found.complete:
        text += " " + _("These are the jobs that were counted so far: there are more, and all that match are meant.")
    facts = [(_("Filter"), described(where))] if not where.is_empty else []
    if found.oldest is not None:
        facts += [(_("Earliest"), formats.relative(found.oldest)), (_("Latest"), formats.relative(found.newest))]
    return confirm.Question(
        title=title,
        text=text,
        button=button,
        danger=verb.danger,
        facts=[*facts, *_shares(found.names[:SPLIT], found.queues[:SPLIT])],
        samples=[_sample(record) for record in found.jobs],
        form=verb.form,
        typed=number if verb.danger and number > confirm.TYPED_FROM else None,
    )


def described(where: Filter) -> str:
    """A filter in words, for the question, the history and the page of the operation."""
    words = {
        "text": _("text"),
        "name": _("job"),
        "queue": _("queue"),
        "error_class": _("error"),
        "fingerprint": _("error group"),
        "due_from": _("from"),
        "due_to": _("until"),
    }
    return ", ".join(f"{words.get(name, name)}: {jobtext.cut(str(value), 80)}" for name, value in where.given.items())


def _note_operation(request: HttpRequest, verb: JobVerb, begun: Operation, where: Filter) -> None:
    details = {"in": begun.queue or begun.place, "filter": described(where) or "all"}
    options = {name: str(getattr(begun, name)) for name in ("spread", "when", "to") if getattr(begun, name)}
    audit.record(
        request,
        models.Operation(begun.id),
        verb.name,
        count=begun.total or 0,
        details={**details, **options},
        reason=begun.reason,
    )


def _answer(page: Page, request: HttpRequest, verb: JobVerb, now: Operation) -> HttpResponse | None:
    """Back to the list when it is done already, else to the page that shows how far it is."""
    if now.state == "done":
        outcome = verb.said(verb.done, now.done)
        messages.success(request, outcome)
        if now.gone or now.skipped:
            text = _("%(gone)s were gone already, %(skipped)s cannot be read.")
            messages.warning(request, text % {"gone": formats.number(now.gone), "skipped": formats.number(now.skipped)})
        return None
    if now.state == "failed":
        messages.error(request, now.error)
    url = links.url_of("operation", now.id, page.admin_site.name)
    return HttpResponseRedirect(url) if url else None
