"""What is known of a job by its id, for jobs that have failed: where it is now, and how its runs went.

Hash `kiq:job:<jid>`, written in the same script as the move that it tells of (`settle.lua`), and gone some time after
the last of them. Jobs that never failed have none, unless they are tasks of `django.tasks`.

| field | holds |
| --- | --- |
| `place`, `score` | where the last move took it, and the score there, or when that was |
| `at` | when that was written, by the server's clock |
| `name`, `queue` | its name for people, and the queue that it goes to or ran from |
| `failures` | number of the last failed run |
| `run:<number>` | JSON: a failed run. The first and the last 25 are kept |
| `trace:<digest>` | compressed JSON: lines of a traceback (with a kept result: `lines` and `text`); some 26 are kept |
| `end` | JSON: the run that succeeded |
| `task`, `running`, `result` | of a task of `django.tasks`, which always has a record: see `store/tasks.py` |
| `kept`, `progress` | of a job that keeps its result or tells how far it is: see `store/results.py` |

A move by hand, by the poller or by the reaper does not write here: `place` and `score` are where to look first.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, get_args

from kiq_django.store.keys import Keys, SetName
from kiq_django.store.link import Link

Place = Literal["retry", "dead", "schedule", "done", "discarded", "dropped"]

MESSAGE_CHARACTERS: Final = 1_000
NAME_CHARACTERS: Final = 200
JID_CHARACTERS: Final = 128
"""Nobody who follows the format has longer ids; they get no record."""
TRACE_LINES: Final = 50
TEXT_CHARACTERS: Final = 30_000
LINE_CHARACTERS: Final = 200
MOST_UNPACKED: Final = 262_144
"""Bytes of a trace after which unpacking stops."""
MOST_AT_A_SCORE: Final = 100
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
RUN: Final = re.compile(r"run:[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job."""

    started_at: float
    """Epoch seconds by the worker's clock."""
    seconds: float
    worker: str
    """Identity of the process: `host:pid:nonce`."""

    @property
    def ended_at(self) -> float:
        """Epoch seconds."""
        return self.started_at + self.seconds


@dataclass(frozen=True, slots=True)
class Attempt(Run):
    """A run that failed."""

    error_class: str
    message: str
    """At most 1,000 characters."""
    frame: str
    """The innermost frame of the project: `billing/gateway.py:88 in charge`."""
    backtrace: tuple[str, ...]
    """Lines "file:line:in `name`", innermost first, at most 50; empty when they are not kept any more."""
    number: int = 0
    """From 1 on, with the failures before that only the payload told of."""
    text: str = ""
    """The traceback as Python prints it, of a job whose result is kept; the last 30,000 characters."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is stored of one job."""

    jid: str
    name: str
    queue: str
    place: Place
    score: float
    written_at: float
    """Epoch seconds by the server's clock."""
    failures: int
    """Number of the last failed run."""
    attempts: tuple[Attempt, ...]
    """The failed runs that are kept, in their order."""
    end: Run | None
    """The run that succeeded."""


class Note(NamedTuple):
    """What a settle writes into the record of a job, beside where the job goes."""

    jid: str
    fields: tuple[str | bytes, ...]
    """Names and values in turn."""
    before: int = 0
    """Failed runs before this one, as the payload tells."""
    run: bytes = b""
    """The failed run; empty when none is to be added."""
    digest: str = ""
    trace: bytes = b""
    keep: int = 0
    """Seconds to keep the record at least, whatever the settings say; 0 leaves it to them."""
    has_failed: bool = True
    """There is more to keep than a result, so that the settings count as well."""


def failed(jid: str, place: Place, name: str, queue: str, before: int, run: Attempt) -> Note | None:
    """A note of one more failed run. None for an id that gets no record."""
    if not _gets_record(jid):
        return None
    digest, trace = _packed(run.backtrace[:TRACE_LINES], run.text[-TEXT_CHARACTERS:])
    told = {**_told(run), "error_class": run.error_class[:NAME_CHARACTERS], "frame": run.frame, "trace": digest}
    told["message"] = run.message[:MESSAGE_CHARACTERS]
    return Note(jid, _fields(place, name, queue), before, _json(told), digest, trace)


def succeeded(jid: str, name: str, queue: str, run: Run) -> Note | None:
    """A note of the good end of a job that failed before. None for an id that gets no record."""
    return Note(jid, (*_fields("done", name, queue), "end", _json(_told(run)))) if _gets_record(jid) else None


