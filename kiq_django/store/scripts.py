"""The Lua scripts of `lua/`, by name.

On servers that know it (Redis 7, Valkey) each script but those that push carries `allow-oom`: they free memory, or
move what is already stored, or renew a lease, so a full Redis can still be drained. Those that only
read carry `no-writes` as well, and so run on a replica, and while a full disk forbids all writing.
Redis 6.2 and Dragonfly reject that line.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("lua")
SHEBANG = "#!lua flags=allow-oom\n"
SHEBANG_OF_READERS = "#!lua flags=allow-oom,no-writes\n"
READERS = frozenset({"locate", "measure", "search"})
SHEBANG_OF_WRITERS = "#!lua\n"
WRITERS = frozenset({"enter", "push", "once/enter", "once/push"})
"""A full Redis refuses these, as it refuses every push."""


@dataclass(frozen=True, slots=True)
class Script:
    """One script as a server gets it."""

    name: str
    text: str
    sha: str


@cache
def load(name: str, shebang: bool) -> Script:
    """Read `lua/<name>.lua`, with the flags line when the server knows it.

    `chunk/promote` is the script `lua/around/chunk.lua`, to which `promote` is the function `move(KEYS, ARGV)`: so one
    step in Redis can be part of another.
    """
    outer, _, inner = name.rpartition("/")
    text = _read(inner)
    if outer:
        text = f"local function move(KEYS, ARGV)\n{text}end\n{_read(f'around/{outer}')}"
    if shebang:
        text = _flags(name) + text
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def names() -> list[str]:
    """All scripts that can run by themselves."""
    return sorted(path.stem for path in FOLDER.glob("*.lua"))


def _flags(name: str) -> str:
    if name in WRITERS:
        return SHEBANG_OF_WRITERS
    return SHEBANG_OF_READERS if name in READERS else SHEBANG


def _read(name: str) -> str:
    return (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
