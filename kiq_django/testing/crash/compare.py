"""What came of a scenario, and in what it differs from what should have come of it."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kiq_django.testing.crash import rows
from kiq_django.testing.crash.points import KINDS, Effect, Kind

KEYED: Final = frozenset({"http", "effect"})


@dataclass(frozen=True, slots=True)
class Result:
    """What stays after one scenario."""

    state: rows.State
    effects: Sequence[Effect]
    cache: Mapping[str, str]
    """Values by key, of those that were written."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What differs between two runs from the same start that nobody disturbed: random tokens and their like."""

    columns: frozenset[tuple[rows.Place, str]] = frozenset()
    """With the column empty the rows of the table can only be counted."""
    kinds: frozenset[Kind] = frozenset()
    """Effects of which only the brief words can be compared."""
    cache: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ignored:
    """What a test does not want to hear of."""

    names: frozenset[str] = field(default_factory=frozenset)
    """`app.Model`, `app.Model.field`, and kinds of effects."""

    @classmethod
    def of(cls, names: Collection[str]) -> "Ignored":
        """Check the names.

        Raises:
            ValueError: one of them is neither a model, a field nor a kind of effect.
        """
        known = {*KINDS} | {shape.label for shape in rows.shapes().values()}
        known |= {f"{shape.label}.{name}" for shape in rows.shapes().values() for name in shape.names.values()}
        for name in names:
            if name not in known:
                raise ValueError(
                    f"ignore: {name!r} is neither app.Model, app.Model.field nor one of {', '.join(KINDS)}"
                )
        return cls(frozenset(names))


def noise(one: Result, other: Result) -> Noise:
    """What chance, or a key that the database gives out, has changed between two runs."""
    columns = {(each.place, each.column) for each in rows.differences(one.state, other.state)}
    kinds = {kind for kind in KINDS if _details(one.effects, kind) != _details(other.effects, kind)}
    cache = {key for key in one.cache.keys() | other.cache.keys() if one.cache.get(key) != other.cache.get(key)}
    return Noise(frozenset(columns), frozenset(kinds), frozenset(cache))


def differences(wanted: Result, found: Result, ignored: Ignored, heard: Noise = Noise()) -> list[str]:
    """In what `found` is not as `wanted`, each in words; empty when all is well."""
    return [
        *_of_effects(wanted.effects, found.effects, ignored, heard),
        *_of_rows(wanted.state, found.state, ignored, heard),
        *_of_cache(wanted.cache, found.cache, ignored, heard),
    ]


def _of_rows(wanted: rows.State, found: rows.State, ignored: Ignored, heard: Noise) -> Iterator[str]:
    if "commit" in ignored.names:
        return
    for each in rows.differences(wanted, found, ignored=ignored.names):
        if (each.place, "") not in heard.columns and (each.place, each.column) not in heard.columns:
            yield each.text
    for place in sorted({place for place, column in heard.columns if not column}):
        label = rows.shapes()[place.table].label
        counts = len(wanted.get(place, {})), len(found.get(place, {}))
        if counts[0] != counts[1] and label not in ignored.names:
            yield f"{label} has {counts[1]} rows instead of {counts[0]}"


def _of_effects(wanted: Sequence[Effect], found: Sequence[Effect], ignored: Ignored, heard: Noise) -> Iterator[str]:
    for kind in KINDS:
        if kind in ignored.names:
            continue
        brief = kind in heard.kinds
        before, after = _counted(wanted, kind, brief=brief), _counted(found, kind, brief=brief)
        places = {(each.brief if brief else each.detail): each.place for each in found if each.kind == kind}
        for text in dict.fromkeys([*after, *before]):
            if after[text] != before[text]:
                where = f", at {places[text]}" if text in places else ""
                yield f"{text}: {_times(after[text])} instead of {_times(before[text])}{where}"


def _counted(effects: Sequence[Effect], kind: Kind, *, brief: bool) -> Counter[str]:
    """How often each happened; to one with a key the outside answers alike however often it comes."""
    seen: set[tuple[str, str]] = set()
    count: Counter[str] = Counter()
    for each in effects:
        if each.kind == kind and (not each.key or (each.brief, each.key) not in seen):
            seen.add((each.brief, each.key))
            count[each.brief if brief else each.detail] += 1
    return count


def _of_cache(wanted: Mapping[str, str], found: Mapping[str, str], ignored: Ignored, heard: Noise) -> Iterator[str]:
    if "cache" in ignored.names:
        return
    for key in sorted(wanted.keys() | found.keys()):
        if key not in heard.cache and wanted.get(key) != found.get(key):
            yield f"cache {key} is {found.get(key, 'untouched')}, not {wanted.get(key, 'untouched')}"


def _details(effects: Sequence[Effect], kind: Kind) -> list[str]:
    return [each.detail for each in effects if each.kind == kind]


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
