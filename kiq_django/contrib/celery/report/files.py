"""All Python files below a folder, and what is to be said about them."""

import ast
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiq_django.contrib.celery.report.notes import Note
from kiq_django.contrib.celery.report.reader import Reader, declared

SKIPPED: Final = frozenset({"node_modules", "site-packages", "__pycache__"})
"""Folders that are not the project's own; so are hidden ones, and environments."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found."""

    files: int
    """That were read."""
    tasks: int
    """That are declared in them."""
    notes: tuple[Note, ...]
    """By file and line."""

    def count(self, severity: str) -> int:
        """Notes of this severity."""
        return sum(note.severity == severity for note in self.notes)


def read(path: Path) -> Report:
    """Read a file, or everything below a folder.

    Raises:
        ValueError: there is nothing of this name.
    """
    if not path.exists():
        raise ValueError(f"There is no file or folder {path}")
    notes: list[Note] = []
    trees: dict[str, ast.Module] = {}
    for file in _files(path):
        try:
            trees[str(file)] = _parsed(file)
        except (SyntaxError, UnicodeDecodeError, ValueError) as error:
            notes.append(_unreadable(file, error))
    tasks = [name for tree in trees.values() for name in declared(tree)]
    for name, tree in trees.items():
        notes += Reader(name, tree, frozenset(tasks)).notes()
    return Report(len(trees), len(tasks), tuple(sorted(set(notes))))


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(each for each in folders if not _is_skipped(Path(folder, each)))
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(".py"))


def _is_skipped(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in SKIPPED or (folder / "pyvenv.cfg").exists()


def _parsed(file: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old texts in the code that is read, not ours
        return ast.parse(file.read_bytes(), str(file))


def _unreadable(file: Path, error: Exception) -> Note:
    line = error.lineno if isinstance(error, SyntaxError) and error.lineno else 1
    return Note(str(file), line, "warning", f"cannot be read: {error}", "look at it yourself")
