"""One connection pool as the parts of the store see it: scripts that survive a flush, errors in our words."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import redis

from kiq_django.exceptions import StoreError
from kiq_django.store import connections, scripts
from kiq_django.store.flight import Flight, Land
from kiq_django.store.packing import packed
from kiq_django.store.pool import give, take


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
        with self._connection() as connection:
            connection.send_command(*command)
            return self.client.parse_response(connection, command[0])

    def pipeline(self, *, atomic: bool = False) -> Any:
        """A redis-py pipeline, to be sent with `execute`; `atomic` wraps it in MULTI/EXEC."""
        return self.client.pipeline(transaction=atomic)

    def execute(self, pipe: Any, *, tolerant: bool = False) -> list[Any]:
        """Send a pipeline in one round trip and return its replies.

        Args:
            pipe: from `pipeline`.
            tolerant: None is the reply of a key that holds another type, or that we may not read, instead of an
                error for all.

        Raises:
            StoreError: as for `call`; commands before the refused one may have run.
        """
        with self._connection() as connection:
            pipe.connection_pool = _Lender(connection)
            replies: list[Any] = pipe.execute(raise_on_error=not tolerant)
        return self.told(replies, tolerant)

    def script(self, name: str, keys: Sequence[str | bytes], args: Sequence[Any]) -> Any:
        """Run one script in one round trip."""
        return self.run([self.prepare(name, keys, args)])[0]

    def prepare(self, name: str, keys: Sequence[str | bytes], args: Sequence[Any]) -> tuple[Any, ...]:
        """The command that runs a script, for `run`."""
        script = scripts.load(name, self._knows_shebang())
        self._texts[script.sha] = script.text
        return ("EVALSHA", script.sha, len(keys), *keys, *args)

    def run(self, commands: Sequence[tuple[Any, ...]], *, tolerant: bool = False) -> list[Any]:
        """Send prepared scripts in one round trip, each atomic by itself; `tolerant` as for `execute`.

        A server that forgot a script (restart, SCRIPT FLUSH) has not run it, so it is sent again whole.
        """
        return self.told(self._run(commands, ())[0], tolerant)

    def run_before(self, last: tuple[Any, ...], commands: Sequence[tuple[Any, ...]]) -> tuple[list[Any], Any]:
        """As `run`, with another command behind them in the same round trip.

        Returns:
            What the scripts answered, and the answer to `last` as the server gives it, be it an error.
        """
        replies, (answer,) = self._run(commands, (last,))
        return self.told(replies, tolerant=False), answer

    def _run(self, commands: Sequence[tuple[Any, ...]], last: Sequence[tuple[Any, ...]]) -> tuple[list[Any], list[Any]]:
        found = self._followed(commands, last)
        replies, answer = found[: len(commands)], found[len(commands) :]
        unknown = [n for n, reply in enumerate(replies) if isinstance(reply, redis.exceptions.NoScriptError)]
        if unknown:
            again = self._followed([self.whole(commands[n]) for n in unknown], last)
            for number, reply in zip(unknown, again, strict=False):
                replies[number] = reply
            answer = again[len(unknown) :]
        return replies, answer

    def _followed(self, commands: Sequence[tuple[Any, ...]], last: Sequence[tuple[Any, ...]]) -> list[Any]:
        """As `exchange`; `last` goes by the same connection as the last one before."""
        return self.exchange([*commands, *last])

    def send(self, commands: Sequence[tuple[Any, ...]], *, tolerant: bool = False) -> list[Any]:
        """Send commands in one round trip; raises for the first that was refused, the others have run.

        `tolerant` as for `execute`.
        """
        return self.told(self.exchange(commands), tolerant)

    def exchange(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands in one round trip and return the replies as the server gives them, errors among them.

        This is what a job costs: it does without redis-py's pipeline object, and sends all by one call.

        Raises:
            StoreUnavailable: what ran is unknown.
        """
        with self._connection() as connection:
            connection.send_packed_command([packed(commands)], check_health=False)
            return [reply(connection) for _ in commands]

    def launch(self, commands: Sequence[tuple[Any, ...]]) -> Land:
        """`send` in two halves: this one sends, the call of what it returns waits for the answers.

        Raises:
            StoreUnavailable: what ran is unknown.
        """
        with ExitStack() as loan:
            connection = loan.enter_context(self._connection())
            connection.send_packed_command([packed(commands)], check_health=False)
            return Flight(loan.pop_all(), lambda: [reply(connection) for _ in commands], self.told).land

    def new_connection(self, key: str) -> Any:
        """A connection of one's own to the server that holds a key, not open yet."""
        del key
        return self.client.connection_pool.make_connection()

    def end_waits(self, waits: Mapping[str, int]) -> list[Any]:
        """Ask to end blocking reads, given the id of the connection that waits on each key. Replies as `exchange`."""
        return self.exchange([("CLIENT", "UNBLOCK", connection) for connection in waits.values()])

    def nodes(self) -> "Sequence[Link]":
        """A link to each server behind this one: a cluster has several, and what they say of themselves differs.

        Raises:
            StoreUnavailable: nobody tells which there are.
        """
        return (self,)

    def info(self) -> connections.ServerInfo:
        """What the server says of itself."""
        with self.translated():
            return connections.server_info(self.client)

    def whole(self, command: tuple[Any, ...]) -> tuple[Any, ...]:
        """A prepared script with its text, for a server that has forgotten it."""
        return ("EVAL", self._texts[command[1]], *command[2:])

    def told(self, replies: list[Any], tolerant: bool = False) -> list[Any]:
        """The replies, or the first error among them in our words; `tolerant` as for `execute`."""
        for index, reply in enumerate(replies):
            if isinstance(reply, redis.RedisError):
                if not (tolerant and _is_of_a_foreign_key(reply)):
                    raise self._in_our_words(reply) from reply
                replies[index] = None
        return replies

    def _knows_shebang(self) -> bool:
        if self._shebang is None:
            self._shebang = self.info().supports_shebang
        return self._shebang

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection for one exchange, with errors in our words.

        Whatever interrupts it, a job's time limit among others: a reply that is still under way must not
        answer the next command, so the connection is dropped.
        """
        pool = self.client.connection_pool
        try:
            connection = take(pool)
            try:
                yield connection
            except redis.ResponseError:
                raise
            except BaseException:
                connection.disconnect()
                raise
            finally:
                give(pool, connection)
        except (redis.RedisError, OSError) as error:
            raise self._in_our_words(error) from error

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Let errors of redis-py leave the block in our words."""
        try:
            yield
        except (redis.RedisError, OSError) as error:
            raise self._in_our_words(error) from error

    def _in_our_words(self, error: Exception) -> StoreError:
        """A connection that leads to a demoted master is dropped, so that the next one finds the new master."""
        if connections.must_disconnect(error):
            connections.renew(self.client)
        return connections.translate(error, self.target)


class _Lender:
    """The pool of one pipeline: gives it the connection that we hold, and leaves the giving back to us."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def get_connection(self, *_: Any) -> Any:
        return self._connection

    def release(self, connection: Any) -> None:
        """We do that."""


def _is_of_a_foreign_key(error: redis.RedisError) -> bool:
    """Its name came out of Redis, and it is none of ours."""
    denied = isinstance(error, redis.exceptions.NoPermissionError) and " key" in str(error)
    return denied or "WRONGTYPE " in str(error)


def reply(connection: Any) -> Any:
    """The next reply on a connection; what the server refused is a value too."""
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error
