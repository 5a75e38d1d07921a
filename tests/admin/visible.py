"""What people read on a page, and which of it went through gettext.

With `Marked` in force each translation stands between ⟦ and ⟧. What is left outside of them is data, or a string
that somebody forgot to mark.
"""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

from django.utils import translation
from django.utils.safestring import SafeData, mark_safe

OPEN, CLOSE = "⟦", "⟧"
FUNCTIONS = ("gettext", "pgettext", "ngettext", "npgettext")
SPOKEN = ("alt", "aria-label", "data-label", "placeholder", "title")
"""Attributes that are read like text."""
LITERAL = {"code", "kbd", "pre", "script", "style", "template", "textarea"}
"""Elements that hold code, data, or what nobody reads."""
LITERAL_CLASSES = {"kiq-json"}
INLINE = {"a", "abbr", "b", "code", "em", "i", "kbd", "small", "span", "strong", "svg", "time", "use", "wbr"}
"""Elements that a sentence may go on through; the others begin a new one."""
EMPTY = {"br", "hr", "img", "input", "link", "meta", "use", "wbr"}


def mark(monkeypatch: Any) -> None:
    """Put each translation between brackets, in Python and in templates."""

    def marked(function: Callable[..., str]) -> Callable[..., str]:
        def translate(*args: Any) -> str:
            found = function(*args)
            if not found:
                return found
            text = f"{OPEN}{found}{CLOSE}"
            return mark_safe(text) if isinstance(args[0], SafeData) else text

        return translate

    for name in FUNCTIONS:
        monkeypatch.setattr(translation._trans, name, marked(getattr(translation._trans, name)))


class Reader(HTMLParser):
    """Collects sentences: texts of blocks, and attributes that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.sentences: list[str] = []
        self._sentence: list[str] = []
        self._silent: list[str] = []
        """The element that holds no sentences, and those of its name inside of it."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._end_sentence(tag)
        fields = dict(attrs)
        is_literal = tag in LITERAL or LITERAL_CLASSES.intersection((fields.get("class") or "").split())
        if tag == self._silent[0] if self._silent else is_literal:
            self._silent.append(tag)
        if is_foreign(fields):
            return
        names = [*SPOKEN]
        if "data-kiq-words" in fields:
            names += [name for name in fields if name.startswith("data-") and name != "data-kiq-words"]
        if tag == "input" and fields.get("type") in ("submit", "button", "reset"):
            names.append("value")
        self.sentences += [str(fields[name]) for name in names if fields.get(name)]

    def handle_endtag(self, tag: str) -> None:
        self._end_sentence(tag)
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._sentence.append(data)

    def close(self) -> None:
        super().close()
        self._end_sentence("")

    def _end_sentence(self, tag: str) -> None:
        if tag not in INLINE:
            self.sentences.append("".join(self._sentence))
            self._sentence = []


def is_foreign(attributes: dict[str, str | None]) -> bool:
    """Django 5.2 does not translate the picture of its search form."""
    return str(attributes.get("src")).endswith("admin/img/search.svg")


def sentences(html: str) -> list[str]:
    """Everything on a page that people read."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    return [text for text in reader.sentences if text.strip()]


def unmarked(sentence: str) -> str:
    """What of a sentence stands outside of brackets; brackets may stand in brackets."""
    depth, left = 0, []
    for each in sentence:
        depth += (each == OPEN) - (each == CLOSE)
        if depth <= 0 and each != CLOSE:
            left.append(each)
        depth = max(depth, 0)
    return "".join(left)


def forgotten(html: str, allowed: re.Pattern[str]) -> Iterator[str]:
    """Sentences with words that nobody translated and that are no data."""
    for sentence in sentences(html):
        words = [word for word in unmarked(sentence).split() if re.search(r"[^\W\d_]", word)]
        if [word for word in words if not allowed.fullmatch(word)]:
            yield " ".join(sentence.split())
