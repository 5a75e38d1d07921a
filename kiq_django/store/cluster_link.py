"""A cluster as one link: each command goes to the node that has the slot of its keys.

redis-py's own cluster client repeats what failed, also where nobody knows whether it ran. Here only that is sent
again which a node has refused to run: the slot is elsewhere, or on its way.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from redis.crc import key_slot

from kiq_django import clock
from kiq_django.exceptions import StoreError
from kiq_django.store import connections
from kiq_django.store.flight import Land, landed
from kiq_django.store.link import Link, reply
from kiq_django.store.pool import give, take

PATIENCE = 10.0
"""Seconds for a slot to arrive where it goes, or for a replica to take over."""
NAP = 0.02
KEYLESS = frozenset({"CLIENT", "CONFIG", "HELLO", "INFO", "PING", "TIME"})
SCRIPTS = frozenset({"EVAL", "EVALSHA"})
REFUSALS = (redis.exceptions.AskError, redis.exceptions.TryAgainError, redis.exceptions.ClusterDownError)
"""The slot is elsewhere (`MovedError` is an `AskError`), on its way, or nowhere for now. Nothing was run."""

Address = tuple[str, int]
Command = tuple[Any, ...]


class Topology:
    """Which node has which slot, as far as is known. Used by many threads."""

    def __init__(self, target: connections.Target, purpose: connections.Purpose) -> None:
        self._target = target
        self._purpose = purpose
        self._parts = urlsplit(target.options["url"])
        self._slots: dict[int, Address] = {}
        self._nodes: set[Address] = set()
        self._is_stale = True
        self._lock = threading.Lock()

    def node(self, slot: int | None) -> Address:
        """The node of a slot; any node for None."""
        if self._is_stale or not self._slots:
            self._learn()
        return self._slots.get(0 if slot is None else slot) or self._given

    def nodes(self) -> list[Address]:
        """All that have slots."""
        self.node(None)
        return sorted(self._nodes)

    def client(self, address: Address) -> Any:
        """The client of one node."""
        return connections.client(self.target(address), purpose=self._purpose)

    def target(self, address: Address) -> connections.Target:
        """One node, as if it stood alone."""
        host, port = address
        login, at, _ = self._parts.netloc.rpartition("@")
        name = f"[{host}]" if ":" in host else host
        url = urlunsplit(self._parts._replace(netloc=f"{login}{at}{name}:{port}"))
        return replace(self._target, kind="url", label=f"{name}:{port}", options={**self._target.options, "url": url})

    def note(self, slot: int, address: Address) -> None:
        """A node said where a slot has moved to."""
        self._slots[slot] = address
        self._nodes.add(address)

    def doubt(self) -> None:
        """A node did not answer: ask anew before the next command."""
        self._is_stale = True

    @property
    def _given(self) -> Address:
        return self._parts.hostname or "127.0.0.1", self._parts.port or 6379

    def _learn(self) -> None:
        """Ask the nodes that are known, and the one of the settings."""
        with self._lock:
            if not self._is_stale and self._slots:
                return
            trouble: Exception | None = None
            for address in [self._given, *sorted(self._nodes - {self._given})]:
                try:
                    self._take(self.client(address).execute_command("CLUSTER", "SLOTS"), address)
                except (redis.RedisError, OSError) as error:
                    trouble = error
                else:
                    return
            raise trouble or redis.ConnectionError("no node answers")

    def _take(self, reply: Any, asked: Address) -> None:
        slots: dict[int, Address] = {}
        for first, last, (host, port, *_), *_ in reply:
            name = host.decode() if isinstance(host, bytes) else host
            slots.update(dict.fromkeys(range(int(first), int(last) + 1), (name or asked[0], int(port))))
        if not slots:
            raise redis.exceptions.ClusterDownError("CLUSTERDOWN no slot is served")
        self._slots, self._nodes, self._is_stale = slots, set(slots.values()), False


class ClusterLink(Link):
    """A `Link` over all nodes of a cluster."""

    def __init__(self, target: connections.Target, purpose: connections.Purpose = "commands") -> None:
        self.target = target
        self.client: Any = redis.Redis(connection_pool=redis.ConnectionPool(connection_class=_Nowhere, protocol=2))
        self._purpose = purpose
        self._topology = Topology(target, purpose)
        self._shebang: bool | None = None
        self._texts: dict[str, str] = {}

    def call(self, *command: Any) -> Any:
        (reply,) = self.send([command])
        return self._read(command[0], reply, {})

    def execute(self, pipe: Any, *, tolerant: bool = False) -> list[Any]:
        stack = [_part(each) for each in pipe.command_stack]
        if not stack:
            return []
        commands = [command for command, _ in stack]
        replies = self._transaction(commands) if pipe.transaction else self.exchange(commands)
        found = self.told(replies, tolerant)
        return [self._read(c[0], reply, options) for (c, options), reply in zip(stack, found, strict=True)]

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        return self._followed(commands, ())

    def _followed(self, commands: Sequence[Command], last: Sequence[Command]) -> list[Any]:
        """`last` has no key, and speaks of the connection: it goes where the command before it has been run."""
        units = [[command] for command in commands]
        if last:
            units[-1] += last
        with self.translated():
            return [reply for replies in self._resent(units) for reply in replies]

    def launch(self, commands: Sequence[Command]) -> Land:
        """They may go to several nodes, so the answers are waited for at once."""
        self.send(commands)
        return landed

    def new_connection(self, key: str) -> Any:
        with self.translated():
            return self._topology.client(self._topology.node(_slot(key))).connection_pool.make_connection()

    def end_waits(self, waits: Mapping[str, int]) -> list[Any]:
        with self.translated():
            groups = [(self._topology.node(_slot(key)), [("CLIENT", "UNBLOCK", each)]) for key, each in waits.items()]
            return [reply for replies in self._sent(groups) for reply in replies]

    def nodes(self) -> Sequence[Link]:
        """Those that have slots."""
        with self.translated():
            return [Link(self._topology.target(address), self._purpose) for address in self._topology.nodes()]

    def info(self) -> connections.ServerInfo:
        """What the first node says of itself."""
        with self.translated():
            return connections.server_info(self._topology.client(self._topology.node(None)))

    def every_node(self, *command: Any) -> list[Any]:
        """Run one command on each node that has slots."""
        with self.translated():
            groups = [(address, [command]) for address in self._topology.nodes()]
            return self.told([reply for replies in self._sent(groups) for reply in replies], tolerant=False)

    def _in_our_words(self, error: Exception) -> StoreError:
        away = isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError)
        if away or connections.must_disconnect(error):
            self._topology.doubt()
        if isinstance(error, REFUSALS):
            error = redis.exceptions.BusyLoadingError(f"the cluster is being rearranged: {error}")
        return connections.translate(error, self.target)

    def _transaction(self, commands: Sequence[Command]) -> list[Any]:
        with self.translated():
            ((*_, reply),) = self._resent([[("MULTI",), *commands, ("EXEC",)]])
        if isinstance(reply, redis.ResponseError):
            raise self._in_our_words(reply) from reply
        return list(reply)

    def _resent(self, units: Sequence[list[Command]]) -> list[list[Any]]:
        """The replies to each unit. What a node has refused for want of the slot is sent until that is there."""
        replies: list[list[Any]] = [[] for _ in units]
        left = {number: (self._topology.node(_slot_of(unit)), unit) for number, unit in enumerate(units)}
        deadline = clock.monotonic() + PATIENCE
        while left:
            answers = dict(zip(left, self._sent(list(left.values())), strict=True))
            again: dict[int, tuple[Address, list[Command]]] = {}
            for number, found in answers.items():
                refusal = next((each for each in found if isinstance(each, REFUSALS)), None)
                unit = units[number]
                replies[number] = found[-len(unit) :] if refusal is None else [refusal] * len(unit)
                if refusal is not None:
                    again[number] = self._redirected(refusal, unit)
            left = again if clock.monotonic() < deadline else {}
            if left:
                time.sleep(NAP)
        return replies

    def _redirected(self, refusal: Exception, unit: list[Command]) -> tuple[Address, list[Command]]:
        if isinstance(refusal, redis.exceptions.MovedError):
            address = (refusal.host or self._topology.node(None)[0], int(refusal.port))
            self._topology.note(int(refusal.slot_id), address)
            return address, unit
        if isinstance(refusal, redis.exceptions.AskError) and unit[0][0] != "MULTI":  # one command may be asked there
            return (refusal.host or self._topology.node(None)[0], int(refusal.port)), [("ASKING",), *unit]
        if isinstance(refusal, redis.exceptions.ClusterDownError):
            self._topology.doubt()
        return self._topology.node(_slot_of(unit)), unit

    def _sent(self, groups: Sequence[tuple[Address, list[Command]]]) -> list[list[Any]]:
        """Send to all nodes, then read from all: the replies of each group. An error drops all connections."""
        by_node: dict[Address, list[int]] = {}
        for number, (address, _) in enumerate(groups):
            by_node.setdefault(address, []).append(number)
        found: list[list[Any]] = [[] for _ in groups]
        with ExitStack() as stack:
            opened = {address: stack.enter_context(self._connection_to(address)) for address in by_node}
            for address, connection in opened.items():
                packed = connection.pack_commands([c for number in by_node[address] for c in groups[number][1]])
                connection.send_packed_command(packed, check_health=False)
            for address, connection in opened.items():
                for number in by_node[address]:
                    found[number] = [reply(connection) for _ in groups[number][1]]
        return found

    def _connection_to(self, address: Address) -> "_Borrowed":
        return _Borrowed(self._topology.client(address).connection_pool)

    def _read(self, name: str, reply: Any, options: Mapping[str, Any]) -> Any:
        """A reply as redis-py gives it."""
        callback = self.client.response_callbacks.get(name)
        known = {name: value for name, value in options.items() if name != "keys"}  # a cache of redis-py wants them
        return reply if callback is None or reply is None else callback(reply, **known)


class _Nowhere(redis.Connection):
    """Of the client that builds pipelines and reads replies: it never connects."""


class _Borrowed:
    """A connection for one exchange, dropped when anything goes wrong meanwhile."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def __enter__(self) -> Any:
        self._connection = take(self._pool)
        return self._connection

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            self._connection.disconnect()
        give(self._pool, self._connection)


def _part(entry: Any) -> tuple[Command, Mapping[str, Any]]:
    """A command of a pipeline and its options, in any version of redis-py."""
    if isinstance(entry, tuple):
        return tuple(entry[0]), entry[1]
    return tuple(entry.args), entry.options


def _slot(key: str | bytes) -> int:
    return key_slot(key if isinstance(key, bytes) else key.encode(errors="surrogateescape"))


def _slot_of(unit: Sequence[Command]) -> int | None:
    """The slot of the first command that has a key; None for commands without."""
    for command in unit:
        name = str(command[0]).upper()
        if name in SCRIPTS:
            return _slot(command[3]) if int(command[2]) else None
        if len(command) > 1 and name not in KEYLESS:
            return _slot(command[1])
    return None
