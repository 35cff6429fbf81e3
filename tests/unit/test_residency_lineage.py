"""Which SQL of global models may leave its region, on small projects: what is free, and each refusal."""

import pytest

from tests.support.residency import MART, STAGE, mart, out, problems

FREE = {
    "exportable columns": f"select currency, amount_minor from {MART}",
    "through a CTE with a predicate on exportable data": (
        f"with euros as (select currency, amount_minor from {MART} where currency = 'EUR')"
        " select currency, amount_minor from euros"
    ),
    "a join on exportable data": (
        f"select p.currency, p.amount_minor from {MART} p join warehouse.main.terms t on t.currency = p.currency"
    ),
    "rows that belong together by a regional key": (
        f"select p.currency, p.amount_minor from {MART} p join {STAGE} s using (payment_id)"
        f" where exists (select 1 from {STAGE} e where e.payment_id = p.payment_id)"
    ),
    "a key that is there or not": (
        f"select p.currency, case when s.payment_id is null then 0 else 1 end as amount_minor from {MART} p"
        f" left join (select payment_id from {STAGE} union all select payment_id from {STAGE}) s"
        " on s.payment_id = p.payment_id"
    ),
    "groups and windows by a regional key": (
        f"select currency, sum(amount_minor) as amount_minor from (select currency, amount_minor, merchant_id"
        f" from {MART} qualify row_number() over (partition by merchant_id, currency order by amount_minor) = 1) as d"
        " group by currency, merchant_id"
    ),
    "a guarded aggregate over a join on regional keys": (
        f"select p.currency, sum(p.amount_minor) as amount_minor from {MART} p join {STAGE} s"
        " on s.payment_id = p.payment_id where s.merchant_id <> 'x' group by p.currency having count(*) >= 5"
    ),
    "a guarded count of regional ids": (
        f"select currency, count(distinct payment_id) as amount_minor from {MART}"
        " group by 1 having count(distinct merchant_id) > 4 and sum(amount_minor) > 0"
    ),
    "a guarded count of several regional ids together": (
        f"select currency, count(distinct (payment_id, merchant_id)) as amount_minor from {MART}"
        " group by 1 having count(*) >= 5"
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
    "a join with one chosen id": (
        (
            f"with one as (select 'pay_eu_1' as payment_id) select p.currency, p.amount_minor from {MART} p"
            " join one on one.payment_id = p.payment_id"
        ),
        "depends on stg_payment_created.payment_id (regional)",
    ),
    "a join with a list of ids": (
        f"select p.currency, p.amount_minor from {MART} p join warehouse.main.terms t on t.account = p.merchant_id",
        "is linked by terms.account (regional)",
    ),
    "a join on a part of a key": (
        (
            f"select p.currency, p.amount_minor from {MART} p"
            f" join {STAGE} s on left(s.payment_id, 3) = left(p.payment_id, 3)"
        ),
        "depends on stg_payment_created.payment_id (regional)",
    ),
    "a join on a key that was made": (
        (
            f"select p.currency, p.amount_minor from {MART} p"
            f" join (select max(payment_id) as payment_id from {STAGE}) s on s.payment_id = p.payment_id"
        ),
        "depends on stg_payment_created.payment_id (regional)",
    ),
    "a join with a narrowed table": (
        (
            f"select p.currency, p.amount_minor from {MART} p"
            f" join (select payment_id from {STAGE} where merchant_id = 'm') s on s.payment_id = p.payment_id"
        ),
        "depends on stg_payment_created.merchant_id (regional)",
    ),
    "personal data as a join key": (
        f"select p.currency, p.amount_minor from {MART} p join lake.main.payers y on y.token = p.payment_id",
        "is linked by crm.payers.token (pii)",
    ),
    "which of two sides of a union a key comes from": (
        (
            f"select p.currency, p.amount_minor from {MART} p join (select payment_id from {STAGE}"
            f" union all select 'pay_eu_1') s on s.payment_id = p.payment_id"
        ),
        "depends on stg_payment_created.payment_id (regional)",
    ),
    "a comparison of two keys that is no equality": (
        f"select p.currency, p.amount_minor from {MART} p join {STAGE} s on s.payment_id < p.payment_id",
        "depends on stg_payment_created.payment_id (regional)",
    ),
    "a group key that was made": (
        (f"select currency, sum(amount_minor) as amount_minor from {MART} group by currency, merchant_id = 'm'"),
        "merchant_id (regional)",
    ),
    "an order within a window": (
        f"select currency, row_number() over w as amount_minor from {MART} window w as (order by merchant_id)",
        "glb.amount_minor depends on stg_payment_created.merchant_id",
    ),
    "an order with a limit": (
        f"select currency, amount_minor from {MART} order by payment_id limit 1",
        "payment_id (regional)",
    ),
    "distinct with a regional column beside": (
        f"select currency, amount_minor from (select distinct currency, amount_minor, payment_id from {MART}) as d",
        "payment_id (regional)",
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
    "a condition on groups": (
        f"select currency, 1 as amount_minor from {MART} group by currency having max(merchant_id) = 'm'",
        "merchant_id (regional)",
    ),
    "distinct on a regional column": (
        f"select distinct on (merchant_id) currency, amount_minor from {MART}",
        "glb.currency depends on stg_payment_created.merchant_id",
    ),
    "how many rows, by a subquery": (
        f"select currency, amount_minor from {MART} limit (select count(*) from {STAGE} where merchant_id = 'm')",
        "merchant_id (regional)",
    ),
    "which rows are skipped, by a subquery": (
        f"select currency, amount_minor from {MART} offset (select count(*) from {STAGE} where merchant_id = 'm')",
        "merchant_id (regional)",
    ),
    "a lateral join": (
        (
            f"select p.currency, p.amount_minor from {MART} p"
            f" cross join lateral (select 1 as one from {STAGE} s where s.payment_id = p.payment_id) as x"
        ),
        "its lineage is hidden: glb has a query that is no select",
    ),
    "rows from a list": (
        f"select p.currency, u.x as amount_minor from {MART} p, unnest([p.payment_id]) as u(x)",
        "glb: its lineage is hidden",
    ),
    "a union of distinct rows with a regional column beside": (
        (
            f"select currency, amount_minor from (select currency, amount_minor, payment_id from {MART}"
            f" union select currency, amount_minor, payment_id from {MART}) as d"
        ),
        "glb.currency depends on stg_payment_created.payment_id",
    ),
    "sides of a union that differ": (
        f"select currency, amount_minor from {MART} union all select currency from {MART}",
        "unites 2 columns with 1",
    ),
    "a guard written as text": (
        f"select currency, count(payment_id) as amount_minor from {MART} group by currency having count(*) >= '5'",
        "payment_id (regional)",
    ),
    "a subquery inside an aggregate's column": (
        (
            f"select currency, sum(amount_minor) + (select 1) as amount_minor from {MART}"
            " group by currency having count(*) >= 5"
        ),
        "has a subquery inside",
    ),
    "a filter that picks rows of a large group": (
        (
            f"select currency, sum(amount_minor) filter (where payment_id = 'p') as amount_minor from {MART}"
            " group by currency having count(*) >= 5"
        ),
        "glb.amount_minor depends on stg_payment_created.payment_id",
    ),
    "a case that picks rows of a large group": (
        (
            f"select currency, count(case when payment_id = 'p' then 1 end) as amount_minor from {MART}"
            " group by currency having count(*) >= 5"
        ),
        "glb.amount_minor depends on stg_payment_created.payment_id",
    ),
    "an unclassed leaf, even when counted": (
        "select currency, count(note) as amount_minor from lake.main.notes group by currency having count(*) >= 5",
        "glb.amount_minor aggregates crm.notes.note (unknown)",
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
