"""Builds of the warehouse, raw and decoded: a DuckDB file compresses what it holds and keeps what was deleted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from pipelines.retention.search.needles import Needles, Searched, canary_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse.builds import Warehouse

BATCH_ROWS = 10_000


def search(warehouse: Warehouse, needles: Needles) -> Searched:
    """Search every file under the warehouse's folder; hits of a build begin with its file's name."""
    searched = Searched("warehouse")
    for path in files(warehouse):
        searched.count("files")
        if needles.are_in(path.read_bytes()):
            searched.hit(f"{path.name}, raw")
    for path in builds(warehouse):
        for place, values in _values(path):
            searched.count("values", len(values))
            if needles.are_among(values):
                searched.hit(f"{path.name}, {place}")
    return searched


def canaries(warehouse: Warehouse) -> dict[str, bytes]:
    """Live values: one of a table, for the decoded search; the name of a table, which DuckDB keeps as it is."""
    for place, values in (pair for path in builds(warehouse) for pair in _values(path)):
        if canary := canary_in(values):
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


def _values(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Where (schema.table.column), and a batch of the different values there, as text."""
    with duckdb.connect(str(path), read_only=True) as connection:
        columns = connection.execute(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        for schema, table, column in columns:
            query = (
                f'SELECT DISTINCT CAST("{column}" AS VARCHAR) FROM "{schema}"."{table}" WHERE "{column}" IS NOT NULL'  # noqa: S608
            )
            cursor = connection.execute(query)
            while rows := cursor.fetchmany(BATCH_ROWS):
                yield f"{schema}.{table}.{column}", [value for (value,) in rows]
