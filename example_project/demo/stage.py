"""Everything that must run for the desk to work: the service, the web server, the worker."""

import os
import sys
import urllib.error
from pathlib import Path
from typing import Self

from django.conf import settings

from example_project.demo import ports, processes
from example_project.demo.processes import Child
from example_project.demo.waiting import Patience
from example_project.demo.web import Visitor

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_START = 30
SECONDS_TO_STOP = 15


class StageError(Exception):
    """A process did not come up, or went away."""


class Stage:
    """Starts the processes, and stops them whatever happens."""

    def __init__(self, patience: Patience, *, port: int, seed: int) -> None:
        self.patience = patience
        self.seed = seed
        self._children: list[Child] = []
        self._web = ports.listen(port)
        self._service = ports.listen()
        self.address = ports.address_of(self._web)
        self.service_address = ports.address_of(self._service)
        self.logs = Path(settings.VAR) / "log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._children):
            if not child.stop(SECONDS_TO_STOP, self.patience.asked_twice):
                print(f"The {child.name} (pid {child.pid}) did not end by itself and was killed.")
        for listener in (self._web, self._service):
            listener.close()

    def start_all(self) -> None:
        """Start all three and wait until the first page is there."""
        service, web = self._service.fileno(), self._web.fileno()
        courier = ("-m", "example_project.demo.service", f"--seed={self.seed}", f"--fd={service}")
        self._spawn("service", *courier, fd=service)
        gunicorn = ("-m", "gunicorn", "--config=python:example_project.gunicorn_conf", f"--bind=fd://{web}")
        self.web = self._spawn("web server", *gunicorn, fd=web)
        self.start_worker()
        if not self.patience.wait_for(self._first_page, SECONDS_TO_START):
            raise StageError(f"{self.address} does not answer within {SECONDS_TO_START} s\n{self.web.tail()}")

    def start_worker(self) -> Child:
        """Start a worker for all queues, beside those that there are."""
        self.worker = self._spawn("worker", str(ROOT / "manage.py"), "runworker")
        return self.worker

    def check(self) -> None:
        """Raise `StageError` if a process is gone, `Stopped` if the demo shall end."""
        self.patience.check()
        for child in self._children:
            if child.ended:
                raise StageError(f"the {child.name} ended with {child.popen.returncode}\n{child.tail()}")

    def kill_worker(self) -> int:
        """`kill -9` the worker and return its process id."""
        self.worker.kill()
        self._children.remove(self.worker)
        return self.worker.pid

    def _spawn(self, name: str, *arguments: str, fd: int | None = None) -> Child:
        env = os.environ | {
            "DJANGO_SETTINGS_MODULE": "example_project.settings",
            "KIQ_DEMO_VAR": str(settings.VAR),
            "DESK_SERVICE": self.service_address,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", "")))),
        }
        log = self.logs / f"{name.replace(' ', '-')}.log"
        child = processes.start(name, [sys.executable, *arguments], log=log, env=env, fds=() if fd is None else (fd,))
        self._children.append(child)
        return child

    def _first_page(self) -> bool:
        self.check()
        try:
            return bool(Visitor(self.address).get("/"))
        except urllib.error.HTTPError as error:
            raise StageError(f"{self.address} answers {error}\n{self.web.tail()}") from error
        except OSError:
            return False
