"""A table's exact files, for readers that are not Iceberg: DuckDB's read_parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    IcebergType,
    IntegerType,
    LongType,
    StringType,
    TimestamptzType,
)

from regions.errors import MeridianError

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table


CHANGES = "meridian.changes"  # a table property: how often rows have been changed or dropped, as erasure does
_DUCKDB_TYPES: dict[type[IcebergType], str] = {
    StringType: "VARCHAR",
    LongType: "BIGINT",
    IntegerType: "INTEGER",
    BooleanType: "BOOLEAN",
    TimestamptzType: "TIMESTAMP WITH TIME ZONE",
    DateType: "DATE",
    BinaryType: "BLOB",
}


class LakeFilesError(MeridianError):
    """A table cannot be read as a plain list of files."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as DuckDB must read it: by field id, so that a renamed column still finds its data."""

    field_id: int
    name: str
    duckdb_type: str


@dataclass(frozen=True, slots=True)
class TableFiles:
    """One snapshot of a table: its files are immutable, so the same list always reads the same rows."""

    table: str
    snapshot_id: int | None  # None: nothing was ever committed
    lake_seq: int
    files: tuple[str, ...]  # local paths, sorted
    columns: tuple[Column, ...]
    row_count: int | None = None  # None: recorded before it was counted
    changes: int = 0  # how often rows have changed or gone: what was derived before is not to be built upon

    def duckdb_sql(self) -> str:
        """A table expression for DuckDB's FROM clause; without files, an empty relation with the same columns."""
        if not self.files:
            nulls = ", ".join(f"CAST(NULL AS {column.duckdb_type}) AS {_name(column.name)}" for column in self.columns)
            return f"(SELECT {nulls} WHERE false)"
        paths = ", ".join(_literal(path) for path in self.files)
        schema = ", ".join(
            f"{column.field_id}: {{name: {_literal(column.name)}, type: '{column.duckdb_type}', default_value: NULL}}"
            for column in self.columns
        )
        return f"read_parquet([{paths}], schema = MAP {{{schema}}})"


def table_files(table: Table, snapshot_id: int | None = None) -> TableFiles:
    """The files and columns of a snapshot (the current one by default).

    Raises LakeFilesError if the snapshot holds delete files, which a plain list of files would bring back to life.
    """
    snapshot = table.snapshot_by_id(snapshot_id) if snapshot_id is not None else table.current_snapshot()
    if snapshot_id is not None and snapshot is None:
        raise LakeFilesError(
            f"Snapshot {snapshot_id} of {table.name()[-1]} has expired: use the recorded list of files"
        )
    paths: list[str] = []
    row_count = 0
    if snapshot is not None:
        for task in table.scan(snapshot_id=snapshot.snapshot_id).plan_files():
            if task.delete_files:
                raise LakeFilesError(f"{table.name()[-1]} has delete files: deletes in the lake are copy-on-write")
            paths.append(local_path(task.file.file_path))
            row_count += task.file.record_count
    return TableFiles(
        table=table.name()[-1],
        snapshot_id=snapshot.snapshot_id if snapshot else None,
        lake_seq=int(table.properties.get("meridian.lake_seq", "0")),
        files=tuple(sorted(paths)),
        columns=columns_of(table.schema()),
        row_count=row_count,
        changes=int(table.properties.get(CHANGES, "0")),
    )


def columns_of(schema: Schema) -> tuple[Column, ...]:
    """The columns of a table as DuckDB reads them."""
    return tuple(Column(item.field_id, item.name, _duckdb_type(item.field_type)) for item in schema.fields)


def local_path(uri: str) -> str:
    """The path of a file:// URI."""
    parsed = urlparse(uri)
    if parsed.scheme not in {"", "file"}:
        raise LakeFilesError(f"{uri} is not a local file")
    return unquote(parsed.path)


def _duckdb_type(kind: IcebergType) -> str:
    if isinstance(kind, DecimalType):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if type(kind) not in _DUCKDB_TYPES:
        raise LakeFilesError(f"No DuckDB type is known for Iceberg type {kind}")
    return _DUCKDB_TYPES[type(kind)]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
