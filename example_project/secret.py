"""A secret key that is made once and stays on this machine."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def stored_in(path: Path) -> str:
    """Return the key in `path`; make both if there is none. Several processes may come at once: one wins."""
    if not path.exists():
        _make(path)
    return path.read_text()


def _make(path: Path) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(get_random_secret_key())
    try:
        os.link(draft, path)  # whole or not at all, and never over another's
    except FileExistsError:
        pass
    finally:
        draft.unlink()
