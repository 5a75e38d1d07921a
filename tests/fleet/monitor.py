"""What a server was really asked, told by its own MONITOR: every command, and inside of which script it ran."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis

LINE = re.compile(rb"^\d+\.\d+ \[\d+ ([^\]]*)\] (.*)$", re.DOTALL)
WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')
END = "end of the watch"


@dataclass
class Call:
    """One command, or one script with the commands that it ran."""

    words: list[str]
    inner: list[list[str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.words[0].lower()

    @property
    def is_script(self) -> bool:
        return self.name in ("eval", "evalsha")

    @property
    def keys(self) -> list[str]:
        """Those that a script declares."""
        return self.words[3 : 3 + int(self.words[2])] if self.is_script else []


@contextmanager
def watched(client: redis.Redis) -> Iterator[list[Call]]:
    """Everything that is sent meanwhile; complete once the block is left."""
    calls: list[Call] = []
    connection = client.connection_pool.make_connection()
    connection.connect()
    connection.send_command("MONITOR")
    connection.read_response()
    thread = threading.Thread(target=_listen, args=[connection, calls])
    thread.start()
    try:
        yield calls
    finally:
        client.execute_command("PING", END)
        thread.join()
        connection.disconnect()


def _listen(connection, calls: list[Call]) -> None:
    while True:
        who, words = _parsed(connection.read_response(timeout=10))
        if words == ["PING", END]:
            return
        if who == b"lua":
            calls[-1].inner.append(words)
        else:
            calls.append(Call(words))


def _parsed(line: bytes) -> tuple[bytes, list[str]]:
    found = LINE.match(line if isinstance(line, bytes) else line.encode())
    assert found, line
    return found[1], [word.decode(errors="replace") for word in WORD.findall(found[2])]
