"""Which global models may leave their region, on small projects: each refusal, with the way to what binds."""

import json
from pathlib import Path

import pytest

from pipelines.residency.check import check, minimum_group_size
from pipelines.residency.manifest import Project, Relation, read_manifest
from regions.data_map import data_map
from regions.errors import ConfigurationError
from regions.residency import ResidencyClass

E, R, P = ResidencyClass.EXPORTABLE, ResidencyClass.REGIONAL, ResidencyClass.PII
SIZE = 5

STAGED = Relation(
    "stg_payment_created",
    "model",
    ("warehouse", "main_staging", "stg_payment_created"),
    {"payment_id": R, "currency": E, "amount_minor": E, "event_at": E, "merchant_id": R},
    "select * from lake.main.events",
    is_staging=True,
    event="payment.created",
)
PAYERS = Relation("crm.payers", "source", ("lake", "main", "payers"), {"payment_id": R, "token": P, "country": E})
TERMS = Relation("terms", "seed", ("warehouse", "main", "terms"), {"currency": E, "label": E, "account": R})
UNCLASSED = Relation("crm.notes", "source", ("lake", "main", "notes"), {"currency": E, "note": None})
MART = "warehouse.main.fct_payments"
STAGE = "warehouse.main_staging.stg_payment_created"


def mart(sql: str | None = None, name: str = "fct_payments") -> Relation:
    sql = sql or f"select payment_id, currency, amount_minor, merchant_id from {STAGE}"
    columns = {"payment_id": R, "currency": E, "amount_minor": E, "merchant_id": R}
    return Relation(name, "model", ("warehouse", "main", name), columns, sql)


def out(sql: str, *columns: str) -> Relation:
    names = columns or ("currency", "amount_minor")
    address = ("warehouse", "main", "glb")
    return Relation("glb", "model", address, dict.fromkeys(names, E), sql, tags=frozenset({"global"}))


def problems(*models: Relation) -> list[str]:
    others = (STAGED, PAYERS, TERMS, UNCLASSED, *models)
    found = check(Project.of(list({relation.name: relation for relation in others}.values())), data_map(), SIZE)
    return [problem for problem in found.problems if "crm.notes" not in problem or problem.startswith("glb")]


FREE = {
    "exportable columns": f"select currency, amount_minor from {MART}",
    "through a CTE with a predicate on exportable data": (
        f"with euros as (select currency, amount_minor from {MART} where currency = 'EUR')"
        " select currency, amount_minor from euros"
    ),
    "a join on exportable data": (
        f"select p.currency, p.amount_minor from {MART} p join warehouse.main.terms t on t.currency = p.currency"
    ),
    "a guarded aggregate over a join on regional keys": (
        f"select p.currency, sum(p.amount_minor) as amount_minor from {MART} p join {STAGE} s"
        " on s.payment_id = p.payment_id where s.merchant_id <> 'x' group by p.currency having count(*) >= 5"
    ),
    "a guarded count of regional ids": (
        f"select currency, count(distinct payment_id) as amount_minor from {MART}"
        " group by 1 having count(distinct merchant_id) > 4 and sum(amount_minor) > 0"
    ),
    "an aggregate united from two regions": (
        f"select currency, sum(amount_minor) as amount_minor from {MART} group by currency having 5 <= count(*)"
        f" union all select currency, amount_minor from {MART} where amount_minor > 100"
    ),
}


@pytest.mark.parametrize("sql", FREE.values(), ids=FREE.keys())
def test_what_is_free_may_leave(sql: str) -> None:
    assert problems(mart(), out(sql)) == []


