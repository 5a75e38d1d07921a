"""Who may do what: every address of both admin sites for every role, by GET and by each named POST.

The addresses come from the URL resolver. `VIEWS` says what each takes; an address that is missing there fails.
Pages are drawn without their frame here: what stands in them is for other tests.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core import signing
from django.test import Client

from kiq_django.admin import undo
from tests.admin.addresses import SITES, addresses
from tests.admin.conftest import OPERATOR
from tests.admin.world import World

ROLES = ("anonymous", "staff", "viewer", "operator", "admin", "superuser")
TEXT = "plain"
PROCESS = "plain:1:abc"
MENTION = {"reason": "because", "confirmed": "yes"}
Data = dict[str, Any]


@dataclass(frozen=True)
class Deed:
    """One thing that can be posted."""

    data: Data | Callable[[World], Data]
    needs: tuple[str, ...]
    """Permissions, all of them."""
    redis: bool = True
    """Whether it changes what is in Redis."""
    log: bool = True
    """Whether it is noted in the audit log."""
    refused: tuple[int, ...] = (403,)
    """What somebody gets who may see the page and not do this: Django's lists pass over what they do not offer."""

    def made(self, world: World) -> Data:
        return self.data(world) if callable(self.data) else self.data


@dataclass(frozen=True)
class View:
    """One address."""

    needs: tuple[str, ...]
    """Any of these permissions."""
    get: int = 200
    """The status for those who have one."""
    nothing: int = 200
    """The same for a POST without an action that is known."""
    deeds: tuple[Deed, ...] = ()
    asks: bool = True
    """Whether there is more than one thing to do, so that an action must be named."""


# -- what can be posted ------------------------------------------------------------------------------

OPTIONS: dict[str, Data] = {
    "retry": {},
    "spread": {"spread": "5"},
    "reschedule": {"when_0": "2033-05-18", "when_1": "03:33:20"},
    "move": {"to": "low"},
    "kill": {},
    "delete": {},
}
RIGHTS = {"retry": "retry_job", "spread": "retry_job", "reschedule": "reschedule_job", "move": "move_job"}
RIGHTS["kill"] = "kill_job"
POSSIBLE = {
    "queuedjob": ("reschedule", "move", "kill", "delete"),
    "scheduledjob": ("retry", "spread", "reschedule", "move", "kill", "delete"),
    "retryjob": ("retry", "spread", "reschedule", "move", "kill", "delete"),
    "deadjob": ("retry", "spread", "reschedule", "move", "delete"),
}
PLACES = {"queuedjob": "queue", "scheduledjob": "schedule", "retryjob": "retry", "deadjob": "dead"}


def right(verb: str, model: str) -> str:
    return RIGHTS.get(verb) or f"delete_{model}"


def listed(model: str, verb: str, **more: Any) -> Deed:
    """An action on a row that was ticked."""
    place = PLACES[model]

    def data(world: World) -> Data:
        return {"action": verb, "index": 0, "_selected_action": [world.key(place)], **OPTIONS[verb], **MENTION}

    return Deed(data, (right(verb, model),), refused=(200, 302), **more)


def everything(model: str, verb: str) -> Deed:
    """The same on all that match."""
    data = {"action": verb, "index": 0, "select_across": 1, "_selected_action": ["x"], "token": "ab", **MENTION}
    return Deed({**data, **OPTIONS[verb]}, (right(verb, model), "run_operation"), refused=(200, 302, 403))


def exports(across: int) -> Deed:
    data = {"action": "export", "index": 0, "select_across": across, "_selected_action": ["x"]}
    return Deed(data, ("view_job_args",), redis=False, refused=(200, 302))


def jobs(model: str) -> tuple[Deed, ...]:
    verbs = POSSIBLE[model]
    each = [deed for verb in verbs for deed in (listed(model, verb), everything(model, verb))]
    return (*each, exports(0), exports(1))


def groups(model: str) -> tuple[Deed, ...]:
    def data(verb: str) -> Callable[[World], Data]:
        return lambda world: {
            "action": verb, "group": world.fingerprint(PLACES[model]), "token": "ab", **OPTIONS[verb], **MENTION
        }  # fmt: skip

    return tuple(Deed(data(verb), (right(verb, model), "run_operation")) for verb in POSSIBLE[model])


def one_job() -> Iterator[Deed]:
    for model, place in PLACES.items():
        for verb in POSSIBLE[model]:
            if place == "retry":
                continue  # its jobs have another id here; what holds for the schedule holds for it
            yield Deed(
                lambda world, verb=verb, place=place: {
                    "action": verb, "place": place, **world.hint(place), **OPTIONS[verb], **MENTION
                },
                (right(verb, model),),
            )  # fmt: skip


