"""The Lua scripts of `lua/`, by name.

On servers that know it (Redis 7, Valkey) each script carries `allow-oom`: our scripts free memory, or
move what is already stored, or renew a lease, so a full Redis can still be drained. Redis 6.2 and
Dragonfly reject that line.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("lua")
SHEBANG = "#!lua flags=allow-oom\n"


@dataclass(frozen=True, slots=True)
class Script:
    """One script as a server gets it."""

    name: str
    text: str
    sha: str


@cache
def load(name: str, shebang: bool) -> Script:
    """Read `lua/<name>.lua`, with the flags line when the server knows it."""
    text = (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    if shebang:
        text = SHEBANG + text
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def names() -> list[str]:
    """All scripts there are."""
    return sorted(path.stem for path in FOLDER.glob("*.lua"))