BOUND = {
    "a regional value": (f"select currency, payment_id as amount_minor from {MART}", "glb.amount_minor depends on"),
    "a predicate": (
        f"select currency, amount_minor from {MART} where merchant_id = 'm'",
        "payment_created.merchant_id",
    ),
    "a join key": (
        f"select p.currency, p.amount_minor from {MART} p join {STAGE} s on s.payment_id = p.payment_id",
        "stg_payment_created.payment_id (regional)",
    ),
    "a using key": (
        f"select p.currency, p.amount_minor from {MART} p join {STAGE} s using (payment_id)",
        "stg_payment_created.payment_id (regional)",
    ),
    "an exists": (
        (
            f"select currency, amount_minor from {MART} p"
            f" where exists (select 1 from {STAGE} s where s.payment_id = p.payment_id)"
        ),
        "stg_payment_created.payment_id (regional)",
    ),
    "an order with a limit": (
        f"select currency, amount_minor from {MART} order by payment_id limit 1",
        "payment_id (regional)",
    ),
    "a window": (
        f"select currency, row_number() over (partition by merchant_id order by currency) as amount_minor from {MART}",
        "glb.amount_minor depends on stg_payment_created.merchant_id",
    ),
    "a qualify": (
        f"select currency, amount_minor from {MART} qualify row_number() over (partition by merchant_id) = 1",
        "glb.currency depends on stg_payment_created.merchant_id",
    ),
    "distinct with a regional column beside": (
        f"select currency, amount_minor from (select distinct currency, amount_minor, payment_id from {MART}) as d",
        "payment_id (regional)",
    ),
    "a group key": (
        f"select currency, sum(amount_minor) as amount_minor from {MART} group by currency, merchant_id",
        "merchant_id (regional)",
    ),
    "a regional group key behind a guard": (
        (
            f"select merchant_id as currency, sum(amount_minor) as amount_minor from {MART}"
            " group by merchant_id having count(*) >= 5"
        ),
        "glb.currency depends on stg_payment_created.merchant_id",
    ),
    "an aggregate without a guard": (
        f"select currency, count(payment_id) as amount_minor from {MART} group by currency",
        "payment_id (regional)",
    ),
    "a guard that is too small": (
        f"select currency, count(payment_id) as amount_minor from {MART} group by currency having count(*) >= 4",
        "payment_id (regional)",
    ),
    "a guard in an or": (
        (
            f"select currency, count(payment_id) as amount_minor from {MART} group by currency"
            " having count(*) >= 5 or sum(amount_minor) > 0"
        ),
        "payment_id (regional)",
    ),
    "a guarded aggregate that shows an id": (
        f"select currency, max(payment_id) as amount_minor from {MART} group by currency having count(*) >= 5",
        "glb.amount_minor depends on stg_payment_created.payment_id",
    ),
    "personal data, even when counted": (
        (
            "select country as currency, count(distinct token) as amount_minor from lake.main.payers"
            " group by country having count(*) >= 5"
        ),
        "glb.amount_minor aggregates crm.payers.token (pii)",
    ),
    "an unclassed leaf": (
        "select currency, note as amount_minor from lake.main.notes",
        "glb.amount_minor depends on crm.notes.note (unknown)",
    ),
    "a union that brings it in": (
        f"select currency, amount_minor from {MART} union all select account, 1 from warehouse.main.terms",
        "glb.currency depends on terms.account (regional)",
    ),
    "a difference of whole rows": (
        f"select currency, amount_minor from {MART} except select account, 1 from warehouse.main.terms",
        "glb.amount_minor depends on terms.account (regional)",
    ),
    "which rows there are, though only counted": (
        f"select 'all' as currency, count(*) as amount_minor from (select 1 from {MART} where merchant_id = 'm')",
        "glb.amount_minor depends on stg_payment_created.merchant_id",
    ),
    "personal data as a join key behind a guard": (
        (
            f"select p.currency, sum(p.amount_minor) as amount_minor from {MART} p join lake.main.payers y"
            " on y.token = p.currency group by p.currency having count(*) >= 5"
        ),
        "glb.amount_minor aggregates crm.payers.token (pii)",
    ),
    "a table that nobody declared": (
        "select currency, amount_minor from lake.main.nowhere",
        "uses what is not declared",
    ),
    "a column that nobody declared": (f"select currency, birthday as amount_minor from {MART}", "not declared"),
    "a file": ("select currency, amount_minor from read_parquet('x')", "its lineage is hidden"),
    "a star": (f"select * from {MART}", "select *"),
    "a star with exceptions": (f"select * exclude (payment_id, merchant_id) from {MART}", "select *"),
    "from alone": (f"from {MART}", "select *"),
    "columns()": (f"select columns('c.*') from {MART}", "columns()"),
    "a whole row": (f"select currency, to_json(p) as amount_minor from {MART} p", "as a whole row"),
    "a union by name": (
        f"select currency, amount_minor from {MART} union all by name select amount_minor, currency from {MART}",
        "unites by name",
    ),
    "a natural join": (f"select currency, amount_minor from {MART} natural join {STAGE}", "natural join"),
    "group by all": (f"select currency, sum(amount_minor) as amount_minor from {MART} group by all", "groups by all"),
    "a pivot": (f"select currency, amount_minor from (pivot {MART} on currency using sum(amount_minor))", "pivots"),
    "a recursive query": (
        (
            f"with recursive r as (select currency, amount_minor from {MART} union all select currency, 1 from r)"
            " select currency, amount_minor from r"
        ),
        "recursive",
    ),
    "two statements": ("select 1 as currency, 2 as amount_minor; select 1", "is not one query"),
    "what is not SQL": ("selec currency frm", "glb: its lineage is hidden"),
}


@pytest.mark.parametrize(("sql", "message"), BOUND.values(), ids=BOUND.keys())
def test_what_is_bound_is_refused_and_named(sql: str, message: str) -> None:
    found = problems(mart(), out(sql))
    assert any(problem.startswith("glb") and message in problem for problem in found), found


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


def test_a_star_in_a_model_on_the_way_hides_lineage_too() -> None:
    found = problems(
        mart(f"with s as (select * from {STAGE}) select payment_id, currency from s"), out(FREE["exportable columns"])
    )
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
    assert check(Project.of([staged(payment_id=R, currency=R, event_at=E)]), data_map(), SIZE).problems == ()


def test_a_source_may_not_free_what_the_data_map_binds() -> None:
    lake = Relation("lake.settlement_lines", "source", ("lake", "main", "settlement_lines"), {"psp_reference": E})
    assert check(Project.of([lake]), data_map(), SIZE).problems == (
        "source lake.settlement_lines.psp_reference is declared exportable, and the data map says regional",
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
    assert project.relations["eu", "main", "fct"].made_by == "stg_payment_created"
    assert project.relations["eu", "main", "fct"].columns == {"a": None}
    path.write_text("{}")
    with pytest.raises(ConfigurationError, match="not a dbt manifest"):
        read_manifest(path)


def test_the_group_size_is_data_with_a_floor() -> None:
    assert minimum_group_size() >= 5
