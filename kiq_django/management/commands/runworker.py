"""`manage.py runworker`: run background jobs."""

import importlib
import logging
import os
import platform
import sys
from argparse import ArgumentParser, BooleanOptionalAction
from dataclasses import replace
from functools import partial
from typing import Any

from django.conf import settings as django_settings
from django.core import checks
from django.core.management.base import BaseCommand, CommandError

from kiq_django import conf, log, registry, store
from kiq_django.exceptions import ConfigurationError, StoreError
from kiq_django.management import reload
from kiq_django.management.processes import role
from kiq_django.management.reload import parent_watch
from kiq_django.management.worker_options import how_many, required_modules, worker_config
from kiq_django.store.server import ServerInfo
from kiq_django.version import __version__
from kiq_django.worker.config import WorkerConfig
from kiq_django.worker.os_signals import SignalPipe
from kiq_django.worker.outlets import HeartbeatFile, Systemd, Title
from kiq_django.worker.reporter import Outlet
from kiq_django.worker.runner import Runner, leave

logger = logging.getLogger("kiq_django.worker")
BAD_CONFIGURATION = 2
OF_PAGES = frozenset({"admin", "commands", "staticfiles", "templates", "urls"})
"""Tags of system checks that import what a worker does not serve: all views, templates and the admin."""
PYTHONS_SWITCH_INTERVAL = 0.005
"""Seconds; `sys.getswitchinterval()` of a program that has not changed it."""


