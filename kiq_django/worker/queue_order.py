"""In which order a capsule looks at its queues."""

import random
from collections.abc import Mapping


class QueueOrder:
    """Strict order when all weights are 0; else by lot, a queue of weight 6 twice as likely to be first as one of 3."""

    def __init__(self, weights: Mapping[str, int], chance: random.Random | None = None) -> None:
        self.names = list(weights)
        self._strict = not any(weights.values()) or len(weights) == 1
        # One weight makes all weighted; queues without one count as 1, as in Sidekiq.
        self._lots = [name for name, weight in weights.items() for _ in range(max(1, weight))]
        self._chance = chance or random.Random()  # noqa: S311 - fairness, not secrecy

    def draw(self) -> list[str]:
        """The order for one fetch."""
        if self._strict:
            return self.names
        return list(dict.fromkeys(self._chance.sample(self._lots, len(self._lots))))
