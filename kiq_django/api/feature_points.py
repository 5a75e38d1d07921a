"""What features say needs attention."""

import logging
from collections.abc import Iterator

from kiq_django import plugins
from kiq_django.api.points import Point

logger = logging.getLogger("kiq_django")


def find() -> Iterator[Point]:
    """The points of all features; one that cannot look is passed over, and logged."""
    for feature in plugins.features():
        if feature.points:
            try:
                yield from feature.points()
            except Exception:
                logger.exception("Feature %s could not look whether all is well", feature.name)
