"""The dbt project and the event contracts agree, and every column of every relation has a residency class."""

import copy
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.recon.landing import SETTLEMENT_LINES
from regions.events import registry
from warehouse.dbt_runner import PROJECT
from warehouse.lake_bank import BANK_ENTRIES, BANK_STATEMENTS
from warehouse.lake_fx import FX_RATES
from warehouse.lake_tables import EVENTS

CLASSES = {"exportable", "regional"}
JSON_TYPES = {"integer": {"bigint", "integer"}, "boolean": {"boolean"}, "array": {"json"}, "object": {"json"}}
ENVELOPE = {"event_id", "event_at", "sequence", "merchant_id", "livemode", "region", "lake_seq"}


def documents() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted([*PROJECT.glob("models/**/*.yml"), *PROJECT.glob("seeds/*.yml")]):
        yield path, yaml.load(path.read_text(), yaml.CSafeLoader)


def relations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from document.get("models", [])
    yield from document.get("seeds", [])
    for source in document.get("sources", []):
        yield from source["tables"]


def undeclared(document: dict[str, Any]) -> list[str]:
    """Columns without a residency class; a model without columns counts as one. Only a source may hold `pii`."""
    found = []
    tables = [table["name"] for source in document.get("sources", []) for table in source["tables"]]
    for relation in relations(document):
        if not relation.get("columns"):
            found.append(relation["name"])
        found += [
            f"{relation['name']}.{column['name']}"
            for column in relation.get("columns", [])
            if column.get("config", {}).get("meta", {}).get("residency")
            not in CLASSES | ({"pii"} if relation["name"] in tables else set())
        ]
    return found


@functools.cache
def staging() -> dict[str, dict[str, Any]]:
    files = [path for path in PROJECT.glob("models/staging/**/*.yml") if path.parent.name not in {"settlement", "fx"}]
    documents = [yaml.load(path.read_text(), yaml.CSafeLoader) for path in files]
    return {model["name"]: model for document in documents for model in document["models"]}


def test_every_column_declares_its_residency_class() -> None:
    for path, document in documents():
        assert undeclared(document) == [], path


def test_an_undeclared_column_would_be_found() -> None:
    document = copy.deepcopy(next(document for path, document in documents() if path.name == "_finance.yml"))
    del document["models"][0]["columns"][3]["config"]
    assert undeclared(document) == ["fct_payments.merchant_id"]


def test_every_relation_and_column_is_described_and_every_model_tests_its_grain() -> None:
    for path, document in documents():
        for relation in relations(document):
            assert relation["description"], path
            assert all(column["description"] and column["data_type"] for column in relation["columns"]), relation[
                "name"
            ]
        for model in [*document.get("models", []), *document.get("seeds", [])]:
            assert any("grain" in test for test in model["data_tests"]), f"{model['name']} does not test its grain"


def test_every_model_file_is_declared() -> None:
    declared = {relation["name"] for _, document in documents() for relation in document.get("models", [])}
    assert {path.stem for path in PROJECT.glob("models/**/*.sql")} == declared


def test_every_event_type_is_staged() -> None:
    assert set(staging()) == {"stg_" + name.replace(".", "_") for name in registry()}
    macro = (PROJECT / "macros/stage_event.sql").read_text()
    assert all(f"'{name}'" in macro for name in registry()), "event_types() lacks a type: its rows would not be counted"


@pytest.mark.parametrize("name", sorted(registry()))
def test_a_staging_model_has_the_fields_of_its_contract(name: str) -> None:
    schema = registry()[name].schema
    columns = {
        column["name"]: column
        for column in staging()["stg_" + name.replace(".", "_")]["columns"]
        if column["name"] not in ENVELOPE
    }
    staged = {field: rule for field, rule in schema["properties"].items() if rule["x-residency"] != "pii"}
    assert set(columns) == set(staged), "what is personal stays in the lake"
    for field, rule in staged.items():
        column = columns[field]
        assert column["config"]["meta"]["residency"] == rule["x-residency"], field
        assert ({"type": "not_null"} in column.get("constraints", [])) == (field in schema["required"]), field
        expected = JSON_TYPES.get(rule["type"]) or {
            "date-time": {"timestamptz"},
            "date": {"date"},
        }.get(rule.get("format"), {"varchar"})
        assert column["data_type"] in expected, field


def test_sources_name_columns_that_the_lake_has() -> None:
    document = yaml.safe_load((PROJECT / "models/sources.yml").read_text())
    tables = {
        table["name"]: {column["name"] for column in table["columns"]} for table in document["sources"][0]["tables"]
    }
    assert tables["events"] <= {field.name for field in EVENTS.schema.fields}
    assert tables["settlement_lines"] <= {field.name for field in SETTLEMENT_LINES.schema.fields}
    documents = [yaml.load(path.read_text(), yaml.CSafeLoader) for path in PROJECT.glob("models/staging/*/*.yml")]
    for table in (one for document in documents for source in document.get("sources", []) for one in source["tables"]):
        definition = {one.name: one for one in (BANK_ENTRIES, BANK_STATEMENTS, FX_RATES)}[table["name"]]
        assert [column["name"] for column in table["columns"]] == [field.name for field in definition.schema.fields]
    assert "pii" not in tables["events"]


def test_no_python_package_hides_dbt() -> None:
    assert list(PROJECT.rglob("__init__.py")) == []
