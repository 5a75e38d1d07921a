"""What the code of the package may not even contain: a look at its syntax, and at its templates."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import kiq_django

PACKAGE = Path(kiq_django.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
PAGES = sorted([*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.svg"), *PACKAGE.rglob("*.txt")])

READERS_THAT_RUN_CODE = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle"}
BUILTINS_THAT_RUN_CODE = {"eval", "exec", "compile", "__import__"}
YAML_THAT_IS_SAFE = {"safe_load", "YAMLError"}

DYNAMIC_IMPORTS = {
    # By what the settings say:
    "adapters/__init__.py",
    "features/context.py",
    "plugins.py",
    "store/cache_alias.py",
    # By the command line:
    "management/commands/runworker.py",
    # Of our own modules, and Django's, by names that stand in the code:
    "__init__.py",
    "admin/lazily.py",
    "admin/pages/__init__.py",
    "task_backend/framework.py",
    "task_backend/shelf.py",
    "testing/crash/caching.py",
    "testing/crash/hooks.py",
}
"""Files that may import by a name. A payload never reaches one of them; whoever adds one here has looked at that."""

PROCESSES = {
    "management/processes/starts.py",
    "management/processes/trial.py",
    "management/reload.py",
    "store/embedded.py",
    "store/guardian/server.py",
    "testing/server.py",
}
"""Files that start programs."""

MARKED_SAFE = {"templatetags/kiq.py": 1}
"""How often a file may say that a text needs no escaping: of Django's rendering of our own files, and nothing else."""


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(tree: ast.AST) -> Iterator[str]:
    """The dotted name of everything that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def users_of(*names: str) -> set[str]:
    """Files that call one of these, under whatever they are attributes of."""
    pattern = re.compile(rf"(?:.*\.)?(?:{'|'.join(names)})")
    return {name_of(path) for path in FILES if any(map(pattern.fullmatch, calls_of(path)))}


@cache
def calls_of(path: Path) -> frozenset[str]:
    return frozenset(called(tree_of(path)))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_reads_data_as_code(path):
    tree = tree_of(path)
    assert {name.partition(".")[0] for name in imported(tree)} & READERS_THAT_RUN_CODE == set()
    assert {name.removeprefix("builtins.") for name in called(tree)} & BUILTINS_THAT_RUN_CODE == set()


def test_yaml_is_read_safely_and_in_one_place():
    uses = {
        (name_of(path), node.attr)
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "yaml"
    }
    assert {file for file, _ in uses} <= {"management/worker_options.py"}
    assert {attribute for _, attribute in uses} <= YAML_THAT_IS_SAFE


def test_who_imports_by_name():
    assert users_of("import_string", "import_module", "import_from_string", "load_module", "exec_module") == (
        DYNAMIC_IMPORTS
    )


def test_who_starts_programs():
    assert users_of(
        "Popen",
        "check_output",
        "check_call",
        "system",
        "popen",
        "execv",
        "execve",
        "spawnv",
        "posix_spawn",
        "subprocess.run",
    ) == (PROCESSES)


def test_no_program_is_started_by_a_shell():
    shells = [
        name_of(path)
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.keyword) and node.arg == "shell"
    ]
    assert shells == []


def test_who_says_that_a_text_is_safe():
    found = {
        name_of(path): len(re.findall(r"\bmark_safe\(|\bSafeString\(|__html__", path.read_text())) for path in FILES
    }
    assert {path: count for path, count in found.items() if count} == MARKED_SAFE


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_leaves_out_the_escaping(page):
    text = page.read_text()
    assert re.findall(r"\|\s*safe(?:seq)?\b|\{%\s*autoescape\s+off|\{%\s*filter\s+safe", text) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_has_a_script_a_style_or_a_handler_in_it(page):
    text = re.sub(r"\{#.*?#\}|\{% comment.*?endcomment %\}", "", page.read_text(), flags=re.DOTALL)
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style\b|\sstyle=|\son[a-z]+=|javascript:", text) == []


def test_what_is_installed_along():
    told = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    assert sorted(re.match(r"[\w-]+", each)[0] for each in told) == ["django", "redis"]


FROM_ELSEWHERE = re.compile(r"""(?:src|href|action)=["']?(?:https?:)?//|url\(["']?(?:https?:)?//|@import|integrity=""")


def test_no_page_loads_anything_from_elsewhere():
    served = [*PAGES, *(path for path in (PACKAGE / "static").rglob("*") if path.suffix in (".css", ".js", ".svg"))]
    assert [name_of(path) for path in served if FROM_ELSEWHERE.search(path.read_text())] == []
