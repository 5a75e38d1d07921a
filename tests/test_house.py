"""The house keeps its own rules: sizes, the documentation names what there is, tests wait for conditions."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from django.core.management.base import BaseCommand

from kiq_django import conf
from kiq_django.jobs.plan import OWN_OPTIONS
from kiq_django.management.commands.runworker import Command
from kiq_django.management.worker_options import FILE_KEYS
from kiq_django.store.keys import Keys
from kiq_django.version import __version__

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kiq_django"
MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 50
MOST_LINES_OF_A_SCRIPT = 50

ALLOWED_SLEEPS = {
    # Waiting for a condition:
    "tests/support.py wait_for",
    # What somebody takes for its work; all of a file `jobs.py` is that too:
    "tests/faults.py Proxy._pump",
    "tests/kit/test_kit.py test_until_does_not_count_the_time_that_runs_take.hourly",
    "tests/worker/test_fetcher.py test_what_was_fetched_ahead_goes_back_when_jobs_get_slower",
    "tests/worker/test_launcher.py test_who_wants_to_know_of_a_death_is_told_before_stop_returns.tell",
    # Kills at moments by chance:
    "tests/acceptance/kill_run.py run",
    # Nothing may happen meanwhile:
    "tests/acceptance/test_processes.py test_a_child_that_has_closed_its_pipe_keeps_nobody_busy",
    "tests/store/test_embedded.py TestNothingIsLeft.test_it_stays_while_one_user_lives",
    "tests/store/test_embedded.py TestNothingIsLeft.test_a_server_that_outlived_its_guardian_is_taken_over",
    "tests/store/test_embedded.py TestFork.test_a_child_that_stops_using_it_takes_nothing_from_its_parent",
}


def trees(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    """Path from the root, and what stands in it, of all Python files."""
    for path in sorted(folder.rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def named(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Every node, with the dotted name of the function or class that it stands in."""
    for node in ast.iter_child_nodes(tree):
        is_named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        name = f"{inside}.{node.name}".lstrip(".") if is_named else inside
        yield name, node
        yield from named(node, name)


def sections(page: str) -> dict[str, str]:
    """The text below each heading of a page of the reference, up to the next heading."""
    text = (ROOT / "docs" / "reference" / page).read_text()
    parts = re.split(r"^#{1,3} (.+)$", text, flags=re.MULTILINE)
    return dict(zip((heading.replace("`", "") for heading in parts[1::2]), parts[2::2], strict=True))


def spans(text: str) -> list[str]:
    """Everything in `backticks`; a table writes | as \\|."""
    return [span.replace(r"\|", "|") for span in re.findall(r"`([^`\n]+)`", text)]


# --- sizes ---


def test_no_file_is_too_long():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES_OF_A_FILE} == {}


def test_no_function_is_too_long():
    lengths = {
        f"{path} {name}": node.end_lineno - node.lineno + 1
        for path, tree in trees(PACKAGE)
        for name, node in named(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > MOST_LINES_OF_A_FUNCTION} == {}


@pytest.mark.parametrize("script", sorted(PACKAGE.rglob("*.lua")), ids=lambda path: path.stem)
def test_a_script_opens_with_its_keys_arguments_and_answer(script):
    lines = script.read_text().splitlines()
    opening = "\n".join(lines[: next(i for i, line in enumerate(lines) if not line.startswith("--"))])
    for word in ("KEYS", "ARGV", "Returns"):
        assert re.search(rf"^-- {word}\b", opening, re.MULTILINE), f"{word} is not explained"
    assert len(lines) <= MOST_LINES_OF_A_SCRIPT


# --- documentation ---


def test_every_setting_is_documented():
    page = sections("settings.md")
    missing = {f"KIQ[{each.name.upper()!r}]" for each in fields(conf.Settings)}
    missing -= {f"KIQ[{span!r}]" for span in spans(page["KIQ"])}
    for key, section in conf.SECTIONS.items():
        text = page.get(f'KIQ["{key}"]', page["KIQ"])
        words = set(re.findall(r"\w+", " ".join(spans(text))))
        missing |= {f"KIQ[{key!r}][{each.name!r}]" for each in fields(section) if each.name not in words}
    assert missing == set()


def test_every_option_of_a_job_is_documented():
    page = sections("settings.md")
    assert {*OWN_OPTIONS, "name"} - {*spans(page["Options of @job"]), *spans(page['KIQ["DEFAULTS"]'])} == set()


def test_every_option_of_runworker_is_documented():
    documented = {span.split()[0] for span in spans(sections("settings.md")["manage.py runworker"])}
    every_commands = BaseCommand().create_parser("manage.py", "any")._option_string_actions
    own = [
        action.option_strings
        for action in Command().create_parser("manage.py", "runworker")._actions
        if not set(action.option_strings) & set(every_commands)
    ]
    assert len(own) > 5
    assert [options for options in own if not documented.intersection(options)] == []


def test_every_key_of_the_configuration_file_is_documented():
    assert FILE_KEYS - set(spans(sections("settings.md")["manage.py runworker"])) == set()


def samples(parameter: inspect.Parameter) -> tuple[str, ...]:
    """What to call a key's function with: a placeholder as in the page, or each of the words that it takes."""
    if parameter.default is not parameter.empty:
        return (parameter.default,)
    is_one_of = get_origin(parameter.annotation) is Literal
    return get_args(parameter.annotation) if is_one_of else (f"<{parameter.name}>",)


@pytest.mark.parametrize("name", [name for name in vars(Keys) if not name.startswith("_") and name != "prefix"])
def test_every_key_is_documented(name):
    documented = [span for text in sections("redis_layout.md").values() for span in spans(text)]
    function = getattr(Keys(), name)
    for arguments in product(*map(samples, inspect.signature(function).parameters.values())):
        key = function(*arguments)
        stem = ".+".join(map(re.escape, re.split(r"<\w+>", key)))
        wanted = re.escape(key) if stem == ".+" else stem
        assert any(re.fullmatch(wanted, span) for span in documented), f"{key} is not in redis_layout.md"


def test_the_changelog_tells_of_this_version():
    versions = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] in {"Unreleased", __version__}


# --- tests ---


def test_no_test_sleeps_for_luck():
    sleeps = [
        f"{path} {name}"
        for path, tree in trees(ROOT / "tests")
        for name, node in named(tree)
        if not path.endswith("/jobs.py") and isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]
    assert [where for where in sleeps if where not in ALLOWED_SLEEPS] == []
    assert ALLOWED_SLEEPS.difference(sleeps) == set(), "these do not sleep any more"
