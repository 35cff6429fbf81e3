"""What a build takes from a real catalog and a real relay cursor: the files, and a cut that splits no transaction."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from psycopg.types.json import Jsonb

from pipelines.builds.service import build_warehouse, take_inputs
from pipelines.recon.service import reconcile_day
from regions.errors import UsageError
from regions.region import load_region
from tests.support.regional import RegionDatabase
from tests.support.warehouse import DAY, TradedDay
from warehouse.inputs import RunParameters, StreamCut, write_inputs
from warehouse.lake import POSITIONS, Lake
from warehouse.lake_tables import EVENTS

NewDatabase = Callable[..., RegionDatabase]
PAYMENTS, LEDGER = "eu.payments.v1/0", "eu.ledger.v1/0"


def fill(database: RegionDatabase, positions: dict[str, str], events: list[dict[str, object]]) -> None:
    lake = Lake.open(load_region(database.region), database.env_for("lake"))
    table = lake.ensure_table(EVENTS)
    with table.transaction() as transaction:
        transaction.append(pa.Table.from_pylist(events, schema=EVENTS.schema.as_arrow()))
        transaction.set_properties({POSITIONS: json.dumps(positions)})
    lake.close()


def relay_is_at(database: RegionDatabase, ends: list[dict[str, str]]) -> None:
    """The relay has sent batches 1 to n, whose last positions per partition are `ends`."""
    with database.connect("postgres") as connection:
        connection.execute("UPDATE relay_cursor SET batch = %s, partitions = %s", (len(ends), Jsonb(ends[-1])))
        for number, before in enumerate([{}, *ends[:-1]], 1):
            connection.execute(
                "INSERT INTO relay_batches VALUES (1, %s, '1:1:', '1:1:', %s, 1, now())", (number, Jsonb(before))
            )


def test_a_payment_whose_journal_is_still_on_its_way_waits_for_it(
    new_region_database: NewDatabase, tmp_path: Path
) -> None:
    database = new_region_database("eu")
    region = load_region("eu")
    day = TradedDay(region)
    first = day.session("paid") and list(day.events)
    second = day.session("paid") and day.events[len(first) :]
    for number, batch in ((1, first), (2, second)):
        for ordinal, event in enumerate(batch, 1):
            event["position"] = f"1:{number}:{ordinal}"
    landed = [*first, *(event for event in second if event["type"] != "journal.posted")]
    size = len(first)
    relay_is_at(database, [{PAYMENTS: f"1:1:{size - 1}", LEDGER: f"1:1:{size}"}, {PAYMENTS: "1:2:9", LEDGER: "1:2:10"}])
    fill(database, {PAYMENTS: "1:2:9", LEDGER: f"1:1:{size}"}, landed)

    inputs = take_inputs(region, database.env_for("lake"))
    assert inputs.cut == StreamCut(1, 1)
    write_inputs(tmp_path / "lake.duckdb", inputs, RunParameters("eu", region.timezone, DAY, "EUR"))
    with duckdb.connect(str(tmp_path / "lake.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (len(first),)
        assert connection.execute("SELECT count(*) FROM events WHERE type = 'payment.succeeded'").fetchone() == (1,)


def test_a_lake_that_was_never_written_is_empty_and_typed(new_region_database: NewDatabase) -> None:
    database = new_region_database("us")
    inputs = take_inputs(load_region("us"), database.env_for("lake"))
    assert (inputs.events.files, inputs.settlement_lines.files, inputs.cut) == ((), (), None)
    assert duckdb.sql(inputs.events.duckdb_sql().strip("()")).columns == [field.name for field in EVENTS.schema.fields]


def test_a_day_is_built_again_from_its_recorded_inputs_until_refreshed(
    new_region_database: NewDatabase, tmp_path: Path
) -> None:
    database = new_region_database("eu")
    region, env = load_region("eu"), database.env_for("lake")
    day = TradedDay(region).trade(5)
    report = tmp_path / "report.csv"
    report.write_bytes(day.report()[0])
    relay_is_at(database, [{PAYMENTS: "1:99999:1"}])
    for event in day.events:
        event["position"] = "1:1:1"
    fill(database, {PAYMENTS: "1:99999:1"}, day.events)

    first = build_warehouse(region, DAY, env, refresh=False)
    with pytest.raises(UsageError, match="was built for 2026-03-14, not for 2026-03-15"):
        reconcile_day(region, DAY + timedelta(days=1), env, report)
    done = reconcile_day(region, DAY, env, report)
    assert done.landed is not None
    assert done.landed.is_new
    assert done.record.reports == {"sandbox/2026-03-14": done.landed.sha256}

    later = TradedDay(region, seed=2).trade(2).events
    for event in later:
        event["position"] = "1:1:2"
    fill(database, {PAYMENTS: "1:99999:1"}, later)
    again = build_warehouse(region, DAY, env, refresh=False)
    assert (again.rerun_of, again.table_rows["fct_links"]) == (first.number, first.table_rows["fct_links"])
    reran = reconcile_day(region, DAY, env)  # nothing is fetched: there is no gateway to fetch from
    assert reran.record.table_rows == done.record.table_rows

    fresh = build_warehouse(region, DAY, env, refresh=True)
    assert fresh.rerun_of is None
    assert fresh.table_rows["fct_links"] == first.table_rows["fct_links"] + 2
