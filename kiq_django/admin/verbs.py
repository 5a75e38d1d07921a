"""What can be done with jobs: the words for it, the right that it takes, the questions that it asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext

from kiq_django import sections
from kiq_django.admin import formats
from kiq_django.admin.confirm import Reason

if TYPE_CHECKING:
    from kiq_django.api import JobRecord

LONGEST_SPREAD = 1440
"""Minutes."""
Answers = Mapping[str, Any]
"""What a form brought back."""
Sentence = Callable[[int], str]
"""The sentence for so many jobs, with a place for `count`."""


class RetryForm(Reason):
    """A thousand jobs at once may be too much for what has just come back."""

    spread = forms.IntegerField(
        label=gettext_lazy("Spread over minutes"),
        min_value=0,
        max_value=LONGEST_SPREAD,
        initial=0,
        required=False,
        help_text=gettext_lazy("0 is at once. Otherwise each is retried at a random moment within that time."),
    )


class MomentForm(Reason):
    """To which time."""

    when = forms.SplitDateTimeField(label=gettext_lazy("New time"), widget=AdminSplitDateTime)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.fields["when"].initial = timezone.localtime() + timedelta(hours=1)

    def clean_when(self) -> datetime:
        """With its time zone; a past time is now."""
        found: datetime = self.cleaned_data["when"]
        return found


class QueueForm(Reason):
    """To which queue."""

    to = forms.CharField(label=gettext_lazy("To queue"), max_length=128)

    def clean_to(self) -> str:
        """A name that a queue may have."""
        name: str = self.cleaned_data["to"].strip()
        if trouble := sections.queue_name_trouble(name):
            raise forms.ValidationError(trouble)
        return name


@dataclass(frozen=True, slots=True)
class JobVerb:
    """One thing that can be done with jobs."""

    name: str
    right: str
    """The permission; `delete` has one for each kind of place."""
    label: Any
    """Of the action in a list."""
    question: Sentence
    button: Sentence
    done: Sentence
    text: Any
    """What becomes of the jobs."""
    act: Callable[[JobRecord, Answers], bool]
    form: type[Reason] = Reason
    danger: bool = False
    asks: bool = True
    """Also for a single job. What is harmless, and can be said in a click, does not."""
    also: str = ""
    """Tells it from another way of doing the same."""

    @property
    def key(self) -> str:
        """Its name in a form."""
        return self.also or self.name

    def said(self, sentence: Sentence, number: int) -> str:
        """One of its sentences, with the number in it."""
        return sentence(number) % {"count": formats.number(number)}

    def options(self, answers: Answers) -> dict[str, Any]:
        """For `Operations.start`."""
        found: dict[str, Any] = {"reason": answers.get("reason", "")}
        if self.name == "retry":
            found["spread"] = 60.0 * (answers.get("spread") or 0)
        if "when" in answers:
            found["when"] = answers["when"]
        if "to" in answers:
            found["to"] = answers["to"]
        return found


RETRY = JobVerb(
    "retry",
    "retry_job",
    gettext_lazy("Retry"),
    lambda n: ngettext("Retry %(count)s job?", "Retry %(count)s jobs?", n),
    lambda n: ngettext("Yes, retry %(count)s job", "Yes, retry %(count)s jobs", n),
    lambda n: ngettext("%(count)s job was sent to its queue.", "%(count)s jobs were sent to their queues.", n),
    gettext_lazy("They go to the end of their queues. One that failed before gets one more attempt for it."),
    lambda record, answers: record.retry(),
    form=RetryForm,
    asks=False,
)
SPREAD = replace(RETRY, label=gettext_lazy("Retry, spread over minutes…"), asks=True, also="spread")
KILL = JobVerb(
    "kill",
    "kill_job",
    gettext_lazy("Kill: to the dead set"),
    lambda n: ngettext("Kill %(count)s job?", "Kill %(count)s jobs?", n),
    lambda n: ngettext("Yes, kill %(count)s job", "Yes, kill %(count)s jobs", n),
    lambda n: ngettext("%(count)s job is dead.", "%(count)s jobs are dead.", n),
    gettext_lazy("They go to the dead set, where they are kept for a while and can be retried."),
    lambda record, answers: record.kill(),
)
DELETE = JobVerb(
    "delete",
    "delete",
    gettext_lazy("Delete"),
    lambda n: ngettext("Delete %(count)s job?", "Delete %(count)s jobs?", n),
    lambda n: ngettext("Yes, delete %(count)s job", "Yes, delete %(count)s jobs", n),
    lambda n: ngettext("%(count)s job was deleted.", "%(count)s jobs were deleted.", n),
    gettext_lazy("They are gone for good, and will not run."),
    lambda record, answers: record.delete(),
    danger=True,
)
RESCHEDULE = JobVerb(
    "reschedule",
    "reschedule_job",
    gettext_lazy("Reschedule…"),
    lambda n: ngettext("Reschedule %(count)s job?", "Reschedule %(count)s jobs?", n),
    lambda n: ngettext("Yes, reschedule %(count)s job", "Yes, reschedule %(count)s jobs", n),
    lambda n: ngettext("%(count)s job has a new time.", "%(count)s jobs have a new time.", n),
    gettext_lazy("They wait for the new time, and then go to the end of their queues."),
    lambda record, answers: record.reschedule(answers["when"]),
    form=MomentForm,
)
MOVE = JobVerb(
    "move",
    "move_job",
    gettext_lazy("Move to another queue…"),
    lambda n: ngettext("Move %(count)s job?", "Move %(count)s jobs?", n),
    lambda n: ngettext("Yes, move %(count)s job", "Yes, move %(count)s jobs", n),
    lambda n: ngettext("%(count)s job was moved.", "%(count)s jobs were moved.", n),
    gettext_lazy("What waits goes to the end of that queue; what has a time goes there when it has come."),
    lambda record, answers: record.move(answers["to"]),
    form=QueueForm,
)
VERBS = {verb.key: verb for verb in (RETRY, SPREAD, RESCHEDULE, MOVE, KILL, DELETE)}
