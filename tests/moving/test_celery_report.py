"""`manage.py kiq celery-report`: what it says of a shop, line by line, and what it leaves alone."""

import json
import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from kiq_django.contrib.celery.report import read

SHOP = Path(__file__).parent / "shop"


@pytest.fixture(scope="module")
def report():
    return read(SHOP)


def said(report, file, text):
    """Severities of the notes about what stands in a line that has this text."""
    lines = (SHOP / file).read_text().splitlines()
    numbers = {number for number, line in enumerate(lines, 1) if text in line}
    assert numbers, f"{text} is not in {file}"
    return {
        (note.severity, note.text) for note in report.notes if Path(note.file).name == file and note.line in numbers
    }


def severities(report, file, text):
    return {severity for severity, _ in said(report, file, text)}


def test_what_was_read(report):
    assert (report.files, report.tasks) == (4, 5)


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("tasks.py", "from .celery import app", set()),
        ("tasks.py", "class LoggedTask(Task)", {"error"}),
        ("tasks.py", "@shared_task(bind=True, max_retries=5", {"info"}),  # acks_late may stay
        ("tasks.py", 'base=LoggedTask, rate_limit="10/m"', {"error"}),
        ("tasks.py", "self.update_state", {"error"}),
        ("tasks.py", "self.retry(args=[1]", {"error"}),
        ("tasks.py", "self.retry(exc=error", set()),
        ("tasks.py", "@app.task(autoretry_for", {"warning"}),
        ("tasks.py", 'serializer="pickle"', {"error"}),
        ("tasks.py", "charge.delay(1)", set()),
        ("tasks.py", "priority=9", {"error"}),
        ("tasks.py", "link=add.s(1, 2)", {"error"}),
        ("tasks.py", "chain(add.s(1, 2)", {"error"}),
        ("tasks.py", "group(add.s(i, i)", {"error"}),
        ("tasks.py", ".get(timeout=10)", {"warning"}),
        ("tasks.py", "app.send_task", {"error"}),
        ("tasks.py", "app.control.revoke", {"error"}),
        ("tasks.py", "get_task_logger(__name__)", set()),
        ("settings.py", '"django_celery_beat"', {"error"}),
        ("settings.py", '"django_celery_results"', {"warning"}),
        ("settings.py", "CELERY_BROKER_URL", {"info"}),
        ("settings.py", "CELERY_RESULT_BACKEND", {"warning"}),
        ("settings.py", "CELERY_TASK_ROUTES", {"error"}),
        ("settings.py", "CELERY_TASK_ACKS_LATE", {"info"}),
        ("settings.py", "CELERY_WORKER_SEND_TASK_EVENTS", {"warning"}),
        ("celery.py", "from celery import Celery", {"info"}),
        ("celery.py", "import crontab", {"error"}),
        ("celery.py", "app.conf.beat_schedule", {"error"}),
        ("views.py", "import AsyncResult", {"error"}),
        ("views.py", "import task_failure", {"error"}),
        ("views.py", 'self.get("x").status', set()),
    ],
)
def test_line_by_line(report, file, text, expected):
    assert severities(report, file, text) == expected


def test_every_note_has_a_remedy(report):
    assert all(note.remedy for note in report.notes)
    assert list(report.notes) == sorted(report.notes)


def test_the_command(capsys):
    with pytest.raises(CommandError, match=r"\d+ things will not work as it stands"):
        call_command("kiq", "celery-report", str(SHOP))
    out = capsys.readouterr().out
    assert re.search(rf"^{SHOP}/tasks\.py:\d+: error: class LoggedTask\(Task\)$", out, re.MULTILINE)
    assert "5 tasks in 4 files" in out
    assert "CELERY_BROKER_URL" not in out
    with pytest.raises(CommandError):
        call_command("kiq", "celery-report", str(SHOP), "--json", "--all")
    notes = json.loads(capsys.readouterr().out)
    assert {"file", "line", "severity", "text", "remedy"} == set(notes[0])
    assert any(note["severity"] == "info" for note in notes)


def test_a_project_without_celery_is_fine(capsys):
    call_command("kiq", "celery-report", "example_project")
    assert "0 tasks in" in capsys.readouterr().out


def test_what_cannot_be_read_is_told(tmp_path):
    (tmp_path / "old.py").write_text("print 'x'\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "celery_using.py").write_text("from celery import chain\n")
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / "pyvenv.cfg").write_text("")
    (tmp_path / "environment" / "x.py").write_text("from celery import chain\n")
    (note,) = read(tmp_path).notes
    assert (note.severity, note.line) == ("warning", 1)
    with pytest.raises(ValueError, match="no file or folder"):
        read(tmp_path / "nowhere")
