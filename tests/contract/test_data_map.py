"""The data map is total: it is held against the real catalog, the Iceberg schemas and what `retention` may touch."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipelines
import warehouse
from pipelines.retention.tables import forget_merchants
from regions.contract_files import CONTRACTS
from regions.data_map import Erasure, Store, check_columns, data_map
from regions.errors import ConfigurationError
from regions.retention import data_classes
from tests.support.regional import RegionDatabase
from warehouse.lake import Lake
from warehouse.lake_tables import STREAM_TABLES, TableDefinition


def catalog_columns(database: RegionDatabase) -> dict[str, list[str]]:
    with database.connect("postgres") as connection:
        rows = connection.execute(
            """SELECT n.nspname, c.relname, a.attname
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 JOIN pg_attribute a ON a.attrelid = c.oid
                WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
                  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'"""
        ).fetchall()
    found: dict[str, list[str]] = {}
    for schema, table, column in rows:
        found.setdefault(table if schema == "public" else f"{schema}.{table}", []).append(column)
    return found


def lake_definitions() -> Iterator[TableDefinition]:
    """Every definition of a lake table that any module of ours makes."""
    for package in (pipelines, warehouse):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "stack" in module.name or "demo" in module.name:
                continue
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, TableDefinition):
                    yield value


@pytest.fixture
def with_lake(region_database: RegionDatabase) -> RegionDatabase:
    """The database with the Iceberg catalog's own tables in it."""
    from regions.region import load_region

    lake = Lake.open(load_region("eu"), region_database.env_for("lake"))
    try:
        for definition in STREAM_TABLES:
            lake.ensure_table(definition)
    finally:
        lake.close()
    return region_database


def test_every_column_of_the_database_declares_its_class(with_lake: RegionDatabase) -> None:
    assert check_columns(data_map().tables, catalog_columns(with_lake)) == []


def test_an_undeclared_column_and_table_are_named(with_lake: RegionDatabase) -> None:
    actual = catalog_columns(with_lake)
    actual["payments"].append("payer_birthday")
    actual["diaries"] = ["entry"]
    assert check_columns(data_map().tables, actual) == [
        "table diaries declares no residency at all",
        "column payments.payer_birthday declares no class",
    ]


def test_every_column_of_the_lake_declares_its_class() -> None:
    actual = {found.name: [field.name for field in found.schema.fields] for found in lake_definitions()}
    assert {"events", "quarantine", "settlement_lines"} <= set(actual)
    assert check_columns(data_map().lake, actual) == []


def test_every_data_class_of_a_table_is_one_that_regions_have_rules_for() -> None:
    used = {table.data_class for table in data_map().tables.values()} - {None}
    assert used <= set(data_classes())


def test_retention_may_change_what_is_personal_and_nothing_else(region_database: RegionDatabase) -> None:
    """Beyond its own records: the personal columns that erasure empties, and `erased_at`."""
    own = {"erasure_requests", "legal_holds", "retention_plans", "retention_steps"}
    with region_database.connect("postgres") as connection:
        granted = {
            (table, column)
            for table, column in connection.execute(
                """SELECT table_name, column_name FROM information_schema.column_privileges
                    WHERE grantee = 'retention' AND table_schema = 'public'
                      AND privilege_type IN ('UPDATE', 'INSERT')"""
            )
            if table not in own
        }
        deletable = {
            row[0]
            for row in connection.execute(
                """SELECT table_name FROM information_schema.table_privileges
                    WHERE grantee = 'retention' AND privilege_type IN ('DELETE', 'TRUNCATE')"""
            )
        }
    emptied = {
        (table.name, column.name)
        for table in data_map().tables.values()
        for column in table.personal
        if column.erasure not in {Erasure.EXPIRES, Erasure.ROW}
    }
    assert granted == emptied | {("data_subjects", "erased_at"), ("merchants", "name"), ("merchants", "erased_at")}
    with_merchant = {name for name, _ in forget_merchants()} - {"merchants"}
    by_clock = {table.name for table in data_map().tables.values() if table.clock} - {"merchants"}
    following = {table.name for name in by_clock for table in data_map().followers(name, Store.POSTGRES)}
    assert deletable == by_clock | following | with_merchant | {"object_sequences"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('data_class = "merchant_record"', 'data_class = "merchant_records"', "data_class is 'merchant_records'"),
        (
            'regional = ["id", "name", "parent_id"',
            'regional = ["id", "name", "country", "parent_id"',
            "names country, which has a class already",
        ),
        ('of = ["checkout_sessions"] }', 'of = ["checkout_session"] }', "names checkout_session, which is no table"),
        ('subject = { column = "session_id"', 'subject = { column = "visit"', "names visit, a column without a class"),
        ('erasure = "blank"', 'erasure = "forget"', "erasure is 'forget'"),
        ("clock = { written", "clock = { wrote", "wrote is no trigger"),
        ('holds = "event"', 'holds = "token"', "is fields, which only an event has"),
        ('of = ["checkout_sessions"] }', 'of = ["link_slots"] }', "whose key is more than one column"),
    ],
)
def test_a_wrong_map_names_the_file_and_the_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    for name in ("tables.toml", "lake.toml"):
        text = (CONTRACTS / name).read_text("utf-8")
        if name == "tables.toml":
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=message) as caught:
        data_map(tmp_path)
    assert "tables.toml" in str(caught.value)
