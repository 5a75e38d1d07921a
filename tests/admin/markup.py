"""Pages as trees of elements, by the parser of the standard library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
ADDRESSES = ("href", "src", "action", "formaction", "data", "poster", "srcset", "xlink:href", "data-kiq-live")
"""Attributes that lead somewhere."""


@dataclass(eq=False)
class Element:
    """One element."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None = None
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[str, ...]:
        """Its name, and those of its attributes."""
        return (self.tag, *sorted(self.attributes))

    @property
    def inside(self) -> Iterator[Element]:
        """All elements within, in the order of the page."""
        waiting = self.children[::-1]
        while waiting:
            found = waiting.pop()
            yield found
            waiting += found.children[::-1]

    @property
    def above(self) -> Iterator[Element]:
        """What it is in, the nearest first."""
        found = self.parent
        while found is not None:
            yield found
            found = found.parent

    @property
    def text(self) -> str:
        """All text within."""
        return " ".join([*self.texts, *(child.text for child in self.children)])

    def all(self, *tags: str) -> list[Element]:
        """Elements of these kinds within."""
        return [each for each in self.inside if each.tag in tags]

    def get(self, attribute: str) -> str:
        """An attribute; empty when it has none."""
        return self.attributes.get(attribute, "")

    def __repr__(self) -> str:
        told = " ".join(f'{name}="{value[:60]}"' for name, value in self.attributes.items())
        return f"<{self.tag} {told}>"


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("", {})
        self.trouble: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.trouble.append(f"<{tag}> has an attribute twice: {names}")
        made = Element(tag, {name: value or "" for name, value in attrs}, self.here)
        self.here.children.append(made)
        if tag not in VOID:
            self.here = made

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == self.here.tag and self.here.parent is not None:
            self.here = self.here.parent
            return
        self.trouble.append(f"</{tag}> within {self.here!r}")
        found = next((each for each in (self.here, *self.here.above) if each.tag == tag), None)
        if found is not None and found.parent is not None:
            self.here = found.parent

    def handle_data(self, data: str) -> None:
        self.here.texts.append(data)


def parse(html: str) -> Element:
    """A page, or a part of one.

    Raises:
        AssertionError: elements are not closed in order, or an attribute is there twice.
    """
    builder = _Builder()
    builder.feed(html)
    builder.close()
    if builder.here is not builder.root:
        builder.trouble.append(f"{builder.here!r} is not closed")
    assert builder.trouble == []
    return builder.root


def foreign(page: Element) -> list[str]:
    """Addresses on a page that do not lead to this site, by a path, a query or a fragment."""
    found = [each.attributes[name] for each in page.inside for name in ADDRESSES if name in each.attributes]
    return [url for url in found if not _is_local(url)]


def _is_local(url: str) -> bool:
    """Browsers take a backslash for a slash, and pass over control characters and space."""
    plain = "".join(each for each in url if each > " ").replace("\\", "/")
    return plain == "" or plain[0] in "?#" or (plain[0] == "/" and plain[:2] != "//") or plain in (".", "..", "../")
