"""The catalogs of translations: what the source says now, merged into what is translated, and compiled.

`make messages` (which is `python -m tests.catalogs`) brings them up to date. New strings come without a translation,
and those that resemble an old one as fuzzy: a test names them until somebody has written and reviewed them.
Entries stand in the order of their text and without the place where they were found, so that code can move.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import polib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kiq_django"
LANGUAGES = ("de", "es", "fr", "ja")
SOURCES = (".py", ".html", ".txt")
OPTIONS = ("--no-location", "--no-wrap", "--no-obsolete", "--verbosity=0")
TOOLS = ("xgettext", "msgmerge", "msguniq", "msgattrib")
LEFT_OUT = ("POT-Creation-Date", "PO-Revision-Date")
"""Headers that would differ each time."""

Key = tuple[str | None, str, str]


def path(language: str, package: Path = PACKAGE) -> Path:
    """Where the catalog of a language is."""
    return package / "locale" / language / "LC_MESSAGES" / "django.po"


def read(language: str, package: Path = PACKAGE) -> polib.POFile:
    """A catalog, without dates and in the order of its texts."""
    catalog = polib.pofile(str(path(language, package)), wrapwidth=0)
    for name in LEFT_OUT:
        catalog.metadata.pop(name, None)
    catalog.metadata_is_fuzzy = None
    catalog.sort(key=lambda entry: (entry.msgid.casefold(), entry.msgid, entry.msgctxt or ""))
    return catalog


def keys(catalog: polib.POFile) -> set[Key]:
    """What tells one text from another."""
    return {(entry.msgctxt, entry.msgid, entry.msgid_plural) for entry in catalog if not entry.obsolete}


def compiled(language: str) -> bytes:
    """The catalog as gettext reads it."""
    return read(language).to_binary()


def missing_tools() -> list[str]:
    """Programs of GNU gettext that extraction needs and that are not installed."""
    return [each for each in TOOLS if shutil.which(each) is None]


def extract(folder: Path) -> Path:
    """Bring copies of the catalogs up to date in an empty folder, since makemessages litters where it runs.

    Returns:
        The copy of the package.
    """
    package = folder / PACKAGE.name
    for source in _sources():
        target = package / source.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for language in LANGUAGES:
        path(language, package).parent.mkdir(parents=True, exist_ok=True)
    chosen = [option for language in LANGUAGES for option in ("--locale", language)]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-m", "django", "makemessages", *chosen, *OPTIONS]
    subprocess.run(command, cwd=package, env=environment, check=True)
    return package


def _sources() -> Iterator[Path]:
    for found in PACKAGE.rglob("*"):
        if found.suffix in (*SOURCES, ".po") and found.is_file():
            yield found


def update() -> None:
    """Merge what the source says into the catalogs, and compile them."""
    with TemporaryDirectory() as folder:
        package = extract(Path(folder))
        for language in LANGUAGES:
            read(language, package).save(str(path(language)))
    for language in LANGUAGES:
        catalog = read(language)
        path(language).with_suffix(".mo").write_bytes(catalog.to_binary())
        left = [entry for entry in catalog if not entry.translated() or entry.fuzzy]
        print(f"{language}: {len(catalog)} texts, {len(left)} to translate")
        for entry in left:
            print(f"  {entry.msgid!r}")


if __name__ == "__main__":
    if missing_tools():
        sys.exit(f"Not installed: {', '.join(missing_tools())}. They come with GNU gettext: apt-get install gettext")
    update()
