"""Photographs made smaller, with Pillow."""

from pathlib import Path

from django.conf import settings
from PIL import Image, ImageOps

from example_project.desk.catalogue import PHOTOS
from example_project.desk.files import replace_file
from example_project.desk.models import Thumbnail


def make(slug: str, width: int) -> Thumbnail:
    """Write the thumbnail and its row. Made twice, both are the same as made once.

    Args:
        slug: a photograph of the catalogue.
        width: in pixels; the height follows.
    """
    name = f"thumbnails/{slug}-{width}.jpg"
    path = Path(settings.MEDIA_ROOT) / name
    with Image.open(PHOTOS[slug].path) as photo:
        small = ImageOps.contain(photo.convert("RGB"), (width, width * 4), Image.Resampling.LANCZOS)
    with replace_file(path) as draft:
        small.save(draft, "JPEG", quality=85, optimize=True)
    facts = {"height": small.height, "bytes": path.stat().st_size, "file": name}
    return Thumbnail.objects.update_or_create(photo=slug, width=width, defaults=facts)[0]
