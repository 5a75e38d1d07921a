"""What the desk sells: five photographs in three sizes."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

FOLDER = Path(__file__).parent / "photos"


@dataclass(frozen=True, slots=True)
class Photo:
    slug: str
    title: str
    credit: str

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.slug}.jpg"


PHOTOS = {
    photo.slug: photo
    for photo in (
        Photo("astronaut", "Eileen Collins", "NASA"),
        Photo("cat", "Chelsea the cat", "Stefan van der Walt"),
        Photo("coffee", "Pikolo Espresso", "Rachel Michetti"),
        Photo("galaxies", "eXtreme Deep Field", "NASA, ESA"),
        Photo("rocket", "Falcon 9 lifts DSCOVR", "SpaceX"),
    )
}
PRICES = {"10x15": Decimal("2.90"), "20x30": Decimal("14.50"), "50x70": Decimal("49.00")}
WIDTHS = (64, 128, 192, 256, 384)
CURRENCIES = ("CHF", "GBP", "JPY", "NOK", "SEK", "USD")
