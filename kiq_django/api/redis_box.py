"""The servers in figures: what each is, how full, how far away."""

from dataclasses import dataclass

from kiq_django import clock
from kiq_django import store as stores
from kiq_django.store import Store
from kiq_django.store.link import Link
from kiq_django.store.server import ServerInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisBox:
    """Facts about one server at one moment. What it does not tell is None in `server`, each by itself."""

    label: str
    """Its address, without user and password."""
    place: str
    """The same; for a node of a cluster, the address that the settings give of it."""
    kind: str
    """How the settings name it: `url`, `cache`, `sentinel`, `embedded`; `cluster` for a node of one."""
    prefix: str
    """Before every key."""
    server: ServerInfo
    """What it says of itself: product, version, memory, policy, persistence, replicas, clients, uptime."""
    round_trip: float
    """Seconds."""
    clock_offset: float
    """Seconds that this host's clock is ahead of the server's."""

    @property
    def clock_error(self) -> float:
        """Seconds by which this host's clock is off for sure: the answer may have been under way for long."""
        return max(0.0, abs(self.clock_offset) - self.round_trip / 2)

    @classmethod
    def read(cls, store: Store | None = None, *, samples: int = 1) -> "RedisBox":
        """Ask the first server, in two round trips, or three where it forbids INFO.

        Args:
            samples: how many round trips the two times are measured by.

        Raises:
            StoreError: it is away, or does not let us in.
        """
        store = store or stores.get()
        return cls._of(store, store.link.nodes()[0], samples)

    @classmethod
    def read_all(cls, store: Store | None = None, *, samples: int = 1) -> "tuple[RedisBox, ...]":
        """Ask each server of the settings, and of a cluster each node with slots, one after the other, as `read`.

        Raises:
            StoreError: as for `read`, with the first that is away.
        """
        servers = (store or stores.get()).servers()
        return tuple(cls._of(each, link, samples) for each in servers for link in each.link.nodes())

    @classmethod
    def _of(cls, store: Store, link: Link, samples: int) -> "RedisBox":
        server = link.info()
        times = sorted(_measure(link) for _ in range(samples))
        return cls(
            label=str(link.target),
            place=str(store.target),
            kind=store.target.kind,
            prefix=store.prefix,
            server=server,
            round_trip=times[samples // 2][0],
            clock_offset=times[0][1],
        )


def _measure(link: Link) -> tuple[float, float]:
    """Seconds of a round trip, and the clock's offset: the quicker the answer, the better is that one known."""
    here, started = clock.now(), clock.monotonic()
    seconds, microseconds = link.call("TIME")
    took = clock.monotonic() - started
    return took, here + took / 2 - (seconds + microseconds / 1e6)
