"""Worker processes: who lives, what each does, and how to end one gently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kiq_django import clock, models
from kiq_django.admin import audit, badges, confirm, elapsed, jobtext, live, once, rights
from kiq_django.admin.lazily import api, store
from kiq_django.admin.links import title_of, url_of_job, url_of_list
from kiq_django.admin.lists import Chosen, ListPage, Rows

if TYPE_CHECKING:
    from kiq_django.api import Process, Work

NOW = "now"
"""The parameter that asks for the part of a process's page that is fetched again and again."""
MOST_QUEUES = 30


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
class WorkLine:
    """A running job on the page of its process."""

    work: Work
    name: str
    url: str
    elapsed: str

    @classmethod
    def of(cls, work: Work, site: str) -> WorkLine:
        """With its links on an admin site."""
        return cls(work, jobtext.name(work.record), url_of_job(work.record, site), elapsed.told(work, site))


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

    list_display = ("process", "state", "serves", "threads_num", "memory_num", "last_beat", "version")
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
        """What one process does, thread by thread; and what it may be told."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._act(request, identity)
        if NOW in request.GET:
            return live.fragment(request, "admin/kiq/parts/process.html", self._about(request, identity))
        return self.render(
            request,
            "process.html",
            title=title_of("process", identity),
            trail=[(url_of_list(models.Process, self.admin_site.name), _("Processes"))],
            signals=self._signals(),
            may_signal=self.has_signal_permission(request),
            **self._about(request, identity),
        )

    def _about(self, request: HttpRequest, identity: str) -> dict[str, Any]:
        situation = once.situation(request, into=())
        member = next((each for each in situation.members if each.process.identity == identity), None)
        if member is None:
            return {"identity": identity, "member": None}
        process, site = member.process, self.admin_site.name
        queues = list((process.weights or dict.fromkeys(process.queues, 0)).items())
        return {
            "identity": identity,
            "member": member,
            "state": state_of(process, is_unresponsive=member.is_unresponsive),
            "memory": filesizeformat(process.rss * 1024),
            "queues": queues[:MOST_QUEUES],
            "queues_left_out": max(0, len(queues) - MOST_QUEUES),
            "works": [WorkLine.of(work, site) for work in process.work],
        }

    def _signals(self) -> list[tuple[str, Any, bool]]:
        """Name, label, and whether it ends what goes on."""
        return [("dump", _("Dump threads…"), False), ("quiet", _("Quiet…"), False), ("stop", _("Stop…"), True)]

    def _act(self, request: HttpRequest, identity: str) -> HttpResponse:
        """The same as from the list; `action` is posted."""
        deed = {"quiet": self.quiet, "stop": self.stop, "dump": self.dump}.get(request.POST.get("action", ""))
        if deed is None:
            raise BadRequest("POST a named action")
        if not self.has_signal_permission(request):
            raise PermissionDenied
        return deed(request, Chosen(self.rows(request), [identity])) or HttpResponseRedirect(request.path)

    # -- columns -----------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("Process"))
    def process(self, row: Any) -> str:
        return str(row.process.identity)

    @admin.display(description=gettext_lazy("State"))
    def state(self, row: Any) -> str:
        return badges.badge(state_of(row.process))

    @admin.display(description=gettext_lazy("Queues"))
    def serves(self, row: Any) -> str:
        return ", ".join(row.process.queues)

    @admin.display(description=gettext_lazy("Busy threads"))
    def threads_num(self, row: Any) -> str:
        return _("%(busy)s of %(all)s") % {"busy": row.process.busy, "all": row.process.concurrency}

    @admin.display(description=gettext_lazy("Memory"))
    def memory_num(self, row: Any) -> str:
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


def state_of(process: Process, *, is_unresponsive: bool = False) -> str:
    """`unresponsive`, `quiet` or `serving`."""
    if is_unresponsive:
        return "unresponsive"
    return "quiet" if process.is_quiet else "serving"
