"""`manage.py runworker`: run background jobs."""

import importlib
import platform
from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.conf import settings as django_settings
from django.core.management.base import BaseCommand, CommandError

from kiq_django import conf, log, registry, store
from kiq_django.exceptions import ConfigurationError, StoreError
from kiq_django.management import processes, reload
from kiq_django.management.worker_options import required_modules, worker_config
from kiq_django.store.server import ServerInfo
from kiq_django.version import __version__
from kiq_django.worker.config import WorkerConfig
from kiq_django.worker.os_signals import SignalPipe
from kiq_django.worker.runner import Runner, leave

BAD_CONFIGURATION = 2


class Command(BaseCommand):
    help = (
        "Runs background jobs. TERM or INT stop gracefully, a second one at once; TSTP or USR1 only stop taking new "
        "jobs; TTIN logs what every thread is doing. Exit code: 0 stopped, 1 crashed, 2 bad configuration."
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
        add("--health", metavar="HOST:PORT", help="Answer probes there: /live and /ready.")
        add("--drain", action="store_true", help="Run what is waiting, then exit.")
        add("--reload", action=BooleanOptionalAction, default=None,
            help="Start again when code changes. Default: as settings.DEBUG.")  # fmt: skip
        add("--log-format", choices=["text", "json"], help="Form of the log lines. Default: as LOGGING says.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal, and leave with an exit code."""
        if options["processes"] and not processes.is_child():
            raise SystemExit(self._supervise(options))
        if self._wants_reload(options):
            raise SystemExit(reload.run(lambda pipe: self._work(options, pipe, reloading=True)))
        self._work(options, _opened(), reloading=False)

    def _wants_reload(self, options: dict[str, Any]) -> bool:
        if options["reload"] is None:
            return django_settings.DEBUG and not (options["drain"] or processes.is_child())
        return bool(options["reload"])

    def _supervise(self, options: dict[str, Any]) -> int:
        log.configure(options["log_format"], options["verbosity"])
        if options["reload"] or options["drain"] or options["health"]:
            raise CommandError("--processes goes with neither --reload, --drain nor --health", returncode=2)
        try:
            number = processes.how_many(options["processes"])
            timeout = worker_config(options).shutdown_timeout
        except ConfigurationError as error:
            raise CommandError(str(error), returncode=BAD_CONFIGURATION) from error
        return processes.Processes(number, timeout, _opened()).run()

    def _work(self, options: dict[str, Any], pipe: SignalPipe, *, reloading: bool) -> int:
        log.configure(options["log_format"], options["verbosity"])
        try:
            for module in required_modules(options):
                importlib.import_module(module)
            config = worker_config(options)
            runner = Runner(config, store.get, pipe, log.journal(), reload.parent_lives if reloading else _always)
            code = runner.run(lambda info: self._greet(config, info, reloading=reloading))
        except (ConfigurationError, ImportError, StoreError) as error:
            if reloading:
                self.stderr.write(str(error))
                return BAD_CONFIGURATION
            raise CommandError(str(error), returncode=BAD_CONFIGURATION) from error
        if runner.cut_off:
            leave(code, cut_off=True)
        return code

    def _greet(self, config: WorkerConfig, info: ServerInfo, *, reloading: bool) -> None:
        lines = [
            f"kiq_django {__version__} on Python {platform.python_version()}, process {config.identity}",
            f"Redis: {store.get().target} ({info.product} {info.version_text})",
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


def _described(queues: Any) -> str:
    if not any(queues.values()):
        return " > ".join(queues)
    return ", ".join(f"{name} ({weight})" for name, weight in queues.items())


def _opened() -> SignalPipe:
    pipe = SignalPipe()
    pipe.open()
    return pipe


def _always() -> bool:
    return True
