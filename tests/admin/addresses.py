"""Every address of ours, as the URL resolver of an admin site knows it: a new one is in every test at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

SITES = ("admin", "backoffice")


@dataclass(frozen=True)
class Address:
    """One view of one admin site."""

    site: str
    name: str
    places: tuple[str, ...]
    """Names of the placeholders."""

    def at(self, **values: str) -> str:
        """Where it is; empty for values that no address can hold."""
        try:
            return reverse(f"{self.site}:{self.name}", kwargs={place: values[place] for place in self.places})
        except (NoReverseMatch, UnicodeEncodeError):
            return ""

    def with_each(self, values: dict[str, list[str]]) -> list[str]:
        """Where it is for every choice of values."""
        chosen = product(*(values[place] for place in self.places))
        found = [self.at(**dict(zip(self.places, each, strict=True))) for each in chosen]
        return [url for url in found if url]


def addresses(site: str = "admin") -> list[Address]:
    """All of a site."""
    (resolver,) = [each for each in get_resolver().url_patterns if getattr(each, "namespace", "") == site]
    found = [_address(site, pattern) for pattern in _patterns(resolver) if (pattern.name or "").startswith("kiq_")]
    assert len({each.name for each in found}) == len(found)
    return found


def _patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from _patterns(each)
        else:
            yield each


def _address(site: str, pattern: URLPattern) -> Address:
    return Address(site, str(pattern.name), tuple(pattern.pattern.converters))
