"""What each page takes in its address."""

import re
from collections.abc import Iterator
from pathlib import Path

import kiq_django.admin
from tests.admin.addresses import addresses
from tests.admin.world import Thing

DJANGO = ("p", "q", "all", "o", "e", "_popup", "_to_field", "_facets")
"""Of every list of the admin; the list of the dead stands for all of them."""
JOBS = ("job", "queue", "error", "from")
HINT = ("place", "queue", "at")

PARAMETERS: dict[str, tuple[str, ...]] = {
    "kiq_overview_changelist": ("range",),
    "kiq_queue_changelist": ("p", "q", "state"),
    "kiq_queue": ("p", "q", "newest", "from", "job"),
    "kiq_runningjob_changelist": ("p", "longer", "queue", "job", "process"),
    "kiq_retryjob_changelist": ("q", "due", "group", *JOBS),
    "kiq_scheduledjob_changelist": ("p", "due", *JOBS),
    "kiq_deadjob_changelist": (*DJANGO, "group", *JOBS),
    "kiq_job_changelist": ("q",),
    "kiq_job": HINT,
    "kiq_job_edit": HINT,
    "kiq_job_uncover": HINT,
    "kiq_job_new": ("job",),
    "kiq_job_undo": ("token",),
    "kiq_jobmetrics_changelist": ("period", "o", "q", "page"),
    "kiq_jobmetrics": ("period",),
    "kiq_operation_changelist": ("p",),
    "kiq_audit_changelist": ("p", "q", "by", "on", "days"),
}
NAMED = re.compile(r'(?:GET\.get\(|given\.get\(|parameter_name = |^(?:CURSOR|NEWEST) = )"(\w+)"', re.MULTILINE)


def questions(thing: Thing) -> Iterator[tuple[str, str, str]]:
    """Name of the page, its address, and one parameter."""
    for address in addresses():
        for parameter in PARAMETERS.get(address.name, ()):
            values = {place: values[0] for place, values in thing.kwargs().items()}
            yield address.name, address.at(**values), parameter


def in_the_code() -> set[str]:
    """Parameters that the code of the admin names."""
    folder = Path(kiq_django.admin.__file__).parent
    return {name for path in folder.rglob("*.py") for name in NAMED.findall(path.read_text())}
