"""`manage.py kiq groups`."""

from io import StringIO

from django.contrib.auth.models import Group, Permission
from django.core.management import call_command


def rights(name):
    return set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))


def test_groups_are_made_and_brought_up_to_date():
    out = StringIO()
    call_command("kiq", "groups", stdout=out)
    assert "Made Job viewers" in out.getvalue()
    viewers, operators, admins = map(rights, ("Job viewers", "Job operators", "Job admins"))
    assert viewers < operators < admins
    assert {"view_queue", "view_deadjob"} <= viewers
    assert not {"view_job_args", "retry_job"} & viewers
    assert "retry_job" in operators
    assert not {"delete_deadjob", "clear_queue", "view_job_secrets"} & operators
    assert admins == set(Permission.objects.filter(content_type__app_label="kiq").values_list("codename", flat=True))
    group = Group.objects.get(name="Job viewers")
    foreign = Permission.objects.get(codename="view_user")
    group.permissions.set([foreign])
    call_command("kiq", "groups", stdout=out)
    assert rights("Job viewers") == viewers | {"view_user"}
