"""The arguments of jobs for people's eyes: values that go by a secret name are hidden.

The names are those of `secret_names`, of `KIQ["DASHBOARD"]["redact"]` and, for one job, of `@job(redact=[...])`.
Nothing here raises, and the work is bounded whatever is given: what goes on beyond the bounds ends in `CUT`.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any, Final

from kiq_django import activejob
from kiq_django.payload import Payload
from kiq_django.secret_names import is_secret, judge
from kiq_django.secret_text import CUT, MASK, MOST_CHARACTERS, redact_text, shortened

if TYPE_CHECKING:
    from kiq_django.registry import Definition

__all__ = ["CUT", "MASK", "is_secret", "redact", "redact_call", "redact_text"]

DEEPEST: Final = 32
"""Levels of lists and dicts that are looked into."""
MOST_VALUES: Final = 10_000
"""Values of one job that are looked at."""


def redact(value: Any) -> Any:
    """A copy of a JSON value, for people: whatever goes by a secret name is `MASK`.

    A name may be the key of the value, or stand beside it, as in `{"name": "token", "value": ...}` or in a list of
    pairs. All other texts are as `redact_text` leaves them.
    """
    return _Walk(()).value(value, DEEPEST)


def redact_call(payload: Payload, definition: "Definition | None") -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a job, for people.

    Args:
        payload: the job.
        definition: what `routing.find` says of it. Without it nobody knows the names of positional arguments,
            and these are hidden only as far as the keys inside of them tell.

    Returns:
        Arguments by position and by name, as stored: rich values are not decoded.
    """
    walk = _Walk(definition.options.redact if definition else ())
    names = _parameters(definition)
    if activejob.job_class(payload.name, payload.args):
        args = [walk.wrapped(payload.args[0], names)]
    else:
        args = walk.call(payload.args, names)
    return args, walk.entries(payload.kwargs, DEEPEST)


def _parameters(definition: "Definition | None") -> Iterator[str]:
    """The names of the parameters that positional arguments fill, one after the other, without end."""
    parameters = list(definition.signature.parameters.values()) if definition else []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "")
    return chain(names, repeat(rest))


class _Walk:
    """One walk over the arguments of one job, within bounds."""

    __slots__ = ("_characters", "_is_secret", "_more", "_values")

    def __init__(self, more: tuple[str, ...]) -> None:
        self._more = more
        self._is_secret = judge(more)
        self._values = MOST_VALUES
        self._characters = MOST_CHARACTERS

    def call(self, args: Sequence[Any], names: Iterator[str]) -> list[Any]:
        """Positional arguments, and how they are called."""
        found = self._bounded(args)
        named = zip(found, names, strict=False)
        seen = [MASK if self._hides(name) else self.value(value, DEEPEST) for value, name in named]
        return seen if len(found) == len(args) else [*seen, CUT]

    def wrapped(self, job: Mapping[str, Any], names: Iterator[str]) -> dict[str, Any]:
        """ActiveJob's description of a call, which has the arguments in a list inside."""
        given = job.get("arguments")
        around = self.entries({name: value for name, value in job.items() if name != "arguments"}, DEEPEST)
        return {
            **around,
            "arguments": self.call(given, names) if isinstance(given, list) else self.value(given, DEEPEST),
        }

    def value(self, value: Any, room: int) -> Any:
        """A value that may hold so many levels."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return self.entries(value, room - 1) if room else CUT
        if isinstance(value, list | tuple):
            return self._items(value, room - 1) if room else CUT
        return value

    def entries(self, given: Mapping[Any, Any], room: int) -> dict[Any, Any]:
        """A dict; the name of its `value` may be in it too."""
        hidden = {"value"} if self._hides(given.get("name", given.get("key"))) else set()
        found = self._bounded(given)
        seen = {key: MASK if key in hidden or self._hides(key) else self.value(given[key], room) for key in found}
        return seen if len(found) == len(given) else {**seen, CUT: CUT}

    def _items(self, given: Sequence[Any], room: int) -> list[Any]:
        found = self._bounded(given)
        seen = [[self._text(item[0]), MASK] if self._is_named(item) else self.value(item, room) for item in found]
        return seen if len(found) == len(given) else [*seen, CUT]

    def _is_named(self, item: Any) -> bool:
        return isinstance(item, list | tuple) and len(item) == 2 and self._hides(item[0])

    def _bounded(self, given: Sequence[Any] | Mapping[Any, Any]) -> list[Any]:
        """As many of the items, or keys, as may still be looked at."""
        found = list(islice(given, self._values))
        self._values -= len(found)
        return found

    def _hides(self, name: Any) -> bool:
        return isinstance(name, str) and self._is_secret(name)

    def _text(self, text: str) -> str:
        if len(text) > self._characters:
            text = shortened(text, self._characters)
        self._characters = max(0, self._characters - len(text))
        return redact_text(text, self._more)
