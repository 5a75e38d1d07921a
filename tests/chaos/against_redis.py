"""A server that dies and refuses, and lines to it that lose, hold back and break."""

import contextlib
import time
from collections.abc import Iterator, Mapping

import redis

from kiq_django.store import scripts
from tests import faults
from tests.chaos.arena import Arena
from tests.chaos.nemesis import PATIENCE, Nemesis
from tests.support import wait_for

SCRIPTS = ("reserve", "settle", "promote", "reclaim", "lease", "beat", "due", "expired")
"""Whose answers are lost on their way to a worker."""


class AgainstRedis(Nemesis):
    """After each evil it is measured how long it takes until jobs run again."""

    EVILS: Mapping[str, int] = {
        "lose_answers_to_a_worker": 6,
        "lose_answers_to_a_wait": 2,
        "lose_answers_to_producers": 3,
        "reset": 3,
        "blackhole": 2,
        "slow_line": 2,
        "refuse": 1,
        "kill_redis": 3,
        "freeze_redis": 2,
        "pause_all": 1,
        "pause_writes": 1,
        "kill_clients": 2,
        "forget_scripts": 2,
        "fill": 2,
        "demote": 2,
    }

    def __init__(self, arena: Arena, seed: str, only: str = "") -> None:
        super().__init__(arena, seed, only)
        self.recoveries: list[tuple[float, str]] = []
        """Seconds from the end of an evil until something ran."""

    # -- lines ------------------------------------------------------------------------------------

    def lose_answers_to_a_worker(self) -> None:
        name = self.chance.choice(SCRIPTS)
        sha = scripts.load(name, self.arena.store.link.info().supports_shebang).sha
        self._lost(self.chance.choice(self.arena.slots).proxy, sha.encode())

    def lose_answers_to_a_wait(self) -> None:
        self._lost(self.chance.choice(self.arena.slots).proxy, b"BLMOVE")

    def lose_answers_to_producers(self) -> None:
        self._lost(self.arena.line, self.chance.choice((b"LPUSH", b"ZADD", b"SADD")))

    def reset(self) -> None:
        with self._healed("reset"):
            for proxy in self._some_lines():
                proxy.reset()

    def blackhole(self) -> None:
        with self._healed("blackhole"):
            lines = self._some_lines()
            for proxy in lines:
                proxy.blackhole()
            self.last(0.2, 3.0)
            for proxy in lines:
                proxy.heal()

    def slow_line(self) -> None:
        with self._healed("slow_line"):
            lines = self._some_lines()
            for proxy in lines:
                proxy.delay(self.chance.uniform(0.005, 0.1))
            self.last(0.5, 2.0)
            for proxy in lines:
                proxy.heal()

    def refuse(self) -> None:
        with self._healed("refuse"):
            lines = self._some_lines()
            for proxy in lines:
                proxy.refuse()
            self.last(0.1, 1.5)
            for proxy in lines:
                proxy.accept()

    # -- the server -------------------------------------------------------------------------------

    def kill_redis(self) -> None:
        with self._healed("kill_redis"):
            self.arena.server.kill()
            self.last(0.0, 1.5)
            self.arena.heal_server()

    def freeze_redis(self) -> None:
        with self._healed("freeze_redis"):
            self.arena.server.freeze()
            self.last(0.2, 2.0)
            self.arena.server.thaw()

    def pause_all(self) -> None:
        self._paused("ALL")

    def pause_writes(self) -> None:
        self._paused("WRITE")

    def kill_clients(self) -> None:
        with self._healed("kill_clients"), self.arena.server.client() as client:
            for _ in range(self.chance.randint(1, 10)):
                client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                self.last(0.0, 0.1)

    def forget_scripts(self) -> None:
        with self._healed("forget_scripts"), self.arena.server.client() as client:
            for _ in range(self.chance.randint(1, 50)):
                client.script_flush()
                self.last(0.0, 0.02)

    def fill(self) -> None:
        with self._healed("fill"), self.arena.server.client() as client, faults.full(client):
            self.last(0.2, 2.0)

    def demote(self) -> None:
        """A replica of nobody: it refuses all writes, and ends all waits."""
        with self._healed("demote"), self.arena.server.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
            self.last(0.2, 1.5)
            client.execute_command("REPLICAOF", "NO", "ONE")

    def _paused(self, what: str) -> None:
        with self._healed(f"pause {what}"), self.arena.server.client() as client:
            client.execute_command("CLIENT", "PAUSE", self.chance.randint(100, 2000), what)
            self.last(0.1, 2.0)
            client.execute_command("CLIENT", "UNPAUSE")

    # -- what they share --------------------------------------------------------------------------

    def _some_lines(self) -> list[faults.Proxy]:
        """One, or all: then there is no Redis for anybody."""
        lines = self.arena.proxies
        return lines if self.chance.random() < 0.3 else [self.chance.choice(lines)]

    def _lost(self, proxy: faults.Proxy, needle: bytes) -> None:
        proxy.drop_replies(self.chance.randint(1, 5), to=needle)
        self.last(0.1, 0.8)
        proxy.drop_replies(0)

    @contextlib.contextmanager
    def _healed(self, name: str) -> Iterator[None]:
        try:
            yield
        finally:
            with contextlib.suppress(redis.RedisError):
                self.arena.heal_server()
        began, written = time.monotonic(), self.arena.written
        wait_for(lambda: self.arena.written > written, PATIENCE, f"jobs to run again after {name}")
        self.recoveries.append((time.monotonic() - began, name))
