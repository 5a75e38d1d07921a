"""The server in figures: what it is, how full, how far away."""

from dataclasses import dataclass

from kiq_django import clock
from kiq_django import store as stores
from kiq_django.store import Store
from kiq_django.store.server import ServerInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisBox:
    """Facts about the server at one moment. What it does not tell is None in `server`, each by itself."""

    label: str
    """Its address, without user and password."""
    kind: str
    """How the settings name it: `url`, `cache`, `sentinel`, `embedded`."""
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
        """Ask the server, in two round trips, or three where it forbids INFO.

        Args:
            samples: how many round trips the two times are measured by.

        Raises:
            StoreError: it is away, or does not let us in.
        """
        store = store or stores.get()
        server = store.link.info()
        times = sorted(_measure(store) for _ in range(samples))
        return cls(
            label=str(store.target),
            kind=store.target.kind,
            prefix=store.keys.prefix,
            server=server,
            round_trip=times[samples // 2][0],
            clock_offset=times[0][1],
        )


def _measure(store: Store) -> tuple[float, float]:
    """Seconds of a round trip, and the clock's offset: the quicker the answer, the better is that one known."""
    here, started = clock.now(), clock.monotonic()
    seconds, microseconds = store.link.call("TIME")
    took = clock.monotonic() - started
    return took, here + took / 2 - (seconds + microseconds / 1e6)