class Command(BaseCommand):
    help = (
        "Runs background jobs. TERM or INT stop gracefully, a second one at once; TSTP or USR1 only stop taking new "
        "jobs; USR2 ends when all running jobs have, or, with --processes, starts with new code; TTIN logs what every "
        "thread is doing. Exit code: 0 stopped, 1 crashed, 2 bad configuration."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("-q", "--queue", dest="queues", action="append", metavar="NAME[,WEIGHT]",
            help="Take jobs from this queue; repeat it for more. With weights the order is by lot, without it is "
            "strict. Default: KIQ['QUEUES'].")  # fmt: skip
        add("-c", "--concurrency", type=int, metavar="N", help="Threads that run jobs.")
        add("-t", "--timeout", type=float, metavar="SEC",
            help="Seconds for running jobs to finish on a stop; then they go back to their queues.")  # fmt: skip
        add("-C", "--config", metavar="FILE", help="Configuration file, TOML or YAML.")
        add("-e", "--environment", metavar="NAME",
            help="Section of the configuration file that overrides the rest. Default: $KIQ_ENV.")  # fmt: skip
        add("-r", "--require", action="append", metavar="MODULE", help="Import this module too; repeatable.")
        add("-g", "--tag", metavar="TAG", help="Shown beside this process.")
        add("--processes", metavar="N", help="So many worker processes under this one, or 'auto': one a processor.")
        add("--preload", action=BooleanOptionalAction, default=None,
            help="With --processes: load the project once and fork. Default: where that is safe.")  # fmt: skip
        add("--max-jobs", type=int, metavar="N", help="End, and with --processes begin anew, after about N jobs.")
        add("--max-memory", type=int, metavar="MB", help="The same when a process occupies about MB megabytes.")
        add("--health", metavar="HOST:PORT", help="Answer there: /live, /ready, /metrics. Default: $KIQ_HEALTH.")
        add("--heartbeat-file", metavar="PATH",
            help="Write this file every second while the worker lives. Default: $KIQ_HEARTBEAT_FILE.")  # fmt: skip
        add("--drain", action="store_true", help="Run what is waiting, then exit.")
        add("--reload", action=BooleanOptionalAction, default=None,
            help="Start again when code changes. Default: as settings.DEBUG.")  # fmt: skip
        add("--log-format", choices=["text", "json"], help="Form of the log lines. Default: as LOGGING says.")

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Django's system checks, but for those of pages: views would cost every worker their time and memory."""
        return {"tags": sorted(checks.registry.registry.tags_available() - OF_PAGES)}

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal, and leave with an exit code."""
        log.configure(options["log_format"], options["verbosity"])
        if code := self._run(options):
            raise SystemExit(code)

    def _run(self, options: dict[str, Any]) -> int:
        if role.is_child():
            from kiq_django.management.processes.child import ToParent  # only for one that is under a parent

            return self._work(options, _opened(), child=ToParent.inherited())
        if role.is_trial():
            return self._try(options)
        if self._wants_reload(options):
            return reload.run(lambda pipe: self._begin(options, pipe, reloading=True))
        return self._begin(options, _opened(), reloading=False)

    def _wants_reload(self, options: dict[str, Any]) -> bool:
        if options["reload"] is None:
            return django_settings.DEBUG and not (options["drain"] or options["processes"])
        return bool(options["reload"])

    def _begin(self, options: dict[str, Any], pipe: SignalPipe, *, reloading: bool) -> int:
        try:
            number = how_many(options)
            if not number:
                return self._work(options, pipe, reloading=reloading)
            return self._supervise(options, number, pipe, reloading=reloading)
        except (ConfigurationError, ImportError, StoreError) as error:
            if reloading:
                self.stderr.write(str(error))
                return BAD_CONFIGURATION
            raise CommandError(str(error), returncode=BAD_CONFIGURATION) from error

    def _try(self, options: dict[str, Any]) -> int:
        """Whether a worker could be begun with this code and configuration."""
        try:
            self._configured(options)
            number = how_many(options)
        except (ConfigurationError, ImportError) as error:
            raise CommandError(str(error), returncode=BAD_CONFIGURATION) from error
        if not number:
            raise CommandError("--processes is no longer said: that takes a restart", returncode=BAD_CONFIGURATION)
        return 0

    def _configured(self, options: dict[str, Any]) -> WorkerConfig:
        for module in required_modules(options):
            importlib.import_module(module)
        return worker_config(options)

    def _supervise(self, options: dict[str, Any], number: int, pipe: SignalPipe, *, reloading: bool) -> int:
        from kiq_django.management.processes.parent import Parent  # with --processes; else eight modules for nothing
        from kiq_django.management.processes.plan import Plan

        plan = Plan(
            number=number,
            config=self._configured(options),
            work=lambda own, parent: self._work(options, own, child=parent),
            preload=options["preload"],
            keep_going=reload.parent_lives if reloading else _always,
            reloads=reloading,
        )
        parent = Parent(plan, pipe)
        self._say(f"{number} worker processes under {os.getpid()}", plan.config, reloading=reloading)
        return parent.run()

    def _work(
        self, options: dict[str, Any], pipe: SignalPipe, *, child: Outlet | None = None, reloading: bool = False
    ) -> int:
        try:
            config = self._configured(options)
            _let_threads_take_turns()
            if child is not None:
                config = replace(config, health=None, heartbeat_file="")
            keep_going = parent_watch() if child is not None else reload.parent_lives if reloading else _always
            outlets: list[Outlet] = [Title(), child] if child is not None else _outlets(config)
            runner = Runner(config, store.get, pipe, log.journal(), keep_going, outlets)
            greet = _introduce if child is not None else partial(self._greet, reloading=reloading)
            code = runner.run(partial(greet, config))
        except (ConfigurationError, ImportError, StoreError) as error:
            if child is None:
                raise
            self.stderr.write(str(error))
            return BAD_CONFIGURATION
        if runner.cut_off:
            leave(code, cut_off=True)
        return code

    def _greet(self, config: WorkerConfig, info: ServerInfo, *, reloading: bool) -> None:
        redis = f"Redis: {store.get().target} ({info.product} {info.version_text})"
        self._say(f"process {config.identity}", config, redis, reloading=reloading)

    def _say(self, who: str, config: WorkerConfig, *more: str, reloading: bool) -> None:
        lines = [
            f"kiq_django {__version__} on Python {platform.python_version()}, {who}",
            *more,
            *(f"Queues: {_described(capsule.queues)}, {capsule.concurrency} threads" for capsule in config.capsules),
            f"Jobs: {len(registry.all_jobs())} declared, {config.async_concurrency} async at once",
        ]
        if (adapter := conf.get().adapter) != "redis":
            lines.append(f"KIQ['ADAPTER'] is {adapter!r}: jobs of this project are not enqueued to Redis")
        if reloading:
            lines.append("Reloading when code changes (--no-reload turns that off)")
        lines.append("Stop with Ctrl-C")
        for line in lines:
            self.stdout.write(line)
        self.stdout.flush()


def _let_threads_take_turns() -> None:
    """A thread that computes keeps the interpreter from all others for Python's 5 ms, and each of several does so in
    turn. What the project has chosen itself stays.
    """
    seconds = conf.get().worker.switch_interval
    if seconds is not None and sys.getswitchinterval() == PYTHONS_SWITCH_INTERVAL:
        sys.setswitchinterval(seconds)


def _introduce(config: WorkerConfig, info: ServerInfo) -> None:
    """A child is one of several, and its parent has said the rest."""
    logger.info("Process %s works, with %s %s", config.identity, info.product, info.version_text)


def _described(queues: Any) -> str:
    if not any(queues.values()):
        return " > ".join(queues)
    return ", ".join(f"{name} ({weight})" for name, weight in queues.items())


def _outlets(config: WorkerConfig) -> list[Outlet]:
    outlets: list[Outlet] = [Title(), Systemd()]
    if config.heartbeat_file:
        outlets.append(HeartbeatFile(config.heartbeat_file))
    return outlets


def _opened() -> SignalPipe:
    pipe = SignalPipe()
    pipe.open()
    return pipe


def _always() -> bool:
    return True
