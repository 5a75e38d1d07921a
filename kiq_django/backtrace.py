"""Where an error came from: as `error_backtrace`, base64 of zlib of a JSON array of lines, which Sidekiq's pages
read, and as the one frame that people look for first."""

import base64
import binascii
import json
import os
import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from traceback import format_exception
from types import TracebackType
from typing import Any, Final

MAX_CHARACTERS = 65_536
"""Lines of one error are cut here: a backtrace is kept in every payload of a failing job."""
MAX_UNPACKED = 8 * 1_048_576
"""Bytes after which unpacking stops: whoever writes to Redis could send a bomb."""
PATH_CHARACTERS: Final = 120
"""Of `frame_of`; longer paths lose their begin."""
FUNCTION_CHARACTERS: Final = 80
PACKAGE: Final = f"{os.path.dirname(__file__)}{os.sep}"  # noqa: PTH120 - compared with names of code, which are text
STANDARD_LIBRARY: Final = f"{os.path.dirname(os.__file__)}{os.sep}"  # noqa: PTH120
INSTALLED: Final = re.compile(
    r".*[/\\](?:(?:site|dist)-packages|lib(?:64)?[/\\](?:python|pypy)\d[^/\\]*)[/\\]", re.DOTALL
)
"""A folder of installed packages or of a standard library, also of another machine's."""


def encode(lines: Sequence[str]) -> str:
    """Pack lines, without line breaks in the result: Sidekiq 7.2.1 and 7.2.2 read nothing else."""
    text = json.dumps([_whole(line) for line in lines], ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode())).decode("ascii")


def decode(text: Any) -> list[str]:
    """Unpack what any writer left in the field; what is not packed lines comes back as it is, as one line."""
    if text is None:
        return []
    if isinstance(text, list):
        return [str(line) for line in text]
    if not isinstance(text, str):
        return [str(text)]
    try:
        lines = json.loads(_unpack(text))
    except (ValueError, RecursionError, binascii.Error, zlib.error):
        return [text]
    return [_whole(str(line)) for line in lines] if isinstance(lines, list) else [text]


def text_of(error: BaseException) -> str:
    """The traceback as Python prints it, from the first frame that is not ours on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(PACKAGE):
        trace = trace.tb_next
    return "".join(format_exception(type(error), error, trace or error.__traceback__))


def _whole(line: str) -> str:
    """Without half characters, which names of files may have and no page can show."""
    return line.encode("utf-8", "replace").decode()


def _unpack(text: str) -> bytes:
    packed = base64.b64decode("".join(text.split()), validate=True)
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(packed, MAX_UNPACKED)
    if not unpacker.eof:
        raise ValueError("too large, or cut off")
    return unpacked


def lines_of(error: BaseException, limit: bool | int = True) -> list[str]:
    """Where an error came from: "file:line:in `name`" for each frame, innermost first.

    Args:
        error: a raised exception; one that was never raised has no lines.
        limit: True for all lines (as far as 65,536 characters go), or that many; False for none.
    """
    frames = _frames(error.__traceback__)[::-1]
    lines: list[str] = []
    room = MAX_CHARACTERS
    for frame in frames if limit is True else frames[: max(0, int(limit))]:
        line = "{}:{}:in `{}`".format(*frame)
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    return lines


def _frames(trace: TracebackType | None) -> list[tuple[str, int, str]]:
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append((code.co_filename, trace.tb_lineno, code.co_qualname))
        trace = trace.tb_next
    return frames


def frame_of(error: BaseException, roots: Sequence[str] = ()) -> str:
    """The innermost frame that belongs to the project: `billing/gateway.py:88 in charge`.

    Without one it is the innermost of all; empty for an error that was never raised.

    Args:
        error: a raised exception.
        roots: folders, each with its separator at the end; paths are told relative to the first that fits.
    """
    frames = _frames(error.__traceback__)
    if not frames:
        return ""
    path, line, function = next((frame for frame in reversed(frames) if is_project(frame[0])), frames[-1])
    path = _shown(path, roots)
    if len(path) > PATH_CHARACTERS:
        path = f"…{path[1 - PATH_CHARACTERS :]}"
    return _whole(f"{path}:{line or 0} in {function[:FUNCTION_CHARACTERS]}")


@lru_cache(maxsize=2048)
def is_project(path: str) -> bool:
    """Whether a file is the project's own: not installed, not of a standard library, not ours, and a file at all."""
    return not (path.startswith(("<", PACKAGE, STANDARD_LIBRARY)) or INSTALLED.match(path))


def _shown(path: str, roots: Sequence[str]) -> str:
    """A path as it is the same on every host, and after every deploy."""
    if path.startswith("<"):
        return path
    if installed := INSTALLED.match(path):
        return path[installed.end() :]
    if root := next((root for root in roots if path.startswith(root)), ""):
        return path[len(root) :]
    return "/".join(path.replace("\\", "/").split("/")[-3:])
