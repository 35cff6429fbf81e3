"""What the residency check says of whole projects: classes, staging, sources, and the way to what binds."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from pipelines.residency.check import check, minimum_group_size
from pipelines.residency.manifest import Project, Relation, read_manifest
from pipelines.residency.sql_rules import DIALECT, HiddenLineageError, clauses
from regions.data_map import data_map
from regions.errors import ConfigurationError
from regions.residency import ResidencyClass
from tests.support.residency import MART, SIZE, STAGE, UNCLASSED, E, P, R, mart, out, problems
from warehouse.dbt_runner import PROJECT

FREE = f"select currency, amount_minor from {MART}"


def test_the_way_to_what_binds_is_told_model_by_model() -> None:
    middle = Relation(
        "int_amounts",
        "model",
        ("warehouse", "main", "int_amounts"),
        {"currency": E, "amount_minor": E},
        f"select currency, amount_minor from {MART} where merchant_id = 'm'",
    )
    found = problems(mart(), middle, out("select currency, amount_minor from warehouse.main.int_amounts"))
    assert (
        "glb.amount_minor depends on stg_payment_created.merchant_id (regional): glb.amount_minor <- "
        "int_amounts.amount_minor <- fct_payments.merchant_id <- stg_payment_created.merchant_id"
    ) in found


def test_every_source_of_the_project_is_a_lake_table_or_says_which_model_made_it() -> None:
    """A source that says neither ends lineage at what it declares. These two hold what a run is for, and no row."""
    parameters = {"lake.run", "global.coverage"}
    sources = [
        (f"{source['name']}.{table['name']}", table)
        for path in sorted((PROJECT / "models").rglob("*.yml"))
        for source in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader).get("sources", ())
        for table in source["tables"]
    ]
    assert {"lake.events", "regions.fct_payments"} <= {name for name, _ in sources}
    for name, table in sources:
        made_by = table.get("config", {}).get("meta", {}).get("made_by")
        is_lake = name.removeprefix("lake.") in data_map().lake
        if name == "lake.previous_breaks":  # by the same model in another build: a circle that lineage would not end
            assert classes(table) == {
                c: k for c, k in classes(model("rpt_recon_breaks")).items() if c in classes(table)
            }
            continue
        assert is_lake or name in parameters or made_by == table["name"], name


def classes(table: dict[str, Any]) -> dict[str, str]:
    return {column["name"]: column["config"]["meta"]["residency"] for column in table["columns"]}


def model(name: str) -> dict[str, Any]:
    """A model as the project declares it."""
    paths = sorted((PROJECT / "models").rglob("*.yml"))
    files = (yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) for path in paths)
    return next(found for file in files for found in file.get("models", ()) if found["name"] == name)


def test_which_rows_a_model_on_the_way_has_is_followed_even_if_they_are_only_counted() -> None:
    narrow = mart(f"select payment_id, currency, amount_minor, merchant_id from {STAGE} where merchant_id = 'm'")
    found = problems(narrow, out(f"select 'all' as currency, count(*) as amount_minor from {MART}"))
    assert any("glb.amount_minor depends on stg_payment_created.merchant_id" in problem for problem in found), found


def test_models_that_are_made_from_each_other_are_refused() -> None:
    other = mart(f"select payment_id, currency, amount_minor, merchant_id from {MART}", "fct_other")
    circle = mart("select payment_id, currency, amount_minor, merchant_id from warehouse.main.fct_other")
    found = problems(other, circle, out(FREE))
    assert found == ["glb: its lineage is hidden: fct_payments is made from itself"]


def test_a_join_using_that_was_not_resolved_is_refused() -> None:
    with pytest.raises(HiddenLineageError, match="USING"):
        list(clauses(sqlglot.parse_one("select a from b join c using (a)", dialect=DIALECT)))  # type: ignore[arg-type]


def test_a_star_in_a_model_on_the_way_hides_lineage_too() -> None:
    found = problems(mart(f"with s as (select * from {STAGE}) select payment_id, currency from s"), out(FREE))
    assert found == ["glb: its lineage is hidden: fct_payments has a select *: name its columns"]


def test_a_source_that_another_run_made_is_followed_into_its_model() -> None:
    columns = {"payment_id": E, "currency": E, "amount_minor": E}
    exported = Relation(
        "regional.fct_payments", "source", ("eu", "main", "fct_payments"), columns, made_by="fct_payments"
    )
    leaked = out("select currency, payment_id as amount_minor from eu.main.fct_payments")
    assert any("stg_payment_created.payment_id" in problem for problem in problems(mart(), exported, leaked))
    assert problems(mart(), exported, out("select currency, amount_minor from eu.main.fct_payments")) == []


def test_undeclared_and_unmade_columns_of_a_global_model_are_named() -> None:
    sql = f"select currency, amount_minor from {MART}"
    assert problems(mart(), out(sql, "currency")) == ["glb.amount_minor is not declared"]
    assert problems(mart(), out(sql, "currency", "amount_minor", "region")) == ["glb.region is declared, and not made"]


def staged(**columns: ResidencyClass) -> Relation:
    return Relation("stg_x", "model", ("w", "m", "stg_x"), columns, "…", is_staging=True, event="payment.created")


def test_staging_may_not_free_what_the_contract_binds() -> None:
    assert check(Project.of([staged(payment_id=E)]), data_map(), SIZE).problems == (
        "stg_x.payment_id is declared exportable, and payment.created says regional",
    )
    assert check(Project.of([staged(merchant_id=E)]), data_map(), SIZE).problems != ()
    assert check(Project.of([staged(shoe_size=E)]), data_map(), SIZE).problems == (
        "stg_x.shoe_size is no field of payment.created and no column of the envelope",
    )
    strange = replace(staged(payment_id=R), event="payment.imagined")
    assert check(Project.of([strange]), data_map(), SIZE).problems == (
        "stg_x stages payment.imagined, which is no event",
    )
    assert check(Project.of([staged(payment_id=R, currency=R, event_at=E)]), data_map(), SIZE).problems == ()


def test_a_source_may_not_free_what_the_data_map_binds() -> None:
    lake = Relation("lake.settlement_lines", "source", ("lake", "main", "settlement_lines"), {"psp_reference": E})
    assert check(Project.of([lake]), data_map(), SIZE).problems == (
        "source lake.settlement_lines.psp_reference is declared exportable, and the data map says regional",
    )


def test_an_events_data_is_personal_in_the_source_and_may_not_pass_staging_by() -> None:
    columns = {"type": E, "data": R}
    events = Relation("lake.events", "source", ("lake", "main", "events"), columns)
    assert check(Project.of([events]), data_map(), SIZE).problems == (
        "source lake.events.data is declared regional, and the data map says pii",
    )
    declared = replace(events, columns={"type": E, "data": P})
    assert check(Project.of([declared]), data_map(), SIZE).problems == ()
    around = out("select type as currency, data ->> 'amount_minor' as amount_minor from lake.main.events")
    found = check(Project.of([declared, around]), data_map(), SIZE).problems
    assert [problem for problem in found if "lake.events.data (pii)" in problem]
    tokens = replace(staged(card_token=R), event="risk.assessed")
    assert check(Project.of([tokens]), data_map(), SIZE).problems == (
        "stg_x.card_token is declared regional, and risk.assessed says pii",
    )


def test_a_source_may_not_declare_what_the_lake_has_not() -> None:
    lake = Relation("lake.settlement_lines", "source", ("lake", "main", "settlement_lines"), {"shoe_size": E})
    assert check(Project.of([lake]), data_map(), SIZE).problems == (
        "source lake.settlement_lines.shoe_size is no column of the lake's settlement_lines",
    )


def test_every_relation_declares_columns_classes_and_its_contract() -> None:
    bare = Relation("fct", "model", ("w", "m", "fct"), {}, "select 1 as a", is_contracted=False)
    assert check(Project.of([bare, UNCLASSED]), data_map(), SIZE).problems == (
        "crm.notes.note declares no residency class",
        "fct declares no columns",
        "fct: its contract is not enforced, so its columns may be others than it declares",
    )


def test_a_manifest_is_read_as_dbt_writes_it(tmp_path: Path) -> None:
    node = {
        "resource_type": "model",
        "name": "stg_payment_created",
        "alias": "stg_payment_created",
        "database": "warehouse",
        "schema": "main_staging",
        "fqn": ["meridian", "staging", "stg_payment_created"],
        "raw_code": "{{ stage_event('payment.created') }}",
        "compiled_code": "select 1 as amount_minor",
        "tags": ["global"],
        "config": {"contract": {"enforced": True}},
        "columns": {"amount_minor": {"config": {"meta": {"residency": "exportable"}}}, "payment_id": {"meta": {}}},
    }
    source = {
        "resource_type": "source",
        "source_name": "regional",
        "name": "fct",
        "identifier": "fct",
        "database": "eu",
        "schema": "main",
        "fqn": ["meridian", "regional", "fct"],
        "meta": {"made_by": "stg_payment_created"},
        "columns": {"a": {"meta": {"residency": "secret"}}},
    }
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"nodes": {"a": node, "t": {"resource_type": "test"}}, "sources": {"b": source}}))
    project = read_manifest(path)
    model = project.by_name["stg_payment_created"]
    assert (model.columns, model.event, model.is_staging) == (
        {"amount_minor": E, "payment_id": None},
        "payment.created",
        True,
    )
    assert (model.tags, model.sql, model.is_contracted) == (frozenset({"global"}), "select 1 as amount_minor", True)
    node["raw_code"] += " union all select data from lake.main.events"
    path.write_text(json.dumps({"nodes": {"a": node}, "sources": {}}))
    assert read_manifest(path).by_name["stg_payment_created"].event is None, "SQL beside the macro ends no lineage"
    assert project.relations["eu", "main", "fct"].made_by == "stg_payment_created"
    assert project.relations["eu", "main", "fct"].columns == {"a": None}
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match="not a dbt manifest"):
        read_manifest(path)


def test_the_group_size_is_data_with_a_floor() -> None:
    assert minimum_group_size() >= 5
