"""Files of every generation of a table, read by both readers under every schema, before and after compaction."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import DateType, IntegerType, LongType, NestedField, StringType

from regions.region import load_region
from tests.support.regional import RegionDatabase
from warehouse.lake import Lake
from warehouse.lake_compact import compact
from warehouse.lake_tables import TableDefinition
from warehouse.lake_writer import stage_append

ID = NestedField(1, "id", LongType(), required=True)
COUNT = NestedField(2, "count", IntegerType(), required=False)
WIDE = NestedField(2, "count", LongType(), required=False)
NOTE = NestedField(3, "note", StringType(), required=False)
TOTAL = NestedField(2, "total", LongType(), required=False)
DAY = NestedField(4, "day", DateType(), required=False)
# One generation after another: as created, a column added, one widened, one renamed, another added.
GENERATIONS = [
    TableDefinition("evolving", Schema(ID, COUNT)),
    TableDefinition("evolving", Schema(ID, COUNT, NOTE)),
    TableDefinition("evolving", Schema(ID, WIDE, NOTE)),
    TableDefinition("evolving", Schema(ID, TOTAL, NOTE), renames={"count": "total"}),
    TableDefinition("evolving", Schema(ID, TOTAL, NOTE, DAY), renames={"count": "total"}),
]
BIG = 2**40


@pytest.fixture
def lake(new_region_database: Callable[..., RegionDatabase]) -> Iterator[Lake]:
    lake = Lake.open(load_region("eu"), new_region_database().env_for("lake"))
    yield lake
    lake.close()


def row(generation: int, definition: TableDefinition) -> dict[str, Any]:
    """What a writer of that generation writes."""
    names = {column.name for column in definition.schema.fields}
    number = BIG + generation if generation >= 2 else generation * 10
    values = {"id": generation, "count": number, "total": number, "note": f"n{generation}", "day": date(2026, 3, 1)}
    return {name: value for name, value in values.items() if name in names}


def expected(written: int, reader: TableDefinition) -> list[dict[str, Any]]:
    """What a reader of today must see of every writer up to `written`."""
    found = []
    for generation in range(written + 1):
        wrote = row(generation, GENERATIONS[generation])
        if "count" in wrote and "total" in {column.name for column in reader.schema.fields}:
            wrote["total"] = wrote.pop("count")
        found.append({column.name: wrote.get(column.name) for column in reader.schema.fields})
    return found


def by_duckdb(lake: Lake) -> list[dict[str, Any]]:
    found = duckdb.sql(f"SELECT * FROM {lake.files('evolving').duckdb_sql()} ORDER BY id")
    return [dict(zip(found.columns, values, strict=True)) for values in found.fetchall()]


def by_pyiceberg(lake: Lake) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = lake.table("evolving").scan().to_arrow().sort_by("id").to_pylist()
    return rows


def test_every_reader_reads_what_every_writer_wrote(lake: Lake) -> None:
    for generation, definition in enumerate(GENERATIONS):
        table = lake.ensure_table(definition)
        assert {column.name: column.field_id for column in table.schema().fields} == {
            column.name: column.field_id for column in definition.schema.fields
        }
        head = table.metadata_location
        assert lake.ensure_table(definition).metadata_location == head, "once is enough"
        rows = pa.Table.from_pylist([row(generation, definition)], schema=definition.schema.as_arrow())
        stage_append(lake, table, rows, {}).commit()
        wanted = expected(generation, definition)
        assert by_pyiceberg(lake) == wanted, generation
        assert by_duckdb(lake) == wanted, generation
    assert compact(lake, "evolving", None, datetime.now(UTC)).files_before == len(GENERATIONS)
    assert len(lake.files("evolving").files) == 1
    assert by_pyiceberg(lake) == by_duckdb(lake) == expected(len(GENERATIONS) - 1, GENERATIONS[-1])


def test_a_change_that_old_files_would_not_survive_is_refused(lake: Lake) -> None:
    lake.ensure_table(GENERATIONS[2])
    narrowed = TableDefinition("evolving", Schema(ID, NestedField(2, "count", StringType(), required=False), NOTE))
    with pytest.raises(Exception, match="(?i)cannot|change|promote"):
        lake.ensure_table(narrowed)
    assert lake.table("evolving").schema().find_type("count") == LongType()
