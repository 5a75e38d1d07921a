"""Where chaos runs: a Redis that keeps its data, workers that reach it over lines of their own, and jobs."""

import contextlib
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from typing import Self

from kiq_django import conf
from kiq_django.store import Store, connections
from tests import faults
from tests.acceptance.process import ROOT
from tests.chaos.look import left
from tests.chaos.nursery import Nursery, Worker
from tests.conftest import server_programs
from tests.support import wait_for

LEASE = 4.0
STOP_TIMEOUT = 2.0
CONCURRENCY = 4
KIQ = {
    "WORKER": {"heartbeat": 0.5, "lease": LEASE, "poll_interval": 0.2},
    "QUEUES": {"critical": 3, "default": 1},
}


def another_build(folder: Path) -> Path:
    """The code of the next version: with another number, and scripts that no server knows from this one."""
    for name in ("kiq_django", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "locale", "images"))
    (folder / "kiq_django" / "version.py").write_text('__version__ = "99.0"\n')
    for script in folder.rglob("*.lua"):
        script.write_text(f"{script.read_text()}-- of version 99\n")
    return folder


class Slot:
    """The place of one worker: when it is gone, another comes."""

    def __init__(self, arena: "Arena", nursery: Nursery) -> None:
        self._arena = arena
        self._nursery = nursery
        self.proxy = faults.Proxy(str(arena.server.socket))
        self.lock = threading.Lock()
        """Held by who does something to the process."""
        self.worker = self._new()

    def renew(self) -> None:
        """Another worker takes the place of one that has ended."""
        self.worker = self._new()

    def _new(self) -> Worker:
        options = ("-c", str(CONCURRENCY), "-t", str(STOP_TIMEOUT), "-v", "0")
        worker = self._nursery.worker(
            self.proxy.url, self._arena.directory, *options, kiq=KIQ, environment=self._arena.environment
        )
        self._arena.all_workers.append(worker)
        return worker


class Arena:
    """All of it; ends with a `with` block."""

    def __init__(self, workers: int = 3, environment: dict[str, str] | None = None, other: Path | None = None) -> None:
        """The last worker runs the code in `other`; unless given, that of another build of ours."""
        self.directory = Path(tempfile.mkdtemp(prefix="kiq"))
        self.environment = environment or {}
        self.nurseries = Nursery(), Nursery(other or another_build(self.directory / "build"))
        self.server = faults.Server(server_programs()[0], "--maxmemory-policy", "noeviction").start()
        self.line = faults.Proxy(str(self.server.socket))
        """Of those who push."""
        self.all_workers: list[Worker] = []
        ours, others = self.nurseries
        self.slots = [Slot(self, others if number == workers - 1 else ours) for number in range(workers)]
        self.store = Store(connections.target(self.server.url), "", conf.get().limits, "heartbeat")
        """Over a line that nobody disturbs."""

    def __enter__(self) -> Self:
        for slot in self.slots:
            slot.worker.ready()
        return self

    def __exit__(self, *_: object) -> None:
        for nursery in self.nurseries:
            nursery.close()
        for proxy in self.proxies:
            proxy.close()
        self.server.remove()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def proxies(self) -> list[faults.Proxy]:
        """All lines: of the producers, and of each worker."""
        return [self.line, *(slot.proxy for slot in self.slots)]

    @property
    def effects(self) -> Path:
        """The file to which jobs write."""
        return self.directory / "effects"

    @property
    def written(self) -> int:
        """Bytes that jobs have written."""
        with contextlib.suppress(FileNotFoundError):
            return self.effects.stat().st_size
        return 0

    @property
    def log(self) -> str:
        """What all workers wrote."""
        return "".join(worker.output for worker in self.all_workers)

    def heal(self) -> None:
        """Undo every fault, and see that all workers live."""
        for proxy in self.proxies:
            proxy.drop_replies(0)
            proxy.accept()
            proxy.heal()
        for slot in self.slots:
            slot.worker.send(signal.SIGCONT)
            if slot.worker.code is not None:
                slot.renew()
        self.heal_server()

    def heal_server(self) -> None:
        """Bring it up, if it is down, and let it accept everything."""
        if not self.server.is_up:
            self.server.start()
        self.server.thaw()
        wait_for(self.server.answers, 30, "the server's answer")
        with self.server.client() as client:
            client.execute_command("CLIENT", "UNPAUSE")
            client.execute_command("REPLICAOF", "NO", "ONE")
            client.config_set("maxmemory", 0)

    def drain(self, timeout: float = 120) -> None:
        """Wait until no job is left anywhere but in the dead set."""
        wait_for(lambda: not left(self.store), timeout, "all queues, sets and working lists to be empty")

    def stop(self) -> list[int]:
        """End all workers in good order. Returns their exit codes."""
        for slot in self.slots:
            slot.worker.send(signal.SIGTERM)
        return [slot.worker.wait() for slot in self.slots]
