"""Where an embedded server listens: a unix socket that only its owner can reach."""

import hashlib
import os
import socket
import stat
import tempfile
from pathlib import Path

LONGEST_PATH = 100
"""Bytes. The kernel's limit for the path of a unix socket is 108 on Linux and 104 on macOS."""


def choose(directory: Path) -> str:
    """A path in the directory, which only its owner may enter.

    Where that is too long for a socket, or the file system takes none (shared folders of virtual machines),
    a path in a private directory below the system's temporary one.

    Raises:
        OSError: that directory is not ours.
    """
    path = directory / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_PATH and _takes_sockets(directory):
        return str(path)
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return str(_private(Path(tempfile.gettempdir()) / f"kiq-{os.getuid()}-{name}") / path.name)


def _takes_sockets(directory: Path) -> bool:
    probe = directory / "probe.sock"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(probe))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def _private(directory: Path) -> Path:
    """Anybody may have made it before us, so look whose it is."""
    directory.mkdir(mode=0o700, exist_ok=True)
    facts = directory.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise PermissionError(f"{directory} is not a private directory of this user: remove it")
    return directory
