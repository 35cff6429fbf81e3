"""How a table follows its definition: columns are added, widened and renamed, never dropped and never reused.

Iceberg reads every file by field id, so files from before a change stay as they are: an added column is NULL in them, a
widened one is cast, a renamed one goes by its new name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.schema import Schema
    from pyiceberg.table.update.schema import UpdateSchema
    from pyiceberg.types import NestedField

    from warehouse.lake_tables import TableDefinition


def is_evolved(schema: Schema, definition: TableDefinition) -> bool:
    """Whether a table's schema has every column of its definition, under its name and with its type."""
    known = {column.name: column.field_type for column in schema.fields}
    return all(known.get(column.name) == column.field_type for column in definition.schema.fields)


def evolve(update: UpdateSchema, schema: Schema, definition: TableDefinition) -> None:
    """Stage what is missing. Raises ValidationError (PyIceberg) for a change that old files would not survive."""
    known = {column.name: column for column in schema.fields}
    renamed = {new: old for old, new in definition.renames.items() if old in known and new not in known}
    for new, old in renamed.items():
        update.rename_column(old, new)
    for column, stored in _pairs(known, definition, renamed):
        if stored is None:
            update.add_column(column.name, column.field_type, required=False)
        elif stored.field_type != column.field_type:
            update.update_column(stored.name, field_type=column.field_type)


def _pairs(
    known: dict[str, NestedField], definition: TableDefinition, renamed: dict[str, str]
) -> Iterator[tuple[NestedField, NestedField | None]]:
    for column in definition.schema.fields:
        yield column, known.get(renamed.get(column.name, column.name))
