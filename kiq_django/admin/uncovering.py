"""Arguments that came back from a form which hid some of them: what was hidden is put in again.

A person edits what `redaction` shows. What is still as it was shown stands for the original value of that place;
whatever else has a mask in it, or is a part of what was cut, stands for nothing and must not become a job.
"""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _

from kiq_django.redaction import CUT, MASK

Path = str


def uncover(edited: Any, old: Any, shown: Any, path: Path = "") -> Any:
    """The edited value, with the original of everything in it that is still as it was shown.

    Args:
        edited: what came back.
        old: what the old job has in this place.
        shown: how that was shown.
        path: what the place is called in errors.

    Raises:
        LookupError: a hidden value stands where the old job had none, or within a value that was changed; or a value
            was changed that had not been shown as a whole.
    """
    if _is_same(edited, shown):
        return old
    if _is_cut(old, shown):
        raise _refusal(path, _("This is too long to be edited here: leave it as it was shown."))
    if isinstance(edited, dict):
        return _uncover_dict(edited, old, shown, path)
    if isinstance(edited, list):
        return _uncover_list(edited, old, shown, path)
    _refuse_hidden(edited, path)
    return edited


def _uncover_dict(edited: dict[str, Any], old: Any, shown: Any, path: Path) -> dict[str, Any]:
    there = shown if isinstance(shown, dict) else {}
    found = {}
    for key, value in edited.items():
        place = f"{path}[{_short(key)}]"
        _refuse_hidden(key, place)
        found[key] = uncover(value, old[key], there[key], place) if key in there else _new(value, place)
    return found


def _uncover_list(edited: list[Any], old: Any, shown: Any, path: Path) -> list[Any]:
    there = shown if isinstance(shown, list) else []
    if len(edited) < len(there) and not _is_same(there, old) and _has_hidden(edited):
        # Which of them was taken out, and so to which the others belong, cannot be told.
        raise _refusal(path, _("A list with hidden values can only stay as long as it was."))
    places = [f"{path}[{index}]" for index in range(len(edited))]
    return [
        uncover(value, old[i], there[i], place) if i < len(there) else _new(value, place)
        for i, (value, place) in enumerate(zip(edited, places, strict=True))
    ]


def _new(value: Any, path: Path) -> Any:
    """What stands where the old job had nothing."""
    if isinstance(value, dict):
        return _uncover_dict(value, None, None, path)
    if isinstance(value, list):
        return _uncover_list(value, None, None, path)
    _refuse_hidden(value, path)
    return value


def _refuse_hidden(value: Any, path: Path) -> None:
    if isinstance(value, str) and (MASK in value or value == CUT):
        raise _refusal(path, _("A hidden value can only stay where it was."))


def _refusal(path: Path, reason: str) -> LookupError:
    return LookupError(f"{path}: {reason}")


def _has_hidden(value: Any) -> bool:
    text = json.dumps(value, ensure_ascii=False)
    return MASK in text or f'"{CUT}"' in text


def _is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1, 1.0 and true are three values."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _is_cut(old: Any, shown: Any) -> bool:
    """Whether `redaction` has left out a part of this very value."""
    if isinstance(shown, str) and shown.endswith(CUT):
        return bool(shown != old)
    return isinstance(shown, list | dict) and len(shown) != len(old)


def _short(key: str) -> str:
    return repr(key[:40])
