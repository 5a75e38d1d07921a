"""All rows of all models, and in what two states of them differ.

Keys that the database gives out are another in every run: rows that are new since the start are called by their
number among the new ones of their table, and so are references to them.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.db import connections
from django.db.models import AutoField, BigAutoField, DateField, Field, Model, SmallAutoField

GIVEN_OUT: Final = (AutoField, BigAutoField, SmallAutoField)
SHOWN: Final = 200
"""Characters of a row in a message."""


class Place(NamedTuple):
    """One table of one database."""

    alias: str
    table: str


Row = Mapping[str, Any]
Rows = Mapping[tuple[Any, ...], Row]
State = Mapping[Place, Rows]


@dataclass(frozen=True, slots=True)
class Shape:
    """What is to be known of a table."""

    label: str
    """`shop.Order`."""
    keys: tuple[str, ...]
    """Columns of the primary key."""
    numbered: bool
    """The database gives the key out."""
    references: Mapping[str, str]
    """Column, and the table whose key it holds."""
    names: Mapping[str, str]
    """Column, and what the field is called."""
    touched: frozenset[str]
    """Columns that every save changes: those of `auto_now`."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something about rows that is not as it should be."""

    place: Place
    column: str
    """Empty for a row as a whole."""
    text: str


def shapes() -> dict[str, Shape]:
    """The tables of all models of the project, those between many and many included."""
    models = apps.get_models(include_auto_created=True)
    return {model._meta.db_table: _shape(model) for model in models if not model._meta.proxy}


def read(aliases: Sequence[str]) -> State:
    """All rows that there are now."""
    known = shapes()
    return {
        Place(alias, table): _rows(alias, table, known[table])
        for alias in aliases
        for table in sorted(known.keys() & set(connections[alias].introspection.table_names()))
    }


def numbered(state: State, start: State) -> State:
    """The same state with the keys of rows that are new since the start replaced by their numbers."""
    known = shapes()
    new = {
        place: {key: (f"new {number}",) for number, key in enumerate(_new_keys(rows, start.get(place, {})), 1)}
        for place, rows in state.items()
        if known[place.table].numbered
    }
    return {place: dict(_renamed(place, rows, known[place.table], new)) for place, rows in state.items()}


def differences(wanted: State, found: State, *, ignored: Collection[str] = ()) -> Iterator[Difference]:
    """In what `found` is not as `wanted`.

    Args:
        ignored: `app.Model` and `app.Model.field` that may differ.
    """
    known = shapes()
    for place, rows in found.items():
        shape = known[place.table]
        if shape.label not in ignored:
            yield from _table(place, shape, wanted.get(place, {}), rows, ignored)


def _shape(model: type[Model]) -> Shape:
    meta = model._meta
    keys = getattr(meta, "pk_fields", None) or [meta.pk]
    fields: list[Field[Any, Any]] = list(meta.concrete_fields)
    local = [field for field in fields if field.model._meta.db_table == meta.db_table]
    return Shape(
        label=meta.label,
        keys=tuple(str(field.column) for field in keys if field is not None),
        numbered=isinstance(meta.pk, GIVEN_OUT),
        references={str(field.column): _table_of(field) for field in local if field.is_relation and _table_of(field)},
        names={str(field.column): field.name for field in local},
        touched=frozenset(str(field.column) for field in local if isinstance(field, DateField) and field.auto_now),
    )


def _table_of(field: Any) -> str:
    """The table that a foreign key points to by its primary key."""
    target = field.remote_field.model
    own = getattr(field, "target_field", None)
    return str(target._meta.db_table) if own is not None and own.primary_key else ""


def _rows(alias: str, table: str, shape: Shape) -> Rows:
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - a table of a model
        columns = [column[0] for column in cursor.description]
        found = [dict(zip(columns, values, strict=True)) for values in cursor.fetchall()]
    return {tuple(row[key] for key in shape.keys): row for row in found}


def _new_keys(rows: Rows, start: Rows) -> list[tuple[Any, ...]]:
    return sorted(key for key in rows if key not in start)


def _renamed(
    place: Place, rows: Rows, shape: Shape, new: Mapping[Place, Mapping[tuple[Any, ...], tuple[str, ...]]]
) -> Iterator[tuple[tuple[Any, ...], Row]]:
    own = new.get(place, {})
    for key, row in rows.items():
        changed = dict(row)
        for column, table in shape.references.items():
            named = new.get(Place(place.alias, table), {}).get((row.get(column),))
            if named:
                changed[column] = f"{table} {named[0]}"
        if key in own:
            changed.update(zip(shape.keys, own[key], strict=True))
        yield tuple(changed[each] for each in shape.keys), changed


def _table(place: Place, shape: Shape, wanted: Rows, found: Rows, ignored: Collection[str]) -> Iterator[Difference]:
    skipped = {column for column, name in shape.names.items() if f"{shape.label}.{name}" in ignored} | shape.touched
    where = shape.label if place.alias == "default" else f"{shape.label} on {place.alias}"
    for key in found.keys() - wanted.keys():
        yield Difference(place, "", f"{_words(found[key], wanted, shape)}{where}({_told(found[key], shape, skipped)})")
    for key in wanted.keys() - found.keys():
        yield Difference(place, "", f"a row is missing: {where}({_told(wanted[key], shape, skipped)})")
    for key in sorted(found.keys() & wanted.keys(), key=repr):
        for column, value in found[key].items():
            if column not in skipped and value != wanted[key].get(column):
                label = ", ".join(map(str, key))
                name = shape.names.get(column, column)
                yield Difference(
                    place, column, f"{where} {label}: {name} is {value!r}, not {wanted[key].get(column)!r}"
                )


def _words(row: Row, others: Rows, shape: Shape) -> str:
    """A row that is there twice but for its key was doubled."""
    content = _content(row, shape)
    twice = any(_content(other, shape) == content for other in others.values())
    return "a row was doubled: " if twice else "a row more: "


def _content(row: Row, shape: Shape) -> Row:
    left_out = {*shape.keys, *shape.touched}
    return {column: value for column, value in row.items() if column not in left_out}


def _told(row: Row, shape: Shape, skipped: Collection[str]) -> str:
    parts = [f"{shape.names.get(name, name)}={value!r}" for name, value in row.items() if name not in skipped]
    text = ", ".join(parts)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