def queues(**more: Any) -> tuple[Deed, ...]:
    in_list = {"index": 0, "_selected_action": [TEXT]}
    data = {"name": TEXT} if more.pop("one", False) else in_list
    refused = (403,) if "name" in data else (200, 302)
    return (
        Deed({"action": "pause", **data, **MENTION}, ("pause_queue",), refused=refused),
        Deed({"action": "resume", **data, **MENTION}, ("pause_queue",), refused=refused),
        Deed({"action": "clear", **data, **MENTION}, ("clear_queue",), refused=refused),
    )


def signals(one: bool = False) -> tuple[Deed, ...]:
    data = MENTION if one else {"index": 0, "_selected_action": [PROCESS], **MENTION}
    refused = (403,) if one else (200, 302)
    return tuple(
        Deed({"action": verb, **data}, ("signal_process",), refused=refused) for verb in ("quiet", "stop", "dump")
    )


def taken_back(world: World) -> Data:
    (thing,) = world.things
    token = signing.dumps(["kill", "retry", [[thing.jid, 2e9]]], salt=undo.SALT, compress=True)
    return {"undo": token, **MENTION}


NEW = {"name": "tests.jobsapp.jobs.record", "args": "[1]", "kwargs": "{}", "queue": "default", "reason": "because"}
EDITED = {"args": "[1]", "kwargs": "{}", "queue": "default", "reason": "because"}
JOB_DEEDS = ("retry_job", "kill_job", "reschedule_job", "move_job", "delete_queuedjob", "delete_retryjob",
             "delete_scheduledjob", "delete_deadjob")  # fmt: skip

VIEWS: dict[str, View] = {
    "kiq_overview_changelist": View(("view_overview",)),
    "kiq_overview_now": View(("view_overview",)),
    "kiq_overview_tables": View(("view_overview",)),
    "kiq_queue_changelist": View(("view_queue",), deeds=queues()),
    "kiq_queue_act": View(("pause_queue", "clear_queue"), get=400, nothing=400, deeds=queues(one=True)),
    "kiq_queue": View(("view_queue",), deeds=jobs("queuedjob")),
    "kiq_queuedjob_changelist": View(("view_queue",), get=302, nothing=302),
    "kiq_runningjob_changelist": View(("view_runningjob",)),
    "kiq_retryjob_changelist": View(("view_retryjob",), deeds=jobs("retryjob")),
    "kiq_retryjob_groups": View(("view_retryjob",), nothing=400, deeds=groups("retryjob")),
    "kiq_scheduledjob_changelist": View(("view_scheduledjob",), deeds=jobs("scheduledjob")),
    "kiq_deadjob_changelist": View(("view_deadjob",), deeds=jobs("deadjob")),
    "kiq_deadjob_groups": View(("view_deadjob",), nothing=400, deeds=groups("deadjob")),
    "kiq_job_changelist": View(("view_job",)),
    "kiq_job": View(("view_job",)),
    "kiq_job_act": View(JOB_DEEDS, get=400, nothing=400, deeds=tuple(one_job())),
    "kiq_job_new": View(("enqueue_job",), deeds=(Deed(NEW, ("enqueue_job",)),)),
    "kiq_job_edit": View(("enqueue_job",), deeds=(Deed(EDITED, ("enqueue_job", "view_job_args")),)),
    "kiq_job_uncover": View(
        ("view_job_secrets",), asks=False, deeds=(Deed(MENTION, ("view_job_secrets",), redis=False),)
    ),
    "kiq_job_undo": View(
        ("kill_job", "reschedule_job"), get=302, nothing=302, deeds=(Deed(taken_back, ("kill_job",)),)
    ),
    "kiq_process_changelist": View(("view_process",), deeds=signals()),
    "kiq_process": View(("view_process",), nothing=400, deeds=signals(one=True)),
    "kiq_jobmetrics_changelist": View(("view_jobmetrics",)),
    "kiq_jobmetrics": View(("view_jobmetrics",)),
    "kiq_operation_changelist": View(("view_operation",)),
    "kiq_operation": View(("view_operation",)),
    "kiq_operation_now": View(("view_operation",)),
    "kiq_operation_act": View(
        ("run_operation",),
        get=400,
        nothing=400,
        deeds=(
            Deed({"action": "cancel"}, ("run_operation",)),
            Deed({"action": "step"}, ("run_operation",), log=False),
        ),
    ),
    "kiq_audit_changelist": View(("view_audit",)),
    "kiq_configuration_changelist": View(("view_configuration",)),
}
UNKNOWN: Data = {"action": "explode", "name": TEXT, "group": "a", "index": 0, **MENTION}


# -- the matrix --------------------------------------------------------------------------------------

FRAMES = ("admin/base_site.html", "admin/change_list.html", "admin/kiq/parts/overview.html")


