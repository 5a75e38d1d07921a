"""In which order a capsule looks at its queues."""

import random
from collections.abc import Callable, Mapping, Sequence


class QueueOrder:
    """Strict order when all weights are 0; else by lot, a queue of weight 6 twice as likely to be first as one of 3.

    The lists of a queue stand together, each time another one first.
    """

    def __init__(
        self,
        weights: Mapping[str, int],
        chance: random.Random | None = None,
        lists: Callable[[str], Sequence[str]] = lambda queue: (queue,),
    ) -> None:
        self._lists = {queue: list(lists(queue)) for queue in weights}
        self._is_parted = any(len(names) > 1 for names in self._lists.values())
        self.names = [name for names in self._lists.values() for name in names]
        """Of all lists."""
        self._queues = list(weights)
        self._strict = not any(weights.values()) or len(weights) == 1
        # One weight makes all weighted; queues without one count as 1, as in Sidekiq.
        self._lots = [name for name, weight in weights.items() for _ in range(max(1, weight))]
        self._chance = chance or random.Random()  # noqa: S311 - fairness, not secrecy

    def draw(self) -> list[str]:
        """The order for one fetch."""
        queues = self._queues if self._strict else list(dict.fromkeys(self._chance.sample(self._lots, len(self._lots))))
        return self._parted(queues) if self._is_parted else queues

    def _parted(self, queues: Sequence[str]) -> list[str]:
        found: list[str] = []
        for queue in queues:
            names = self._lists[queue]
            found += names
            if len(names) > 1:
                names.append(names.pop(0))
        return found