def arguments(note: Note, key: int, least: int, most: int) -> tuple[Any, ...]:
    """A note as `settle.lua` takes it: number of the record's key, seconds to keep it at least and at most."""
    return ("record", key, least, most, *note[2:6], len(note.fields), *note.fields)


@lru_cache(maxsize=256)
def _packed(lines: tuple[str, ...], text: str = "") -> tuple[str, bytes]:
    """A traceback and its name. When things go wrong it is one and the same thing again and again."""
    cut = [line[-LINE_CHARACTERS:] for line in lines]
    trace = zlib.compress(_json({"lines": cut, "text": text} if text else cut))
    return hashlib.sha1(trace, usedforsecurity=False).hexdigest()[:8] if lines else "", trace


def _gets_record(jid: str) -> bool:
    return 0 < len(jid) <= JID_CHARACTERS


def _fields(place: Place, name: str, queue: str) -> tuple[str | bytes, ...]:
    return ("place", place, "name", name[:NAME_CHARACTERS], "queue", queue[:NAME_CHARACTERS])


def _told(run: Run) -> dict[str, Any]:
    return {"started_at": run.started_at, "seconds": round(run.seconds, 6), "worker": run.worker[:NAME_CHARACTERS]}


def _json(value: Any) -> bytes:
    """Half characters, which names of files may have, become `?`."""
    return _ENCODER.encode(value).encode("utf-8", "replace")


class Records:
    """Reads the records of one Redis. What is written comes with a settle, see `Working.turn`."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys

    def read(self, jid: str) -> Record | None:
        """The record of a job; None for one that never failed, or so long ago that it is forgotten."""
        if not _gets_record(jid):
            return None
        found = self._link.call("HGETALL", self._keys.job("", jid))
        return read_hash(jid, {name.decode("utf-8", "replace"): value for name, value in found.items()})

    def at_score(self, name: SetName, score: float) -> list[bytes]:
        """Payloads of a set that have exactly this score; 100 of them at most."""
        limits = (repr(score), repr(score), "LIMIT", 0, MOST_AT_A_SCORE)
        return list(self._link.call("ZRANGEBYSCORE", self._keys.job_set(name), *limits))


def read_hash(jid: str, found: Mapping[str, bytes]) -> Record | None:
    """The record of a job from the fields of its hash. None for one that never ran."""
    place = _text(found.get("place"))
    if place not in get_args(Place):
        return None
    numbers = sorted(int(field[4:]) for field in found if RUN.fullmatch(field))
    return Record(
        jid=jid,
        name=_text(found.get("name")),
        queue=_text(found.get("queue")),
        place=place,  # type: ignore[arg-type]
        score=_number(found.get("score")),
        written_at=_number(found.get("at")),
        failures=int(_number(found.get("failures"))),
        attempts=tuple(_attempt(number, _object(found[f"run:{number}"]), found) for number in numbers),
        end=_run(_object(found["end"])) if "end" in found else None,
    )


def _run(told: Mapping[str, Any]) -> Run:
    return Run(_number(told.get("started_at")), _number(told.get("seconds")), str(told.get("worker", "")))


def _attempt(number: int, told: Mapping[str, Any], found: Mapping[str, bytes]) -> Attempt:
    run = _run(told)
    lines, text = _unpacked(found.get(f"trace:{told.get('trace')}"))
    return Attempt(
        run.started_at,
        run.seconds,
        run.worker,
        error_class=str(told.get("error_class", "")),
        message=str(told.get("message", "")),
        frame=str(told.get("frame", "")),
        backtrace=lines,
        text=text,
        number=number,
    )


def _unpacked(packed: bytes | None) -> tuple[tuple[str, ...], str]:
    """Lines and text of a traceback."""
    try:
        found = json.loads(zlib.decompressobj().decompress(packed or b"", MOST_UNPACKED))
    except (ValueError, RecursionError, zlib.error):
        return (), ""
    lines, text = (found.get("lines"), found.get("text")) if isinstance(found, dict) else (found, "")
    return tuple(map(str, lines)) if isinstance(lines, list) else (), str(text or "")


def _object(value: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _number(value: Any) -> float:
    """A finite number, 0.0 in place of anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return number if number - number == 0 else 0.0
