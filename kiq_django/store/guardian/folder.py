"""The directory of an embedded server: its locks, and what the guardian writes down for the users."""

import hashlib
import json
import os
import socket
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl

LONGEST_SOCKET_PATH = 100
"""Bytes. The kernel's limit for the path of a unix socket is 108 on Linux and 104 on macOS."""


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

    def socket_path(self) -> str:
        """Where the server listens: in this directory, which only its owner may enter.

        Where that path is too long for a socket, or the file system takes none (shared folders of virtual
        machines), in a private directory below the system's temporary one.

        Raises:
            OSError: somebody else has that directory.
        """
        path = self.path / "valkey.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and self._takes_sockets():
            return str(path)
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        return str(_private(Path(tempfile.gettempdir()) / f"kiq-{os.getuid()}-{name}") / path.name)

    def _takes_sockets(self) -> bool:
        probe = self.path / "probe.sock"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(str(probe))
        except OSError:
            return False
        finally:
            probe.unlink(missing_ok=True)
        return True


def _private(directory: Path) -> Path:
    """Anybody may make the directory before us, so look whose it is."""
    directory.mkdir(mode=0o700, exist_ok=True)
    facts = directory.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise PermissionError(f"{directory} is not a private directory of this user: remove it")
    return directory
