"""The guardian's process, from the fork that detaches it to its end."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from . import READY
from .folder import Folder
from .server import Server, ServerError, reclaim

POLL = 0.2
SETTLE = 2.0
"""A server that ends within so many seconds of its start is not started again: its log says why it ended."""


class Guardian:
    """Owns one server in one directory."""

    def __init__(self, folder: Folder, server: Server, grace: float) -> None:
        self.folder = folder
        self.server = server
        self.grace = grace
        self.stopping = False
        self.unused_since: float | None = None

    def run(self, report: Callable[[str], None]) -> None:
        """Start the server, say so, and stay until nobody needs it."""
        lock = self.folder.guardian.take(within=1)
        if lock is None:
            report(READY)  # another guardian was faster, and its server is as good
            return
        try:
            if self._begin(report):
                self._watch()
        finally:
            self._end()
        os.close(lock)  # before users.lock, which ends with this process: a new user must not find a guardian

    def stop(self, _signum: int, _frame: FrameType | None) -> None:
        """End soon: a signal handler."""
        self.stopping = True

    def _begin(self, report: Callable[[str], None]) -> bool:
        try:
            reclaim(self.folder)
            self.server.start()
        except (ServerError, OSError) as error:
            report(str(error))
            return False
        report(READY)
        return True

    def _watch(self) -> None:
        """Return when the server must end: told so, not needed, its state removed, or it keeps dying."""
        while not self.stopping and self._at_home() and self._needed():
            if self.server.has_ended():
                if time.monotonic() - self.server.started < SETTLE:
                    return
                self.server.start()
            time.sleep(POLL)

    def _at_home(self) -> bool:
        """Whether the state is ours. Its removal stops us, and so does the removal of the whole directory."""
        return self.folder.read_state().get("guardian") == os.getpid()

    def _needed(self) -> bool:
        """False, and for good, after the grace without users: then `users.lock` is ours and stays ours."""
        lock = self.folder.users.attempt()
        if lock is None:
            self.unused_since = None
            return True
        self.unused_since = self.unused_since or time.monotonic()
        if time.monotonic() - self.unused_since >= self.grace:
            return False
        os.close(lock)
        return True

    def _end(self) -> None:
        self.server.stop()
        if self._at_home():
            self.folder.state.unlink(missing_ok=True)


def main(directory: str, binary: str, socket: str, grace: str) -> None:
    """Start a guardian, print its first word and return. The guardian goes on alone."""
    folder = Folder(Path(directory))
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        _detach(folder)
        _guard(Guardian(folder, Server(folder, binary, socket), float(grace)), writer)
        return
    os.close(writer)
    with os.fdopen(reader) as words:
        sys.stdout.write(words.read() or f"the guardian ended at once. {folder.end_of_log()}")


def _detach(folder: Folder) -> None:
    """Let go of the starter's terminal and pipes, which would otherwise never see their end. Files are private."""
    os.umask(0o077)
    os.chdir(folder.path)
    source = os.open(os.devnull, os.O_RDONLY)
    sink = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor, standard in ((source, 0), (sink, 1), (sink, 2)):
        os.dup2(descriptor, standard)


def _guard(guardian: Guardian, pipe: int) -> None:
    def report(word: str) -> None:
        os.write(pipe, word.encode())
        os.close(pipe)

    signal.signal(signal.SIGTERM, guardian.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    guardian.run(report)


if __name__ == "__main__":
    main(*sys.argv[1:])
