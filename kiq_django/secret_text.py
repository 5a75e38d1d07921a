"""Secrets in texts that nobody wrote for us: messages of errors, tracebacks, values of jobs.

Two kinds are found: user and password of a URL, and a value behind a secret name, as in `token=...`, `"pin": ...` or
`Authorization: ...`. How a secret ends is a guess where it is not quoted, and then more is hidden rather than less.

A hostile text must not keep us busy: each pattern takes every character once (possessive quantifiers), each loop goes
on from where a secret ends, and what is longer than `MOST_CHARACTERS` is cut.
"""

import re
from collections.abc import Iterator
from typing import Final

from kiq_django.secret_names import Judge, judge

MASK: Final = "••••"
"""Stands in place of a secret, whatever it was."""
CUT: Final = "…"
"""Stands in place of what is too much to be looked at."""
MOST_CHARACTERS: Final = 50_000
"""Characters of one text that are looked at."""

Span = tuple[int, int]

_SPACE = re.compile(r"\s")
_SCHEME = re.compile(r":\\?/\\?/")
"""JSON may write a slash with a backslash before it."""
_AUTHORITY = re.compile(r"[^/?#\\]*+")
_BEARER = re.compile(r"\b((?i:bearer)\s++)[\w.~+/=-]{16,}+")

_NAME = r"[\w.%$-]"
_NAMED = re.compile(rf"""(?<!{_NAME})({_NAME}++)(["'\\\]]*+)[ \t]*+(=>|:=|==|[:=])[ \t]*+""")
_SPACED_NAME = 64
"""Characters of a name that has spaces in it, which only a quoted one may."""
_LINE = re.compile(r"""[^\r\n"']*+""")
_ON_NEXT_LINE = re.compile(r"""\s++(?=["'])""")
_ESCAPED_QUOTE = re.compile(r"""\\++["']""")
_SPECIAL = re.compile(r"""[\s"'()\[\]{}<>,;&]""")
_QUOTED = {quote: re.compile(rf"(?s)(?:[^{quote}\\]++|\\.)*+({quote}?)") for quote in "\"'"}
_END = re.compile(
    rf"""[\s&]|[,;)\]}}>](?=[\s,;)\]}}>"'.]|\Z|{_NAME}{{1,64}}+["'\\\]]{{0,3}}\s?[:=])""",
)
_SCHEMES = frozenset({"basic", "bearer", "digest", "negotiate", "token"})
"""Of an `Authorization`: the secret is the next word."""


def redact_text(text: str, more: tuple[str, ...] = ()) -> str:
    """The text for people, with each secret that was found as `MASK`. Never raises.

    Args:
        text: anything.
        more: names that count as secret beside the usual ones.
    """
    if len(text) > MOST_CHARACTERS:
        text = shortened(text, MOST_CHARACTERS)
    if "@" in text and "/" in text:
        text = _masked(text, _users(text))
    if ":" in text or "=" in text:
        text = _masked(text, _named(text, judge(more)))
    return _BEARER.sub(rf"\1{MASK}", text) if "earer" in text else text


def shortened(text: str, limit: int) -> str:
    """The beginning of a text and `CUT`; not within a URL, whose password could not be told from its host."""
    kept = text[:limit]
    url = _SCHEME.search(kept, 1 + max(map(kept.rfind, " \t\r\n")))
    return (kept[: url.start()] if url else kept) + CUT


def _masked(text: str, secrets: Iterator[Span]) -> str:
    parts: list[str] = []
    done = 0
    for start, end in secrets:
        parts += (text[done:start], MASK)
        done = end
    return "".join((*parts, text[done:]))


# --- users and passwords of URLs ---


def _users(text: str) -> Iterator[Span]:
    """What stands between `://` and the last `@` before white space: a raw `@`, `/`, `?` or `#` in a password breaks
    the URL, but must not show the rest of it. An `@` without a `:` is a user only if it is part of the host."""
    scheme = _SCHEME.search(text)
    while scheme:
        start = scheme.end()
        white = _SPACE.search(text, start)
        end = white.start() if white else len(text)
        host, last = _AUTHORITY.match(text, start, end), text.rfind("@", start, end)
        if last >= 0 and (text.find(":", start, last) >= 0 or (host and last < host.end())):
            yield start, last
        scheme = _SCHEME.search(text, end)


# --- values behind names ---


def _named(text: str, is_secret: Judge) -> Iterator[Span]:
    found = _NAMED.search(text)
    while found:
        at = found.end()
        name = _whole_name(text, found)
        if is_secret(name):
            start, at = _value(text, at, goes_on=found[3] == ":" and _goes_on(name))
            if at > start:
                yield start, at
        found = _NAMED.search(text, at)


def _whole_name(text: str, found: re.Match[str]) -> str:
    """A name in quotes may have spaces."""
    quote = found[2][-1:]
    if quote not in ("'", '"'):
        return found[1]
    opening = text.rfind(quote, max(0, found.start() - _SPACED_NAME), found.start())
    return text[opening + 1 : found.end(1)] if opening >= 0 else found[1]


def _goes_on(name: str) -> bool:
    """Headers whose value is the rest of the line."""
    return name.lower().endswith(("authorization", "cookie"))


def _value(text: str, at: int, *, goes_on: bool) -> Span:
    if behind := _ON_NEXT_LINE.match(text, at):
        at = behind.end()
    if opening := _ESCAPED_QUOTE.match(text, at):
        closing = re.compile(rf"(?<!\\){re.escape(opening[0])}").search(text, opening.end())
        return opening.end(), closing.start() if closing else len(text)
    if goes_on and text[at : at + 1] not in ("'", '"', "[", "{", "("):
        line = _LINE.match(text, at)
        return at, line.end() if line else at
    end = _end_of(text, at)
    if text[at:end].lower() in _SCHEMES and text[end : end + 1] == " ":
        end = _end_of(text, end + 1)
    is_quoted = end - at > 1 and text[at] in "\"'" and text[end - 1] == text[at]
    return (at + 1, end - 1) if is_quoted else (at, end)


def _end_of(text: str, at: int) -> int:
    """Where a value ends: quotes and brackets in it are closed, and what follows belongs to the sentence again."""
    start, depth = at, 0
    while special := _SPECIAL.search(text, at):
        character, at = special[0], special.end()
        if character in "\"'":
            at = _behind_quote(text, at, character, is_first=special.start() == start)
        elif character in "([{<":
            depth += 1
        elif depth == 0 and _END.match(text, special.start()):
            return special.start()
        elif character in ")]}>":
            depth = max(0, depth - 1)
    return len(text)


def _behind_quote(text: str, at: int, quote: str, *, is_first: bool) -> int:
    """Behind the closing quote. Without one it is the end, or, for what may be an apostrophe, the end of the line."""
    quoted = _QUOTED[quote].match(text, at)
    if quoted and quoted[1]:
        return quoted.end()
    line = text.find("\n", at) if quote == "'" and not is_first else -1
    return line if line >= 0 else len(text)
