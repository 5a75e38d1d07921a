"""Worker processes: who lives, what each does, and how to end one gently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kiq_django import clock, models
from kiq_django.admin import audit, confirm, rights
from kiq_django.admin.lazily import api, store
from kiq_django.admin.lists import Chosen, ListPage, Rows

if TYPE_CHECKING:
    from kiq_django.api import Process


class ProcessRows(Rows):
    """All processes; there are never so many that they would have to be paged in Redis."""

    def __init__(self) -> None:
        self.found = list(api.ProcessSet(store()))

    def count(self) -> int:
        return len(self.found)

    def read(self, offset: int, limit: int) -> Sequence[Model]:
        return [_row(each) for each in self.found[offset : offset + limit]]

    def chosen(self, keys: Sequence[str]) -> Sequence[Model]:
        return [_row(each) for each in self.found if each.identity in set(keys)]


def _row(process: Process) -> models.Process:
    row = models.Process(key=process.identity)
    row.process = process  # type: ignore[attr-defined]
    return row


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that processes can be told."""

    verb: str
    send: Callable[[Process], None]
    title: Promise | str
    text: Promise | str
    button: Promise | str


QUIET = Signal(
    "quiet",
    lambda process: process.quiet(),
    gettext_lazy("Quiet processes?"),
    gettext_lazy("They take no more jobs; what runs goes on. Nothing but a restart undoes it."),
    gettext_lazy("Yes, quiet them"),
)
STOP = Signal(
    "stop",
    lambda process: process.stop(),
    gettext_lazy("Stop processes?"),
    gettext_lazy(
        "What runs may finish within the shutdown timeout, the rest goes back to its queue. "
        "Your process supervisor decides whether they are started again."
    ),
    gettext_lazy("Yes, stop them"),
)
DUMP = Signal(
    "dump threads of",
    lambda process: process.dump_threads(),
    gettext_lazy("Dump threads?"),
    gettext_lazy("Each writes into its log what each of its threads does. Jobs are not disturbed."),
    gettext_lazy("Yes, dump them"),
)


class ProcessesPage(ListPage):
    """Processes that were heard of within the last minute."""

    empty = (gettext_lazy("No worker runs."), gettext_lazy("Start one: python manage.py runworker"))

    list_display = ("process", "state", "serves", "threads", "memory", "last_beat", "version")
    actions = ("quiet", "stop", "dump")

    def rows(self, request: HttpRequest) -> Rows:
        return ProcessRows()

    def more_urls(self) -> list[URLPattern]:
        return [path("<path:identity>/", self.wrap(self.detail), name="kiq_process")]

    def url_of(self, row: Model) -> str:
        return reverse("admin:kiq_process", args=[row.pk], current_app=self.admin_site.name)

    def has_signal_permission(self, request: HttpRequest) -> bool:
        """Asked by Django for the actions below."""
        return rights.may(request, "signal_process")

    # -- one process -------------------------------------------------------------------------------

    def detail(self, request: HttpRequest, identity: str) -> HttpResponse:
        """What one process does, thread by thread."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        process = api.ProcessSet(store()).find(identity)
        trail = [(reverse("admin:kiq_process_changelist", current_app=self.admin_site.name), _("Processes"))]
        return self.render(
            request,
            "process.html",
            title=identity,
            trail=trail,
            process=process,
            state=process and state_of(process),
            may_signal=self.has_signal_permission(request),
            list_url=trail[0][0],
        )

    # -- columns -----------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("Process"))
    def process(self, row: Any) -> str:
        return str(row.process.identity)

    @admin.display(description=gettext_lazy("State"))
    def state(self, row: Any) -> str:
        return state_of(row.process)

    @admin.display(description=gettext_lazy("Queues"))
    def serves(self, row: Any) -> str:
        return ", ".join(row.process.queues)

    @admin.display(description=gettext_lazy("Busy threads"))
    def threads(self, row: Any) -> str:
        return _("%(busy)s of %(all)s") % {"busy": row.process.busy, "all": row.process.concurrency}

    @admin.display(description=gettext_lazy("Memory"))
    def memory(self, row: Any) -> str:
        return filesizeformat(row.process.rss * 1024)

    @admin.display(description=gettext_lazy("Last beat"))
    def last_beat(self, row: Any) -> str:
        return _("%(seconds).0f s ago") % {"seconds": max(0.0, clock.now() - row.process.beat)}

    @admin.display(description=gettext_lazy("Version"))
    def version(self, row: Any) -> str:
        return str(row.process.version)

    # -- actions -----------------------------------------------------------------------------------

    @admin.action(description=gettext_lazy("Quiet: take no more jobs"), permissions=["signal"])
    def quiet(self, request: HttpRequest, chosen: Chosen) -> HttpResponse | None:
        return self.signal(request, chosen, QUIET)

    @admin.action(description=gettext_lazy("Stop"), permissions=["signal"])
    def stop(self, request: HttpRequest, chosen: Chosen) -> HttpResponse | None:
        return self.signal(request, chosen, STOP)

    @admin.action(description=gettext_lazy("Dump threads into the log"), permissions=["signal"])
    def dump(self, request: HttpRequest, chosen: Chosen) -> HttpResponse | None:
        return self.signal(request, chosen, DUMP)

    def signal(self, request: HttpRequest, chosen: Chosen, signal: Signal) -> HttpResponse | None:
        """Ask, then send a signal to each that still lives; it hears it with its next beat."""
        processes = [row.process for row in chosen]  # type: ignore[attr-defined]
        samples = [f"{each.identity}: {_('%(busy)s running') % {'busy': each.busy}}" for each in processes]
        question = confirm.Question(
            title=str(signal.title), text=str(signal.text), button=str(signal.button), samples=samples
        )
        answer = confirm.ask(self, request, question)
        if isinstance(answer, HttpResponse):
            return answer
        for each in processes:
            signal.send(each)
            audit.record(request, models.Process(each.identity), signal.verb, reason=answer["reason"])
        told = ngettext("%(count)s process was told.", "%(count)s processes were told.", len(processes))
        messages.success(request, told % {"count": len(processes)})
        return None


def state_of(process: Process) -> str:
    """In a word."""
    if process.is_quiet:
        return _("quiet")
    return _("running")
