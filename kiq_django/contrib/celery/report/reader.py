"""What one file says to Celery."""

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from kiq_django.contrib.celery.carried import (
    CALL,
    CALL_NEEDLESS,
    CALL_REFUSED,
    CANVAS,
    METHODS,
    NEEDLESS,
    OURS,
    REFUSED,
    RESULT,
    RESULT_METHODS,
    WAITS,
)
from kiq_django.contrib.celery.report.notes import Note, Severity
from kiq_django.contrib.celery.report.settings import APPS, KNOWN, OTHER

SHIM: Final = "kiq_django.contrib.celery"
IMPORTS: Final[Mapping[str, tuple[Severity, str]]] = {
    "shared_task": ("info", f"from {SHIM} import shared_task"),
    "Task": ("error", REFUSED["base"]),
    "Celery": ("info", "remove the application object, and its import in the project's __init__.py"),
    "current_task": ("error", "use bind=True and self, or kiq_django.current_job()"),
    "current_app": ("error", "there is no application object; import the task"),
    **dict.fromkeys(
        ("chain", "group", "chord", "signature", "subtask", "chunks", "xmap", "xstarmap"), ("error", CANVAS)
    ),
    "Ignore": ("info", f"from {SHIM} import Ignore"),
    "Reject": ("info", f"from {SHIM} import Reject"),
    "Retry": ("info", f"from {SHIM} import Retry"),
    "MaxRetriesExceededError": ("info", f"from {SHIM} import MaxRetriesExceededError"),
    "SoftTimeLimitExceeded": ("info", f"from {SHIM} import SoftTimeLimitExceeded"),
    "AsyncResult": ("error", RESULT),
    "crontab": ("error", APPS["django_celery_beat"][1]),
    "get_task_logger": ("info", "use logging.getLogger(__name__)"),
}
MODULES: Final[Mapping[str, tuple[Severity, str]]] = {
    "celery.signals": ("error", "use kiq_django.signals"),
    "celery.result": ("error", RESULT),
    "celery.app.control": ("error", "use manage.py kiq, or kiq_django.api"),
    "celery.contrib.testing": ("info", "use kiq_django.testing"),
    **APPS,
}
DECORATORS: Final = frozenset({"shared_task", "task", "periodic_task"})
CALLS: Final = frozenset({"apply_async", "apply_async_on_commit"})
SENDERS: Final = frozenset({"delay", "delay_on_commit", *CALLS})
CANVAS_METHODS: Final = frozenset({"s", "si", "signature", "subtask", "chunks", "starmap"})


