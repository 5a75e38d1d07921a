"""The processes that there shall be, whichever they are at the moment."""

from dataclasses import dataclass, field

from kiq_django import clock
from kiq_django.management.processes.child import Child

LONGEST_PAUSE = 30.0
STABLE = 10.0
"""Seconds that a child must have lived for its next death to count as the first."""


@dataclass(slots=True)
class Place:
    """One of them."""

    child: Child | None = None
    deaths: int = 0
    again_at: float = field(default_factory=clock.monotonic)
    closed: bool = False
    """Nobody takes this place any more: the queues were drained."""

    @property
    def is_due(self) -> bool:
        """It is time to start a child here."""
        return self.child is None and not self.closed and clock.monotonic() >= self.again_at

    def mourn(self) -> float:
        """Its child has died. Returns the seconds until the next one starts: the more, the more often they die."""
        lived = clock.monotonic() - self.child.started_at if self.child else 0.0
        self.deaths = 1 if lived > STABLE else self.deaths + 1
        pause = min(LONGEST_PAUSE, 0.25 * 2.0 ** (self.deaths - 1))
        self.child, self.again_at = None, clock.monotonic() + pause
        return pause


class Places:
    """Those who work, and those who are on their way out and have been replaced already."""

    def __init__(self, number: int, leaving: list[Child]) -> None:
        self.places = [Place() for _ in range(number)]
        self.leaving = leaving

    @property
    def all(self) -> list[Child]:
        """Every child that lives."""
        return [*self.working, *self.leaving]

    @property
    def working(self) -> list[Child]:
        """Those that have a place."""
        return [place.child for place in self.places if place.child is not None]

    @property
    def are_ready(self) -> bool:
        """Every place has somebody who takes jobs."""
        return all(place.child is not None and place.child.is_ready for place in self.places)

    @property
    def are_closed(self) -> bool:
        """No child is left, and none will come."""
        return all(place.closed for place in self.places) and not self.leaving

    def replace_leaving(self) -> None:
        """Whoever is on the way out makes room for another one at once: a long last job must not cost a place."""
        for place in self.places:
            if place.child is not None and place.child.is_leaving:
                self.leaving.append(place.child)
                place.child = None

    def dismiss(self) -> None:
        """Everybody finishes what runs and goes; the places are free."""
        for place in self.places:
            if place.child is not None:
                place.child.send("USR2")
                self.leaving.append(place.child)
                place.child = None

    def trouble(self) -> dict[str, str]:
        """Children that do not count as alive, by their numbers."""
        return {f"process {child.pid}": child.trouble for child in self.all if child.trouble}

    def why_not_ready(self) -> dict[str, str]:
        """Places that take no jobs."""
        found: dict[str, str] = {}
        for number, place in enumerate(self.places, 1):
            why = place.child.why_not_ready if place.child else "is being restarted"
            if why:
                found[f"process {number}"] = why
        return found
