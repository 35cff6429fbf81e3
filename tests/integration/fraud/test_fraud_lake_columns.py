"""A lake from before transactions were told gains the column: its rows read NULL, new ones tell."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import duckdb
from pyiceberg.schema import Schema

from pipelines.ingest.parse import Record, events_table, sort_records
from regions.events import envelope_json, registry
from regions.region import load_region
from tests.support.regional import RegionDatabase
from warehouse.lake import Lake
from warehouse.lake_tables import EVENTS
from warehouse.lake_writer import stage_append

KIND = registry()["link.created"]
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def record(number: int, xid: int | None) -> Record:
    value = envelope_json(
        event_id=f"00000000-0000-7000-8000-{number:012d}",
        type=KIND.name,
        region="eu",
        subject="plink_x",
        time=AT,
        merchant_id="merch_eu_x",
        livemode=False,
        sequence=number,
        schema_version=KIND.version,
        correlation_id=None,
        data=KIND.examples[0],
        pii=None,
        xid=xid,
    )
    return Record("eu.links.v1", 0, number, f"1:1:{number}", b"plink_x", value)


def test_old_rows_read_null_and_new_rows_tell(new_region_database: Callable[..., RegionDatabase]) -> None:
    before = EVENTS.schema.find_field("xid").field_id
    old = replace(EVENTS, schema=Schema(*(column for column in EVENTS.schema.fields if column.field_id < before)))
    lake = Lake.open(load_region("eu"), new_region_database().env_for("lake"))
    try:
        rows = events_table(sort_records("eu", [record(1, None)]).events, 1, AT).select(old.schema.column_names)
        stage_append(lake, lake.ensure_table(old), rows, {}).commit()

        table = lake.ensure_table(EVENTS)
        assert [column.name for column in table.schema().fields] == [column.name for column in EVENTS.schema.fields]
        assert table.schema().find_field("xid").field_id == EVENTS.schema.find_field("xid").field_id
        assert lake.ensure_table(EVENTS).metadata.last_updated_ms == table.metadata.last_updated_ms, "once is enough"
        rows = events_table(sort_records("eu", [record(2, 2**40)]).events, 2, AT)
        stage_append(lake, lake.events(), rows, {}).commit()

        sql = lake.files("events").duckdb_sql()
        assert duckdb.sql(f"SELECT sequence, xid FROM {sql} ORDER BY 1").fetchall() == [(1, None), (2, 2**40)]
    finally:
        lake.close()
