"""`manage.py demo`: the desk with everything it needs, as real processes."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command

from example_project.demo import batches, throwaway
from example_project.demo.follow import Follower
from example_project.demo.rehearsal import Rehearsal
from example_project.demo.stage import Stage, StageError
from example_project.demo.waiting import Patience, Stopped
from example_project.desk.models import Run

ADMIN = "admin"
"""Name and password, for a server that only this machine can reach."""
WELCOME = """
  The desk   {address}/
  The admin  {address}/admin/   {admin} / {admin}  (for this demo, which answers on 127.0.0.1 only)
  Files      {var}

Below is what the worker says. Ctrl-C stops everything.
"""


class Command(BaseCommand):
    help = "Run the photo and order desk: the web server, a worker, and a web service that fails at random."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="run every kind of job, print the counts, and exit")
        parser.add_argument("--kill", action="store_true", help="with --once: kill -9 the worker in the middle")
        parser.add_argument("--port", type=int, default=8000, help="of the pages; if it is taken, a free one is used")
        parser.add_argument("--seed", type=int, default=7, help="of the service's failures")
        parser.add_argument("--deadline", type=float, default=60, help="seconds to wait for the jobs")

    def handle(self, *, once: bool, kill: bool, port: int, seed: int, deadline: float, **_: Any) -> None:
        if kill and not once:
            raise CommandError("--kill needs --once")
        if once and throwaway.VARIABLE not in os.environ:
            self._start_over()
        patience = Patience()
        try:
            self._prepare()
            with Stage(patience, port=0 if once else port, seed=seed) as stage:
                stage.start_all()
                if once:
                    self._rehearse(stage, kill=kill, deadline=deadline)
                else:
                    self._stay(stage)
        except Stopped as stopped:
            if once:
                raise CommandError("Stopped before everything was counted") from stopped
            self.stdout.write("\nStopped.")
        except StageError as error:
            raise CommandError(str(error)) from error

    def _start_over(self) -> None:
        try:
            throwaway.start_over(settings.VAR)
        except BlockingIOError as error:
            raise CommandError(
                f"Another demo --once is running; set {throwaway.VARIABLE} to a folder of its own"
            ) from error

    def _prepare(self) -> None:
        call_command("migrate", verbosity=0)
        users = get_user_model()
        if not users.objects.filter(username=ADMIN).exists():
            users.objects.create_superuser(ADMIN, "admin@example.com", ADMIN)

    def _rehearse(self, stage: Stage, *, kill: bool, deadline: float) -> None:
        self.stdout.write(f"The desk is at {stage.address}, its service at {stage.service_address}.")
        rehearsal = Rehearsal(stage, self.stdout.write, deadline=deadline)
        if not rehearsal.run(kill=kill):
            raise CommandError(
                "\n".join([*rehearsal.troubles, "", "The end of the worker's log:", stage.worker.tail()])
            )
        self.stdout.write(self.style.SUCCESS("Every count is what it must be."))

    def _stay(self, stage: Stage) -> None:
        self.stdout.write(WELCOME.format(address=stage.address, admin=ADMIN, var=settings.VAR))
        follower = Follower(stage.worker.log)
        if not Run.objects.exists():
            batches.start_all_but_the_last()  # something to look at
        while not stage.patience.wait_for(lambda: False, 0.2):
            stage.check()
            for line in follower.lines():
                self.stdout.write(line)
