"""The server's process: started, watched and stopped by the guardian, and never left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .folder import Folder, ask

STARTUP = 10.0
"""Seconds until the server must say something. To load its data may take longer."""
SHUTDOWN = 15.0
PR_SET_PDEATHSIG = 1
"""`prctl(2)`: the signal that a process gets when its parent dies. Linux only."""


class ServerError(Exception):
    """The server cannot run; the text is for whoever asked for it."""


class Server:
    """One server program over one directory."""

    def __init__(self, folder: Folder, binary: str, socket: str) -> None:
        self.folder = folder
        self.binary = binary
        self.socket = socket
        self.started = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it says something, be it that it is loading its data.

        Raises:
            ServerError: it ends at once, or another one still runs.
            OSError: the directory or the program is not usable.
        """
        Path(self.socket).unlink(missing_ok=True)
        self.started = time.monotonic()
        self.process = self._spawn()
        self.folder.write_state(socket=self.socket, guardian=os.getpid(), server=self.process.pid)
        self._wait_for_a_word(self.process)

    def has_ended(self) -> bool:
        """Whether it is gone, or was never there."""
        return self.process is None or self.process.poll() is not None

    def stop(self) -> None:
        """End it; it writes its data down first."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(SHUTDOWN)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._remove_socket()

    def _remove_socket(self) -> None:
        path = Path(self.socket)
        path.unlink(missing_ok=True)
        if path.parent != self.folder.path:
            with contextlib.suppress(OSError):
                path.parent.rmdir()

    def _spawn(self) -> subprocess.Popen[bytes]:
        lock = self.folder.server.take(within=SHUTDOWN)
        if lock is None:
            raise ServerError(f"another server still runs in {self.folder}")
        command = [self.binary, *_options(self.folder.path, self.socket)]
        try:
            with self.folder.log.open("ab") as log:
                return subprocess.Popen(  # noqa: S603 - our own arguments
                    command, stdout=log, stderr=log, pass_fds=[lock], preexec_fn=_dies_with(os.getpid())
                )
        finally:
            os.close(lock)  # the server has inherited it, and has it now alone

    def _wait_for_a_word(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + STARTUP
        while not ask(self.socket):
            if process.poll() is not None:
                raise ServerError(f"the server ended at once. {self.folder.end_of_log()}")
            if time.monotonic() > deadline:
                raise ServerError(f"the server says nothing. {self.folder.end_of_log()}")
            time.sleep(0.01)


def reclaim(folder: Folder) -> None:
    """End a server that lost its guardian where the system did not do so (macOS), or wait for it to end.

    Raises:
        ServerError: it does not end.
    """
    pid = folder.read_state().get("server")
    for signum, patience in ((None, 2.0), (signal.SIGTERM, SHUTDOWN), (signal.SIGKILL, 3.0)):
        if signum and isinstance(pid, int) and _is_server(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)
        lock = folder.server.take(within=patience)
        if lock is not None:
            os.close(lock)
            return
    raise ServerError(f"a server without guardian (process {pid}) does not end")


def _options(directory: Path, socket: str) -> Iterator[str]:
    """What differs from the program's own defaults: no network, a log of all writes, nothing thrown away."""
    options = {
        "port": "0",
        "unixsocket": socket,
        "unixsocketperm": "700",
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    for name, value in options.items():
        yield from (f"--{name}", value)


def _dies_with(parent: int) -> Callable[[], None] | None:
    """What the child does before it becomes the server: ask Linux for a signal when the guardian dies."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


def _is_server(pid: int) -> bool:
    """Whether a process id that was written down earlier is still a server's, and not somebody else's."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        shown = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, check=False)  # noqa: S603, S607
        command = shown.stdout
    return b"unixsocket" in command  # in its options, and in the title that it gives itself
