"""Builds of the warehouse, raw and decoded: a DuckDB file compresses what it holds and keeps what was deleted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from pipelines.retention.search.needles import Needles, Searched, canary_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse.builds import Warehouse

BATCH_ROWS = 50_000


def search(warehouse: Warehouse, needles: Needles) -> Searched:
    """Search every file under the warehouse's folder; hits of a build begin with its file's name."""
    searched = Searched("warehouse")
    for path in files(warehouse):
        searched.count("files")
        if needles.are_in(path.read_bytes()):
            searched.hit(f"{path.name}, raw")
    for path in builds(warehouse):
        for place, values in _values(path):
            searched.count("values", len(values) - values.null_count)
            if needles.are_in_column(values):
                searched.hit(f"{path.name}, {place}")
    return searched


def canaries(warehouse: Warehouse) -> dict[str, bytes]:
    """Live values: one of a table, for the decoded search; the name of a table, which DuckDB keeps as it is."""
    for place, values in (pair for path in builds(warehouse) for pair in _values(path)):
        if canary := canary_in(values.to_pylist()):
            return {"decoded tables": canary.encode(), "raw bytes": place.split(".")[1].encode()}
    return {}


def files(warehouse: Warehouse) -> list[Path]:
    """Everything that lies there."""
    if not warehouse.folder.is_dir():
        return []
    return sorted(path for path in warehouse.folder.rglob("*") if path.is_file() and not path.is_symlink())


def builds(warehouse: Warehouse) -> list[Path]:
    """The files of all builds."""
    return [path for path in files(warehouse) if path.suffix == ".duckdb" and path.parent == warehouse.folder]


def _values(path: Path) -> Iterator[tuple[str, pa.Array]]:
    """Where (schema.table.column), and a batch of the values there, as text."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "SELECT DISTINCT schema_name, table_name FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        for schema, table in tables:
            texts = connection.sql(f'SELECT CAST(COLUMNS(*) AS VARCHAR) FROM "{schema}"."{table}"')  # noqa: S608
            for batch in texts.to_arrow_reader(BATCH_ROWS):
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    yield f"{schema}.{table}.{name}", column
