"""Commands as they go over the line, and many texts of an answer as they come.

redis-py cuts what it sends into pieces of 6,000 bytes, and each is a call of the system for which the thread gives up
the interpreter: beside threads that compute it gets it back 5 ms later.
"""

from collections.abc import Sequence
from typing import Any


def packed(commands: Sequence[Sequence[Any]]) -> bytes:
    """All commands in one piece.

    Raises:
        TypeError: an argument is neither bytes, text nor a number.
    """
    pieces: list[bytes] = []
    for command in commands:
        pieces.append(b"*%d\r\n" % len(command))
        for argument in command:
            data = argument if type(argument) is bytes else _spelled(argument)
            pieces.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(pieces)


def unpacked(packed: bytes) -> list[bytes]:
    """The texts of an array in msgpack: the form for many of them that Lua writes quickly, and that Python reads so."""
    count, at = _size(packed, 0)
    texts: list[bytes] = []
    for _ in range(count):
        kind = packed[at]
        if kind == _TEXT_OF_16_BITS:
            begin = at + 3
            at = begin + (packed[at + 1] << 8 | packed[at + 2])
        else:
            size, begin = _size(packed, at)
            at = begin + size
        texts.append(packed[begin:at])
    return texts


_TEXT_OF_16_BITS = 0xDA
_WIDTHS = {0xD9: 1, _TEXT_OF_16_BITS: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4}
"""Bytes of the size behind the first byte: of texts, and of arrays."""


def _size(packed: bytes, at: int) -> tuple[int, int]:
    """How large the text or array is that begins there, and where its content does."""
    width = _WIDTHS.get(packed[at])
    if width is None:  # the size stands in the byte itself
        return packed[at] & (0x1F if packed[at] >= 0xA0 else 0x0F), at + 1
    return int.from_bytes(packed[at + 1 : at + 1 + width], "big"), at + 1 + width


def _spelled(argument: Any) -> bytes:
    if isinstance(argument, str):
        return argument.encode()
    if isinstance(argument, bool) or not isinstance(argument, int | float):
        raise TypeError(f"{argument!r} cannot be sent to Redis: pass bytes, text or a number")
    return repr(argument).encode()
