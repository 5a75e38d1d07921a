"""The moments of a run at which something has happened that a crash does not undo."""

import os
import sys
import sysconfig
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final, Literal, get_args

Kind = Literal["commit", "http", "cache", "mail", "enqueue", "effect"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Killed(BaseException):
    """Plays the end of the process. Who catches it comes no farther than to the next effect."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process may be killed: right after something that stays."""

    kind: Kind
    what: str
    place: str
    """`shop/jobs.py:12`."""

    def __str__(self) -> str:
        return f"{self.what}, at {self.place}"


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that was done to the outside, and that no rollback takes back."""

    kind: Kind
    brief: str
    """What it is, the same in every run."""
    detail: str
    """All that is known of it, which chance or an id may change from run to run."""
    place: str
    key: str = ""
    """Of an HTTP request, its `Idempotency-Key`: the same twice counts once."""


class Watch:
    """Follows the runs of one scenario: notes the effects, counts the points, kills at one of them."""

    def __init__(self, kinds: Collection[Kind] = KINDS) -> None:
        self.points: list[Point] = []
        """Those of the run that goes on, in order."""
        self.effects: list[Effect] = []
        """Those of all runs."""
        self.is_dead = False
        self._kinds = kinds
        self._kill_at = 0
        self._depth = 0

    def begin(self, kill_at: int = 0) -> None:
        """A run begins, in a new process so to speak.

        Args:
            kill_at: the point to be killed at, counted from 1; 0 is none.
        """
        self.points, self.is_dead, self._kill_at, self._depth = [], False, kill_at, 0

    def breathe(self) -> None:
        """Raises Killed in a process that is gone: the dead write nothing."""
        if self.is_dead:
            raise Killed

    def note(self, kind: Kind, brief: str, detail: str = "", key: str = "") -> None:
        """Remember an effect, and reach the point after it."""
        self.breathe()
        self.effects.append(Effect(kind, brief, detail or brief, place(), key))
        self.reach(kind, brief)

    def reach(self, kind: Kind, what: str) -> None:
        """Something has happened that stays. Raises Killed if this is where the process ends."""
        self.breathe()
        if kind not in self._kinds or self._depth:
            return
        self.points.append(Point(kind, what, place()))
        if len(self.points) == self._kill_at:
            self.is_dead = True
            raise Killed

    @contextmanager
    def as_one(self) -> Iterator[bool]:
        """What happens inside belongs to one effect. Gives whether it is the outermost one."""
        self._depth += 1
        try:
            yield self._depth == 1
        finally:
            self._depth = max(0, self._depth - 1)


_watches: list[Watch] = []


@contextmanager
def current(watch: Watch) -> Iterator[None]:
    """`effect` tells this one."""
    _watches.append(watch)
    try:
        yield
    finally:
        _watches.remove(watch)


def effect(what: str, *, key: str = "") -> None:
    """For the fake of an outside service: say what it has just done, such as `charged 9.90`.

    Inside of `assert_idempotent` and `assert_survives_crash` it is compared, and a point at which the job may be
    killed. Elsewhere it is nothing.

    Args:
        what: the same for the same thing.
        key: by which the service would know a repetition; the same twice counts once.
    """
    for watch in _watches:
        watch.note("effect", what, key=key)


def place() -> str:
    """The innermost line of the project's own code that runs: `shop/jobs.py:12`."""
    frame: FrameType | None = sys._getframe(1)
    first = ""
    while frame is not None:
        path = frame.f_code.co_filename
        if not path.startswith(_foreign()):
            return f"{_shown(path)}:{frame.f_lineno}"
        first = first or f"{_shown(path)}:{frame.f_lineno}"
        frame = frame.f_back
    return first


@cache
def _foreign() -> tuple[str, ...]:
    """Folders of what is not the project's own: the library, installed packages, this package."""
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return (*(folder + os.sep for folder in folders), str(Path(__file__).parents[2]) + os.sep, "<frozen", "<string")


def _shown(path: str) -> str:
    own = os.getcwd() + os.sep  # noqa: PTH109 - as text, which is what it is compared with
    return path.removeprefix(own)
