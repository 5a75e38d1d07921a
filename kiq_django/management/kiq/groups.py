"""`kiq groups`: three groups of people for the dashboard."""

from django.apps import apps
from django.core.management.base import CommandError

from kiq_django.management.kiq.subcommand import Options, Subcommand
from kiq_django.management.kiq.terminal import Terminal

PRIVATE = frozenset({"view_job_args", "view_job_secrets"})
OPERATING = frozenset(
    {
        "view_job_args", "retry_job", "kill_job", "reschedule_job", "move_job", "pause_queue", "signal_process",
        "run_operation",
    }
)  # fmt: skip
GROUPS = ("Job viewers", "Job operators", "Job admins")


def groups(terminal: Terminal, options: Options) -> None:
    """Make the groups, or bring their permissions up to date; who is in them stays as it is."""
    for name in ("django.contrib.auth", "django.contrib.contenttypes"):
        if not apps.is_installed(name):
            raise CommandError(f"Groups need {name!r} in INSTALLED_APPS")
    from django.contrib.auth.models import Group, Permission

    rights = {each.codename: each for each in Permission.objects.filter(content_type__app_label="kiq")}
    if not rights:
        raise CommandError("There are no permissions yet: run manage.py migrate first")
    for name in GROUPS:
        group, made = Group.objects.get_or_create(name=name)
        wanted = [right for codename, right in rights.items() if _belongs(codename, name)]
        group.permissions.remove(*group.permissions.filter(content_type__app_label="kiq"))
        group.permissions.add(*wanted)
        terminal.say(f"{'Made' if made else 'Updated'} {name}: {len(wanted)} permissions.")


def _belongs(codename: str, group: str) -> bool:
    """Viewers see, operators act on what can be put right again, admins delete, clear, and see secrets too."""
    sees = codename.startswith("view_") and codename not in PRIVATE
    if group == "Job viewers":
        return sees
    return group == "Job admins" or sees or codename in OPERATING


SUBCOMMANDS = (Subcommand("groups", "make groups of viewers, operators and admins of the dashboard", groups),)
