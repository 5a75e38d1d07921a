"""A cluster of three masters on loopback, joined by hand, whose slots can be moved; with replicas if wanted."""

import contextlib
import itertools
import random
import socket
import subprocess
from pathlib import Path

import redis

from tests.support import wait_for

PORTS = range(10_000, 22_000)
"""They and their bus ports, 10,000 above, lie below those that a system gives to connections that go out."""


def free_port() -> int:
    """One whose bus port is free too: a node that finds it taken ends without a word."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as own, socket.socket() as bus, contextlib.suppress(OSError):
            own.bind(("127.0.0.1", port))
            bus.bind(("127.0.0.1", port + 10_000))
            return port


class Cluster:
    """Three masters on loopback; with `replicas` a replica each, whose numbers are 3 to 5."""

    def __init__(self, program: str, directory: Path, *, replicas: bool = False) -> None:
        self.ports = [free_port() for _ in range(6 if replicas else 3)]
        self._directory = directory
        self.processes = [self._node(program, port) for port in self.ports]
        for port in self.ports:
            wait_for(lambda port=port: _alive(port), what="a node of the cluster")
        self._join()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.ports[0]}"

    def node(self, number: int) -> redis.Redis:
        return redis.Redis(port=self.ports[number])

    def flush(self) -> None:
        for number in range(3):
            self.node(number).flushall()

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def move(self, slot: int, source: int, to: int) -> None:
        """What `redis-cli --cluster reshard` does with one slot, step by step."""
        here, there = self.node(source), self.node(to)
        own, other = here.cluster("MYID"), there.cluster("MYID")
        own, other = (name.decode() if isinstance(name, bytes) else name for name in (own, other))
        there.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", own)
        here.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", other)
        while keys := here.execute_command("CLUSTER GETKEYSINSLOT", slot, 50):
            here.execute_command("MIGRATE", "127.0.0.1", self.ports[to], "", 0, 5000, "KEYS", *keys)
        for number in (to, source, 3 - source - to):
            self.node(number).execute_command("CLUSTER SETSLOT", slot, "NODE", other)

    def owner(self, slot: int) -> int:
        """The number of the node that has a slot."""
        for first, last, (_, port, *_), *_ in self.node(0).execute_command("CLUSTER SLOTS", NEVER_DECODE=True):
            if first <= slot <= last:
                return self.ports.index(port)
        raise AssertionError(slot)

    def _node(self, program: str, port: int) -> subprocess.Popen:
        home = self._directory / str(port)
        home.mkdir()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home)]
        cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"]
        return subprocess.Popen([program, *options, *cluster], stdout=subprocess.DEVNULL)

    def _join(self) -> None:
        """By hand: `redis-cli --cluster create` sleeps longer than all tests here take."""
        bounds = [0, 5461, 10923, 16384]
        for number, (first, end) in enumerate(itertools.pairwise(bounds)):
            self.node(number).execute_command("CLUSTER ADDSLOTS", *range(first, end))
            self.node(number).execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for port in self.ports[1:]:
            self.node(0).execute_command("CLUSTER MEET", "127.0.0.1", port)
        for number in range(len(self.ports)):
            wait_for(lambda number=number: self._is_up(number), what="the cluster")
        for number in range(3, len(self.ports)):
            master = self.node(number - 3).execute_command("CLUSTER MYID")
            wait_for(lambda number=number, master=master: self._follows(number, master), what="a replica")
        for number in range(len(self.ports) - 3):
            wait_for(lambda number=number: _has_replica(self.ports[number]), 20, "a replica to be in step")

    def _follows(self, number: int, master: bytes | str) -> bool:
        """Once it has heard of its master."""
        try:
            return bool(self.node(number).execute_command("CLUSTER REPLICATE", master))
        except redis.ResponseError:
            return False

    def _is_up(self, number: int) -> bool:
        told = self.node(number).execute_command("CLUSTER INFO")
        text = told.decode() if isinstance(told, bytes) else str(told)
        return ("ok" in text.split("cluster_state")[1][:8]) and len(
            self.node(number).execute_command("CLUSTER SLOTS", NEVER_DECODE=True)
        ) == 3


def _has_replica(port: int) -> bool:
    """It confirms what is written: that comes later than the replica, and its master, say that it is there."""
    with redis.Redis(port=port, single_connection_client=True) as master:
        master.flushall()
        return bool(master.wait(1, 1000))


def _alive(port: int) -> bool:
    try:
        return bool(redis.Redis(port=port).ping())
    except redis.ConnectionError:
        return False
