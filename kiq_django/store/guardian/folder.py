"""The directory of an embedded server: its locks, and what the guardian writes down for the users."""

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl


class Lock:
    """A lock on a file. Who takes it gets an open descriptor, and has it until the last copy is closed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def attempt(self, *, shared: bool = False) -> int | None:
        """Take the lock without waiting: the descriptor, or None."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                raise
            return None
        return descriptor

    def take(self, *, within: float, shared: bool = False) -> int | None:
        """Take the lock, waiting up to `within` seconds: the descriptor, or None."""
        deadline = time.monotonic() + within
        while True:
            descriptor = self.attempt(shared=shared)
            if descriptor is not None or time.monotonic() > deadline:
                return descriptor
            time.sleep(0.01)

    def is_taken(self) -> bool:
        """Whether a living process has the lock for itself."""
        if not self.path.exists():
            return False
        descriptor = self.attempt(shared=True)
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is None


class Folder:
    """One directory and the files in it that users, guardian and server meet over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.users = Lock(path / "users.lock")
        self.guardian = Lock(path / "guardian.lock")
        self.server = Lock(path / "server.lock")
        self.start = Lock(path / "start.lock")
        self.state = path / "state.json"
        self.log = path / "valkey.log"

    def __str__(self) -> str:
        return str(self.path)

    def read_state(self) -> dict[str, Any]:
        """`socket` (path), `guardian` and `server` (process ids), or nothing when no guardian is at work."""
        try:
            state = json.loads(self.state.read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def write_state(self, **state: Any) -> None:
        """Replace what is written in one step: readers see the old or the new."""
        draft = self.state.with_suffix(".new")
        draft.write_text(json.dumps(state))
        draft.replace(self.state)

    def end_of_log(self) -> str:
        """The last words of the server, on one line."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-5:]
        except OSError:
            lines = []
        return f"The end of {self.log}: " + " | ".join(lines)


def ask(path: str) -> bytes:
    """What the server on the socket says to PING. Empty when nobody does."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(path)
            connection.sendall(b"PING\r\n")
            return connection.recv(64)
    except OSError:
        return b""
