"""The same server seen from an event loop: commands over redis.asyncio, without a thread between.

Each loop has a pool of its own, opened by the second call that it makes: a loop that lives for one call, as
`async_to_sync` makes them, would pay for a connection more than a thread costs. The pool closes with its loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import redis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from kiq_django.store import connections
from kiq_django.store.link import Link
from kiq_django.store.pool import TAKES_NO_COMMAND

CLASSES = {
    redis.Connection: Connection,
    redis.SSLConnection: SSLConnection,
    redis.UnixDomainSocketConnection: UnixDomainSocketConnection,
}


class AsyncLink:
    """Sends what a `Link` sends. Targets that redis.asyncio cannot reach in our way (Sentinel, embedded) take a
    thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Redis | None] = WeakKeyDictionary()
        self._keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = WeakKeyDictionary()

    async def call(self, *command: Any) -> Any:
        """Run one command.

        Raises:
            StoreError: as for `Link.call`.
        """
        client = await self._client()
        if client is None:
            return await asyncio.to_thread(self._link.call, *command)
        return self._link.told(await self._exchange(client, [command]))[0]

    async def script(self, name: str, keys: Sequence[str | bytes], args: Sequence[Any]) -> Any:
        """Run one script in one round trip; as a whole text where the server has forgotten it."""
        client = await self._client()
        if client is None:
            return await asyncio.to_thread(self._link.script, name, keys, args)
        command = self._link.prepare(name, keys, args)
        replies = await self._exchange(client, [command])
        if isinstance(replies[0], redis.exceptions.NoScriptError):
            replies = await self._exchange(client, [self._link.whole(command)])
        return self._link.told(replies)[0]

    async def send(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands in one round trip; raises for the first that was refused, the others have run."""
        client = await self._client()
        if client is None:
            return await asyncio.to_thread(self._link.send, commands)
        return self._link.told(await self._exchange(client, commands))

    async def _exchange(self, client: Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """A connection whose answer is still under way, whatever interrupted us, must not serve the next call."""
        pool: Any = client.connection_pool
        with self._link.translated():
            connection = await (pool.get_connection() if TAKES_NO_COMMAND else pool.get_connection("_"))
            try:
                await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
                replies = [await _reply(connection) for _ in commands]
                if any(map(_is_of_another_master, replies)):  # as `Link` does: the next one finds the new
                    await connection.disconnect(nowait=True)
                    await pool.disconnect(inuse_connections=False)
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            else:
                return replies
            finally:
                await pool.release(connection)

    async def _client(self) -> Redis | None:
        """None where a thread is to be taken: for the first call of a loop, and for some targets."""
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = None
        elif self._clients[loop] is None and (client := _opened(self._link)):
            self._clients[loop] = client
            keeper = self._keepers[loop] = _kept(client, partial(self._forget, loop))
            await anext(keeper)
        return self._clients[loop]

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        self._clients.pop(loop, None)
        self._keepers.pop(loop, None)


async def _kept(client: Redis, forget: Callable[[], None]) -> AsyncGenerator[None, None]:
    """The end of a loop ends its generators, and with this one the connections."""
    try:
        yield
    finally:
        forget()
        await client.connection_pool.disconnect()


def _opened(link: Link) -> Redis | None:
    pool = link.client.connection_pool
    chosen = CLASSES.get(pool.connection_class)
    if chosen is None:
        return None
    options = {**pool.connection_kwargs, "retry": Retry(NoBackoff(), 0)}
    try:
        chosen(**options)
    except TypeError:  # an option that only redis-py's plain connections have
        return None
    return Redis(connection_pool=ConnectionPool(connection_class=chosen, **options))


def _is_of_another_master(reply: Any) -> bool:
    return isinstance(reply, redis.RedisError) and connections.must_disconnect(reply)


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except redis.ResponseError as error:
        return error
