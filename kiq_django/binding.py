"""Whether a job can be called with these arguments, asked before it is enqueued; the answer says what is wrong."""

import inspect
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any


def bind(signature: inspect.Signature, label: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check that a job can be called so, before it is enqueued and not in the worker.

    Args:
        signature: of the job's function, or of `perform` without `self`.
        label: the job's name for the text of the error.
        args: positional arguments.
        kwargs: arguments by name.

    Raises:
        TypeError: arguments are missing, too many, unknown or given twice; the text says which.
    """
    if trouble := binding_trouble(signature, args, kwargs):
        raise TypeError(f"{label}() {trouble}; the job was not enqueued")


def binding_trouble(signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Say why a job cannot be called so: `is missing argument 'order_id'`; empty when it can."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return _call_trouble(list(signature.parameters.values()), args, kwargs) or str(error)
    return ""


def _call_trouble(parameters: list[inspect.Parameter], args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    kinds = {p.kind for p in parameters}
    if len(args) > len(positional) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        return _too_many(positional, len(args))
    filled = [p.name for p in positional[: len(args)]]
    if twice := [p.name for p in named if p.name in filled and p.name in kwargs]:
        return f"got {_listed(twice)} twice, by position and by name"
    unknown = [name for name in kwargs if name not in {p.name for p in named}]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        return _unknown(unknown, positional, [p.name for p in named])
    known = {*filled, *(p.name for p in named if p.name in kwargs)}
    missing = [p.name for p in (*positional, *named) if p.default is p.empty and p.name not in known]
    return f"is missing {_listed(list(dict.fromkeys(missing)))}" if missing else ""


def _too_many(positional: list[inspect.Parameter], given: int) -> str:
    count = len(positional)
    most = "at most " if any(p.default is not p.empty for p in positional) else ""
    noun = "argument" if count == 1 else "arguments"
    names = f" ({', '.join(p.name for p in positional)})" if positional else " by position"
    return f"takes {most}{count or 'no'} {noun}{names} but {given} {'was' if given == 1 else 'were'} given"


def _unknown(names: list[str], positional: list[inspect.Parameter], known: list[str]) -> str:
    by_position = [p.name for p in positional if p.kind is p.POSITIONAL_ONLY and p.name in names]
    if by_position:
        return f"takes {_listed(by_position)} by position only"
    near = get_close_matches(names[0], known, n=1)
    return f"has no {_listed(names)}" + (f" (did you mean {near[0]!r}?)" if near else "")


def _listed(names: list[str]) -> str:
    quoted = ", ".join(map(repr, names))
    return f"argument {quoted}" if len(names) == 1 else f"{len(names)} arguments ({quoted})"
