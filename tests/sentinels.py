"""A master, its replica, and three sentinels that make the one of the other."""

import contextlib
from pathlib import Path
from typing import Any, Self

import redis

from tests.store.servers import Server, answers, bare, free_port
from tests.support import wait_for

NAME = "main"
SENTINELS = 3
PATIENCE = 500
"""Milliseconds without a word after which a sentinel takes the master for dead."""


class Trio:
    """Use it as a context manager: all end with it."""

    def __init__(self, directory: Path, *options: str, password: str = "") -> None:
        self._password = password
        secret = ("--requirepass", password, "--masterauth", password) if password else ()
        self.servers = [self._server(directory / f"r{number}", *options, *secret) for number in range(2)]
        self.sentinels = [self._sentinel(directory / f"s{number}") for number in range(SENTINELS)]

    def __enter__(self) -> Self:
        first, second = self.servers
        first.start()
        wait_for(lambda: answers(first.port), what="the master's first answer")
        second.start()
        wait_for(lambda: answers(second.port), what="the replica's first answer")
        with self._bare(second) as client:
            client.execute_command("REPLICAOF", "127.0.0.1", first.port)
        for sentinel in self.sentinels:
            sentinel.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (*self.sentinels, *self.servers):
            server.kill()

    @property
    def value(self) -> dict[str, Any]:
        """For `KIQ["REDIS"]`."""
        return {"sentinels": [["127.0.0.1", sentinel.port] for sentinel in self.sentinels], "master": NAME}

    def settle(self) -> "Trio":
        """Wait until all sentinels know each other, and a replica that could take over."""
        wait_for(lambda: all(map(self._is_settled, self.sentinels)), 60, "the sentinels to know each other")
        return self

    def master(self) -> Server:
        """Whom most sentinels take for it."""
        told = [port for port in map(_master_port, self.sentinels) if port]
        return next(server for server in self.servers if server.port == max(told, key=told.count))

    def fail_over(self) -> None:
        """Kill the master, wait for the next, and let the old one come back as its replica."""
        old = self.master()
        old.kill()
        new = next(server for server in self.servers if server is not old)
        wait_for(lambda: self._role(new) == "master", 30, "the replica to be made master")
        old.start()

    def _role(self, server: Server) -> str:
        with contextlib.suppress(redis.RedisError), self._bare(server) as client:
            return str(client.info("replication")["role"])
        return ""

    def _is_settled(self, sentinel: Server) -> bool:
        with contextlib.suppress(redis.RedisError), bare(sentinel.port) as client:
            state = client.sentinel_masters().get(NAME, {})
            replicas = [each for each in client.sentinel_slaves(NAME) if each["flags"] == "slave"]
            linked = [each for each in replicas if each["master-link-status"] == "ok"]
            return len(linked) == 1 and state.get("num-other-sentinels") == SENTINELS - 1
        return False

    def _bare(self, server: Server) -> redis.Redis:
        return bare(server.port, password=self._password or None)

    @staticmethod
    def _server(directory: Path, *options: str) -> Server:
        port = free_port()
        plain = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0")
        return Server(directory, *plain, "--dir", str(directory), *options, port=port)

    def _sentinel(self, directory: Path) -> Server:
        port = free_port()
        server = Server(directory, str(directory / "sentinel.conf"), "--sentinel", port=port)
        lines = [f"port {port}", "bind 127.0.0.1", f"sentinel monitor {NAME} 127.0.0.1 {self.servers[0].port} 2"]
        lines += [f"sentinel auth-pass {NAME} {self._password}"] if self._password else []
        lines += [f"sentinel down-after-milliseconds {NAME} {PATIENCE}", f"sentinel failover-timeout {NAME} 3000"]
        (directory / "sentinel.conf").write_text("\n".join(lines))
        return server


def _master_port(sentinel: Server) -> int:
    with contextlib.suppress(redis.RedisError), bare(sentinel.port) as client:
        found = client.sentinel_get_master_addr_by_name(NAME)
        return int(found[1]) if found else 0
    return 0