class Reader:
    """Walks through one file that has to do with Celery."""

    def __init__(self, file: str, tree: ast.Module, tasks: Collection[str]) -> None:
        """
        Args:
            file: as it is to be shown.
            tree: what stands in it.
            tasks: names of functions that are tasks, anywhere.
        """
        self._file = file
        self._tree = tree
        self._tasks = tasks

    def notes(self) -> Iterator[Note]:
        """Everything that is to be said."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from self._import(node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from self._function(node)
            elif isinstance(node, ast.ClassDef):
                yield from self._class(node)
            elif isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.Attribute):
                yield from self._attribute(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                yield from self._assignment(node)

    def _note(self, node: ast.AST, severity: Severity, text: str, remedy: str) -> Note:
        return Note(self._file, getattr(node, "lineno", 1), severity, text, remedy)

    # --- imports ---

    def _import(self, node: ast.Import | ast.ImportFrom) -> Iterator[Note]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if found := _module(alias.name):
                    yield self._note(node, found[0], f"import {alias.name}", found[1])
            return
        if node.level:  # of the project itself
            return
        module = node.module or ""
        if found := _module(module):
            yield self._note(node, found[0], f"from {module} import {', '.join(a.name for a in node.names)}", found[1])
        elif module.partition(".")[0] == "celery":
            for alias in node.names:
                severity, remedy = IMPORTS.get(alias.name, ("error", "it has no counterpart here"))
                yield self._note(node, severity, f"from {module} import {alias.name}", remedy)

    # --- declarations ---

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Note]:
        for decorator in node.decorator_list:
            name = _decorator(decorator)
            if name is None:
                continue
            if name == "periodic_task":
                yield self._note(node, "error", f"{node.name} is a periodic task", APPS["django_celery_beat"][1])
            elif name == "task":
                remedy = f"from {SHIM} import shared_task, and @shared_task(...)"
                yield self._note(decorator, "warning", f"@{ast.unparse(decorator)} of {node.name}", remedy)
            if isinstance(decorator, ast.Call):
                yield from self._options(node.name, decorator)

    def _options(self, task: str, call: ast.Call) -> Iterator[Note]:
        for keyword in call.keywords:
            option = keyword.arg or "**"
            if option in REFUSED:
                yield self._note(keyword, "error", f"option {option} of {task}", REFUSED[option])
            elif option in NEEDLESS:
                yield self._note(keyword, "info", f"option {option} of {task}", f"may stay, or go: {NEEDLESS[option]}")
            elif option == "serializer" and _text(keyword.value) != "json":
                yield self._note(keyword, "error", f"serializer of {task}", KNOWN["TASK_SERIALIZER"][1])
            elif option == "time_limit":
                text = "an exception is raised inside of the task at that time; no process is killed"
                yield self._note(keyword, "warning", f"option time_limit of {task}", text)
            elif option not in OURS:
                yield self._note(keyword, "error", f"option {option} of {task}", "it has no counterpart here")

    def _class(self, node: ast.ClassDef) -> Iterator[Note]:
        for base in node.bases:
            if ast.unparse(base) in {"Task", "celery.Task", "app.Task", "celery_app.Task"}:
                yield self._note(node, "error", f"class {node.name}({ast.unparse(base)})", REFUSED["base"])

    # --- calls ---

    def _call(self, node: ast.Call) -> Iterator[Note]:
        function = node.func
        if not isinstance(function, ast.Attribute):
            return
        if function.attr in CALLS:
            yield from self._apply(node)
        elif function.attr == "send_task":
            remedy = "import the task and call its apply_async; a job of a foreign program: give it @job(name=...)"
            yield self._note(node, "error", ast.unparse(function), remedy)
        elif function.attr == "retry" and _is_self(function.value):
            yield from self._retry(node)

    def _apply(self, node: ast.Call) -> Iterator[Note]:
        for keyword in node.keywords:
            option = keyword.arg or "**"
            if option in CALL_REFUSED and not _is_none(keyword.value):
                yield self._note(keyword, "error", f"apply_async({option}=...)", CALL_REFUSED[option])
            elif option == "**":
                yield self._note(node, "warning", "apply_async(**...)", f"only these mean something: {_listed(CALL)}")
            elif option not in CALL and option not in CALL_NEEDLESS and option not in CALL_REFUSED:
                yield self._note(keyword, "error", f"apply_async({option}=...)", "it has no counterpart here")

    def _retry(self, node: ast.Call) -> Iterator[Note]:
        known = {"exc", "eta", "countdown", "max_retries"}
        for keyword in node.keywords:
            if keyword.arg not in known:
                remedy = "enqueue the task anew with apply_async, and return"
                yield self._note(keyword, "error", f"self.retry({keyword.arg or '**'}=...)", remedy)

    # --- attributes ---

    def _attribute(self, node: ast.Attribute) -> Iterator[Note]:
        value = node.value
        if node.attr in WAITS and _is_sent(value):
            yield self._note(node, "warning", f"the result of a task: .{node.attr}", RESULT)
        elif node.attr in CANVAS_METHODS and self._is_task(value):
            yield self._note(node, "error", ast.unparse(node), CANVAS)
        elif node.attr in RESULT_METHODS and _is_sent(value):
            yield self._note(node, "error", f"the result of a task: .{node.attr}", RESULT)
        elif _is_self(value) and node.attr in METHODS.keys() - CANVAS_METHODS - {"map"} and self._has_tasks():
            yield self._note(node, "error", f"self.{node.attr}", METHODS[node.attr])
        elif node.attr == "control" and ast.unparse(value).rpartition(".")[2] in {"app", "celery_app", "current_app"}:
            yield self._note(node, "error", ast.unparse(node), MODULES["celery.app.control"][1])

    def _is_task(self, node: ast.expr) -> bool:
        return ast.unparse(node).rpartition(".")[2] in self._tasks

    def _has_tasks(self) -> bool:
        return any(declared(self._tree))

    # --- settings ---

    def _assignment(self, node: ast.Assign | ast.AnnAssign) -> Iterator[Note]:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            name = ast.unparse(target)
            if name.startswith("CELERY_") and name.isupper():
                severity, remedy = KNOWN.get(name.removeprefix("CELERY_"), OTHER)
                yield self._note(node, severity, f"setting {name}", remedy)
            elif name.endswith(".conf.beat_schedule"):
                yield self._note(node, *KNOWN["BEAT_SCHEDULE"][:1], name, KNOWN["BEAT_SCHEDULE"][1])
            elif name == "INSTALLED_APPS" and node.value is not None:
                yield from self._apps(node.value)

    def _apps(self, value: ast.expr) -> Iterator[Note]:
        for each in ast.walk(value):
            if (app := _text(each).partition(".")[0]) in APPS:
                yield self._note(each, APPS[app][0], f"app {app}", APPS[app][1])


def declared(tree: ast.Module) -> Iterator[str]:
    """Names of the functions of a file that are tasks of Celery."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_decorator, node.decorator_list)):
            yield node.name


def _decorator(node: ast.expr) -> str | None:
    """`shared_task`, `task` of some app, or `periodic_task`; None for others."""
    function = node.func if isinstance(node, ast.Call) else node
    if isinstance(function, ast.Name):
        return function.id if function.id in DECORATORS - {"task"} else None
    if isinstance(function, ast.Attribute) and function.attr in DECORATORS:
        owner = ast.unparse(function.value).rpartition(".")[2].lower()
        return function.attr if "app" in owner or "celery" in owner else None
    return None


def _module(name: str) -> tuple[Severity, str] | None:
    return next((found for module, found in MODULES.items() if name == module or name.startswith(f"{module}.")), None)


def _is_sent(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDERS


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "task"}


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
