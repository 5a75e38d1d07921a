"""The servers that contestants work on, each for one measurement run alone."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.peers.environments import Missing

PATIENCE = 20.0


def free_port() -> int:
    """A port of this host that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise Missing(f"no server came up on port {port}")


class Redis:
    """One Redis (or Valkey), without persistence unless asked."""

    def __init__(self, *options: str) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if not program:
            raise Missing("no redis-server")
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="bench"))
        self.url = f"redis://127.0.0.1:{self.port}/0"
        saving = options or ("--save", "")
        self._command = [program, "--port", str(self.port), "--dir", str(self.folder), *saving]
        self.start()

    def start(self) -> None:
        """On the same port, with what it had saved."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        _await_port(self.port)

    def call(self, *words: str) -> str:
        """One command by redis-cli."""
        command = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def cpu(self) -> float:
        """CPU seconds it has used."""
        info = dict(line.split(":", 1) for line in self.call("INFO", "cpu").splitlines() if ":" in line)
        return float(info["used_cpu_sys"]) + float(info["used_cpu_user"])

    def commands(self) -> int:
        """Commands it has executed, those inside scripts included."""
        stats = self.call("INFO", "commandstats").splitlines()
        return sum(int(line.split("calls=")[1].split(",")[0]) for line in stats if "calls=" in line)

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it and what it wrote."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def redis(*options: str) -> Iterator[Redis]:
    """A Redis for the length of a block."""
    server = Redis(*options)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL for the length of a block, with the settings it ships with; gives its URL.

    Raises:
        Missing: PostgreSQL is not installed.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    program = str(found[-1]) if found else shutil.which("initdb")
    if not program:
        raise Missing("no PostgreSQL (apt-get install postgresql)")
    programs, folder = Path(program).parent, Path(tempfile.mkdtemp(prefix="bench"))
    someone = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    port = free_port()
    try:
        if someone:
            shutil.chown(folder, "postgres")
        data = folder / "data"
        subprocess.run([*someone, program, "-D", data, "-U", "bench", "-A", "trust"], capture_output=True, check=True)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        control = [*someone, programs / "pg_ctl", "-D", data, "-w"]
        subprocess.run([*control, "-o", options, "-l", folder / "log", "start"], stdout=subprocess.DEVNULL, check=True)
        try:
            yield f"postgresql://bench@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], stdout=subprocess.DEVNULL, check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
