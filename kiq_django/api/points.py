"""What a diagnosis says: one point for each thing that it looked at."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "error"]
State = Literal["good", "bad", "unknown"]
Link = tuple[Literal["queue", "running", "process", "processes", "job", "class", "set"], str]
"""Where one sees more: a kind of page, and which one.

`queue`: a queue's name. `running`: what runs of a queue; all for an empty name. `process`: an identity.
`job`: a jid. `class`: the name of a job. `set`: `schedule`, `retry` or `dead`. `processes`: all, with an empty name.
"""
MOST_LINKS = 3
"""Of one kind, at one point."""
LEVELS: tuple[Level, ...] = ("ok", "warn", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing that was looked at."""

    code: str
    """What it is about, for programs: it stays when the text changes."""
    state: State
    level: Level = "ok"
    text: str
    """In the language in force. Begins small and has no full stop, so that it may stand in a longer sentence."""
    remedy: str = ""
    """What to do, in words; empty when there is nothing to do."""
    command: str = ""
    """What to do, to be copied into a shell."""
    links: tuple[Link, ...] = ()


def good(code: str, text: str, *links: Link) -> Point:
    """Something that is as it should be."""
    return Point(code=code, state="good", text=text, links=links)


def bad(level: Level, code: str, text: str, *links: Link, remedy: str = "", command: str = "") -> Point:
    """Something that is not."""
    return Point(code=code, state="bad", level=level, text=text, links=links, remedy=remedy, command=command)


def unknown(code: str, text: str, *links: Link, remedy: str = "") -> Point:
    """Something that deserves a look, because nobody tells."""
    return Point(code=code, state="unknown", level="warn", text=text, links=links, remedy=remedy)


def gravest(points: Iterable[Point]) -> Level:
    """The worst level of what is bad; `ok` when nothing is."""
    return max((point.level for point in points if point.state == "bad"), key=LEVELS.index, default="ok")


def by_gravity(points: Iterable[Point]) -> list[Point]:
    """What is bad, the worst first; among equals the order stays."""
    found = [point for point in points if point.state == "bad"]
    return sorted(found, key=lambda point: -LEVELS.index(point.level))


def manage(*words: str) -> str:
    """A command of `manage.py`, safe to be copied into a shell whatever the names in it."""
    return shlex.join(("manage.py", *words))


def process_links(identities: Iterable[str]) -> list[Link]:
    """To the first few of them."""
    return [("process", identity) for identity in list(dict.fromkeys(identities))[:MOST_LINKS]]
