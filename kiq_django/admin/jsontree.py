"""A JSON value as a tree that a template can draw: nodes with their text, numbers to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import ngettext

from kiq_django import codec

MOST_NODES: Final = 500
LONGEST_TEXT: Final = 2_000
LONGEST_KEY: Final = 100
OPEN_UP_TO: Final = 8
"""A list or dict of so many entries is shown open at once."""


@dataclass(slots=True)
class Node:
    """One value."""

    kind: str
    """`s` string, `n` number, `b` true, false or null, `list`, `dict`, `cut` for what is left out."""
    text: str
    key: str | None = None
    """Under which it stands in a dict."""
    children: list[Node] = field(default_factory=list)
    is_open: bool = False

    @property
    def is_branch(self) -> bool:
        return self.kind in ("list", "dict")


def tree(value: Any, key: str | None = None) -> Node:
    """The tree of a value, with at most 500 nodes."""
    return _node(value, key, iter(range(MOST_NODES)))


def _node(value: Any, key: str | None, room: Iterator[int]) -> Node:
    shown = None if key is None else _cut(key, LONGEST_KEY)
    if isinstance(value, dict):
        node = Node("dict", _entries(len(value)), shown, is_open=len(value) <= OPEN_UP_TO)
        return _filled(node, value.items(), room)
    if isinstance(value, list):
        node = Node("list", _entries(len(value)), shown, is_open=len(value) <= OPEN_UP_TO)
        return _filled(node, ((None, each) for each in value), room)
    kind = "b" if value is None or isinstance(value, bool) else "s" if isinstance(value, str) else "n"
    return Node(kind, _cut(codec.dumps(value), LONGEST_TEXT), shown)


def _filled(node: Node, entries: Any, room: Iterator[int]) -> Node:
    for key, value in entries:
        if next(room, None) is None:
            node.children.append(Node("cut", "…"))
            break
        node.children.append(_node(value, key, room))
    return node


def _entries(number: int) -> str:
    return ngettext("%(count)d value", "%(count)d values", number) % {"count": number}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