@dataclass
class Visitor:
    """Somebody of a role at one site, and what is there before and after each request."""

    client: Client
    rights: set[str]
    world: World
    trouble: list[str] = field(default_factory=list)

    def may(self, *needs: str) -> bool:
        return self.rights.issuperset(needs)

    def may_any(self, needs: tuple[str, ...]) -> bool:
        return bool(self.rights.intersection(needs))

    def visit(self, method: str, url: str, data: Data, wanted: tuple[int, ...], redis: bool = False, log: bool = False):
        """Send a request, and note what is not as it should be."""
        before = self._state()
        answer = getattr(self.client, method)(url, data)
        if answer.streaming:
            list(answer.streaming_content)
        after = self._state()
        changed = (before[0] != after[0], before[1] != after[1])
        if answer.status_code not in wanted or changed != (redis, log):
            told = {name: data[name] for name in ("action", "place", "select_across") if name in data}
            self.trouble.append(f"{method} {url} {told}: {answer.status_code}, {wanted} wanted; changed {changed}")
        if any(changed):
            self.world.make()
        return answer

    def _state(self):
        return self.world.state(), LogEntry.objects.count()


@pytest.fixture
def world(store, settings):
    """One of each thing, with a harmless name; pages without frames."""
    loaders = ["django.template.loaders.app_directories.Loader"]
    frameless = ("django.template.loaders.locmem.Loader", dict.fromkeys(FRAMES, ""))
    (engine,) = settings.TEMPLATES
    options = {**engine["OPTIONS"], "loaders": [("django.template.loaders.cached.Loader", [frameless, *loaders])]}
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "OPTIONS": options}]
    return World(store, TEXT).make()


@pytest.fixture
def visitor(person, views, world, caplog):
    caplog.set_level(logging.CRITICAL, "django")  # hundreds are refused
    every = {each.codename for each in Permission.objects.filter(content_type__app_label="kiq")}
    rights = {
        "anonymous": set(),
        "staff": set(),
        "viewer": set(views),
        "operator": {*views, *OPERATOR, "view_job_args"},
        "admin": every,
        "superuser": every,
    }

    def visitor(role: str, **options) -> Visitor:
        client = Client(**options)
        if role != "anonymous":
            given = () if role == "superuser" else rights[role]
            client.force_login(person(*given, name=role, is_superuser=role == "superuser"))
        return Visitor(client, rights[role], world)

    return visitor


def places(world: World) -> dict[str, str]:
    (thing,) = world.things
    return {"jid": thing.jid, "name": TEXT, "identity": thing.identity, "key": thing.operation}


def tried(view: View, role: str, site: str) -> Sequence[Deed]:
    """On the other site the same views stand; and what an admin may, a superuser may: one deed each will do."""
    return view.deeds if site == SITES[0] and role != "superuser" else view.deeds[:1]


@pytest.mark.parametrize("site", SITES)
def test_every_address_is_in_the_table(site):
    assert {each.name for each in addresses(site)} == set(VIEWS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("site", SITES)
def test_who_may_do_what(site, role, visitor, world):
    who = visitor(role)
    for address in addresses(site):
        view = VIEWS[address.name]
        one = strangers if role == "anonymous" else members
        one(who, address.at(**places(world)), view, tried(view, role, site))
    assert who.trouble == []


def strangers(who: Visitor, url: str, view: View, deeds: Sequence[Deed]) -> None:
    """Whatever they try leads to the sign-in page of the same site."""
    posts = [("post", data) for data in ({}, UNKNOWN, *(deed.made(who.world) for deed in deeds))]
    for method, data in [("get", {}), *posts]:
        answer = who.visit(method, url, data, (302,))
        assert answer.url.startswith(f"/{url.split('/')[1]}/login/")


def members(who: Visitor, url: str, view: View, deeds: Sequence[Deed]) -> None:
    may_see = who.may_any(view.needs)
    who.visit("get", url, {}, (view.get,) if may_see else (403,))
    for data in ({}, UNKNOWN) if view.asks else ({},):
        who.visit("post", url, data, (view.nothing, 302) if may_see else (403,))
    for deed in deeds:
        data = deed.made(who.world)
        if may_see and who.may(*deed.needs):
            who.visit("post", url, data, (200, 302), deed.redis, deed.log)
        else:
            who.visit("post", url, data, deed.refused if may_see else (403,))


def test_no_token_no_change(visitor, world):
    who = visitor("superuser", enforce_csrf_checks=True)
    for site in SITES:
        for address in addresses(site):
            url = address.at(**places(world))
            for data in ({}, *(deed.made(world) for deed in VIEWS[address.name].deeds)):
                who.visit("post", url, data, (403,))
    assert who.trouble == []


def test_no_other_method_changes_anything(visitor, world):
    """What is posted does nothing as a query, or by a method that browsers send without a form."""
    who = visitor("superuser")
    for address in addresses():
        url, view = address.at(**places(world)), VIEWS[address.name]
        for data in [deed.made(world) for deed in view.deeds][:2]:
            who.visit("get", url, data, (view.get, 200, 302))
        for method in ("head", "put"):
            who.visit(method, url, {}, (view.get,))
    assert who.trouble == []
