"""One connection pool as the parts of the store see it: scripts that survive a flush, errors in our words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from kiq_django.exceptions import StoreError
from kiq_django.store import connections, scripts


class Link:
    """Sends commands and scripts over one client; every Redis error leaves as a `StoreError`."""

    def __init__(self, target: connections.Target, purpose: connections.Purpose = "commands") -> None:
        self.target = target
        self.client: Any = connections.client(target, purpose=purpose)
        self._shebang: bool | None = None
        self._texts: dict[str, str] = {}

    def call(self, *command: Any) -> Any:
        """Run one command.

        Raises:
            StoreUnavailable: the server is away; whether the command ran is unknown.
            StoreRefused: the server said no; nothing was written.
        """
        with self.translated():
            return self.client.execute_command(*command)

    def pipeline(self, *, atomic: bool = False) -> Any:
        """A redis-py pipeline, to be sent with `execute`; `atomic` wraps it in MULTI/EXEC."""
        return self.client.pipeline(transaction=atomic)

    def execute(self, pipe: Any) -> list[Any]:
        """Send a pipeline in one round trip and return its replies.

        Raises:
            StoreError: as for `call`; commands before the refused one may have run.
        """
        with self.translated():
            replies: list[Any] = pipe.execute()
        return replies

    def script(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run one script in one round trip."""
        return self.run([self.prepare(name, keys, args)])[0]

    def prepare(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> tuple[Any, ...]:
        """The command that runs a script, for `run`."""
        script = scripts.load(name, self._knows_shebang())
        self._texts[script.sha] = script.text
        return ("EVALSHA", script.sha, len(keys), *keys, *args)

    def run(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send prepared scripts in one round trip, each atomic by itself.

        A server that forgot a script (restart, SCRIPT FLUSH) has not run it, so it is sent again whole.
        """
        pipe = self.client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        with self.translated():
            replies: list[Any] = pipe.execute(raise_on_error=False)
            for index, reply in enumerate(replies):
                if isinstance(reply, redis.exceptions.NoScriptError):
                    sha, *rest = commands[index][1:]
                    replies[index] = self.client.execute_command("EVAL", self._texts[sha], *rest)
                elif isinstance(reply, redis.RedisError):
                    raise reply
        return replies

    def info(self) -> connections.ServerInfo:
        """What the server says of itself."""
        with self.translated():
            return connections.server_info(self.client)

    def _knows_shebang(self) -> bool:
        if self._shebang is None:
            self._shebang = self.info().supports_shebang
        return self._shebang

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Let errors of redis-py leave the block in our words.

        A connection that leads to a demoted master is dropped, so that the next one finds the new master.
        """
        try:
            with connections.translated(self.target):
                yield
        except StoreError as error:
            if error.__cause__ is not None and connections.must_disconnect(error.__cause__):
                connections.renew(self.client)
            raise
