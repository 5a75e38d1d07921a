"""A process that has done everything up to `runworker`, and makes a worker of each copy of itself.

Starting a worker takes about a second of computing, which is more than the rest of its short life here. A copy needs
a hundredth of it; from `manage.py runworker` on it is the real thing.

Reads one JSON object a line: `options`, `environment`, `log`. Writes the number of the process. When that has ended,
its exit code (negative: the number of a signal) stands in a file beside its log.
"""

import importlib
import json
import os
import random
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.management import execute_from_command_line

CODE = ".code"
"""Ending of the file with the exit code."""


def serve() -> None:
    """Until whoever started us is gone; then all workers end too."""
    logs: dict[int, Path] = {}
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    awake, woken = os.pipe()
    os.set_blocking(awake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    order = b""
    while True:
        ready, _, _ = select.select([0, awake], [], [])
        if awake in ready:
            os.read(awake, 4096)
        _bury(logs)
        if 0 in ready:
            came = os.read(0, 65_536)
            if not came:
                break
            *lines, order = (order + came).split(b"\n")
            for line in lines:
                _bear(json.loads(line), logs)
    for worker in logs:
        os.kill(worker, signal.SIGKILL)


def _bear(order: dict[str, Any], logs: dict[int, Path]) -> None:
    worker = os.fork()
    if not worker:
        code = 1
        try:
            _live(order)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    logs[worker] = Path(order["log"])
    os.write(1, b"%d\n" % worker)


def _bury(logs: dict[int, Path]) -> None:
    for worker, log in list(logs.items()):
        ended, status = os.waitpid(worker, os.WNOHANG)
        if ended:
            del logs[worker]
            unfinished = log.with_suffix(".unfinished")
            unfinished.write_text(str(os.waitstatus_to_exitcode(status)))
            unfinished.rename(log.with_suffix(CODE))


def _live(order: dict[str, Any]) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for handle, to in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(handle, to)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    random.seed()
    os.environ.update(order["environment"])
    wanted = importlib.reload(importlib.import_module("tests.acceptance.settings"))
    settings.KIQ, settings.DIRECTORY = wanted.KIQ, wanted.DIRECTORY
    apps.get_app_config("chaos").ready()
    execute_from_command_line(["manage.py", "runworker", "--no-reload", *order["options"]])


if __name__ == "__main__":
    django.setup()
    importlib.import_module("kiq_django.management.commands.runworker")
    serve()
