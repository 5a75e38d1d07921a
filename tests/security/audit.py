"""What the store says to Redis, read from its code: names of commands, and the keys that scripts touch."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import kiq_django

STORE = Path(kiq_django.__file__).parent / "store"
ALIASES = {"DELETE": "DEL", "CONFIG_GET": "CONFIG"}
"""Methods of redis-py whose name is not the command's."""
NOT_OURS = {"guardian", "embedded.py"}
"""They start a server of their own, and are its owner."""


def sources() -> list[Path]:
    """Python files of the store that speak to a server that may not be ours alone."""
    return [path for path in sorted(STORE.rglob("*.py")) if not NOT_OURS.intersection(path.relative_to(STORE).parts)]


def commands_of(path: Path, known: frozenset[str]) -> set[str]:
    """Every command that a file names, in upper case.

    A text in capitals that is a command of the server counts wherever it stands, so that no way of sending one
    is missed; so does a method of a pipeline, or of a client, that is named like one.
    """
    return {name for name in _spoken(ast.parse(path.read_text())) if name in known}


def _spoken(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isupper():
            yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if owner.endswith(("pipe", "client")):
                name = node.func.attr.upper()
                yield ALIASES.get(name, name)


def scripts() -> list[Path]:
    """All Lua scripts."""
    return sorted(STORE.rglob("*.lua"))


CALL = re.compile(r"redis\s*\.\s*(\w+)\s*\(")
ASSIGNMENT = re.compile(r"(?:local\s+)?([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)\s*=(?!=)\s*([^\n]+)")


def calls_of(script: Path) -> list[tuple[str, list[str]]]:
    """Name of the function of `redis`, and its arguments as they are written, of every call in a script."""
    text = re.sub(r"--[^\n]*", "", script.read_text())
    return [(found[1], _arguments(text[found.end() :])) for found in CALL.finditer(text)]


def _arguments(text: str) -> list[str]:
    """What stands between the commas, up to the bracket that closes the call."""
    depth, quoted, found = 0, False, [""]
    for character in text:
        quoted ^= character == "'"
        if not quoted and character in "([{":
            depth += 1
        elif not quoted and character in ")]}":
            if depth == 0:
                break
            depth -= 1
        if character == "," and depth == 0 and not quoted:
            found.append("")
        else:
            found[-1] += character
    return [each.strip() for each in found]


def keys_by_name(script: Path) -> set[str]:
    """Names in a script that never stand for anything but a key that was declared."""
    text = re.sub(r"--[^\n]*", "", script.read_text())
    values: dict[str, list[str]] = {}
    for names, given in ASSIGNMENT.findall(text):
        for name, value in zip(re.split(r"\s*,\s*", names), _arguments(given), strict=False):
            values.setdefault(name, []).append(value)
    return {name for name, given in values.items() if all(is_declared(value) for value in given)}


def is_declared(argument: str) -> bool:
    """Whether it is one of the keys that were declared, and nothing is added to it."""
    return re.fullmatch(r"KEYS\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]", argument) is not None
