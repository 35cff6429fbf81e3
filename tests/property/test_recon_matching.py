"""Matching in SQL against the second implementation in Python, on small worlds where everything collides."""

import csv
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipelines.recon.second.bridge import residuals
from pipelines.recon.second.build import differences, read_outcome, read_rules
from pipelines.recon.second.passes import reconcile
from pipelines.recon.second.rows import DISPUTES, MOVEMENTS, Item, Line, Rules
from warehouse.dbt_runner import PROJECT, compiled_sql

DAY = date(2026, 3, 14)
ZONE = ZoneInfo("Europe/Berlin")
PLACE = (False, "sandbox", "MeridianEU")
SEEDS = ("gateway_terms", "settlement_types", "currencies")
with (PROJECT / "seeds/settlement_types.csv").open() as seed_file:
    KINDS = {row["type"]: row["kind"] for row in csv.DictReader(seed_file)}
MODELS = [  # in the order of their references
    *(("intermediate", name) for name in (
        "int_fee_contracts",
        "int_settlement_pairs", "int_unpaired_lines", "int_modified_pairs", "int_pair_ranks", "int_leftover_lines",
        "int_leftover_items", "int_grouped_lines", "int_grouped_items", "int_tolerated_lines", "int_open_items",
    )),
    ("main", "fct_fee_anomalies"), ("intermediate", "int_line_checks"),
    *(("main", name) for name in (
        "fct_recon_matches", "fct_recon_match_items", "fct_recon_breaks", "rpt_recon_summary", "rpt_recon_bridge",
    )),
]  # fmt: skip
CONTRACTS = """  -- several that fit, times that end in the region's night, terms with limits, and days without any
CREATE TABLE warehouse.intermediate.fee_contracts AS
SELECT * REPLACE (CAST(valid_from AS DATE) AS valid_from, CAST(valid_until AS DATE) AS valid_until) FROM (VALUES
  ('old', 'sandbox', '*', '*', '*', '*', '*', '2026-03-08', '2026-03-13'),  -- none before
  ('new', 'sandbox', '*', '*', '*', '*', '*', '2026-03-13', NULL),
  ('account', 'sandbox', 'MeridianEU', '*', '*', 'eu', '*', '2026-03-14', NULL),
  ('elsewhere', 'sandbox', 'MeridianEU', 'visa', '*', 'us', '*', NULL, NULL),
  ('visa', 'sandbox', 'MeridianEU', 'visa', '*', 'eu', '*', NULL, '2026-03-14'),
  ('corporate', 'sandbox', 'MeridianEU', 'visa', 'corporate', 'eu', 'EUR', NULL, NULL),
  ('amex', 'sandbox', 'MeridianEU', 'amex', '*', 'eu', '*', NULL, NULL)
) AS rows (
  contract, gateway, gateway_account, payment_method, payment_method_variant, region, currency, valid_from,
  valid_until);
CREATE TABLE warehouse.intermediate.fee_terms AS SELECT * FROM (VALUES
  ('old', 'payment', 'markup', '*', 10000, 0, 0, NULL),
  ('new', 'payment', 'interchange', '*', 5000, 0, 0, NULL),
  ('new', 'payment', 'interchange', 'EUR', 5000, 1, 0, 2),
  ('new', 'refund', 'scheme', 'USD', 0, 2, 0, NULL),
  ('account', 'payment', 'commission', '*', 5000, 0, 0, NULL),
  ('visa', 'payment', 'scheme', 'EUR', 25000, 0, 5, 5),
  ('corporate', 'payment', 'commission', 'EUR', 7500, 0, 0, NULL),
  ('corporate', 'refund', 'markup', '*', 10000, 0, 0, NULL),
  ('amex', 'chargeback', 'commission', 'EUR', 0, 5, 0, NULL),
  ('amex', 'payment', 'commission', '*', 20000, 0, 0, NULL)
) AS rows (contract, kind, component, currency, percent_millionths, fixed_minor, minimum_minor, maximum_minor)"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The models' SQL as dbt compiles it."""
    return compiled_sql([name for _, name in MODELS], tmp_path_factory.mktemp("dbt"))


@pytest.fixture(scope="module")
def engine(compiled: dict[str, str]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            "SET TimeZone = 'UTC'; SET threads = 1; ATTACH ':memory:' AS warehouse; ATTACH ':memory:' AS lake"
        )
        connection.execute("CREATE SCHEMA warehouse.intermediate")
        connection.execute(
            "CREATE TABLE lake.run AS SELECT 'eu' AS region, ? AS timezone, CAST(? AS DATE) AS business_date",
            [ZONE.key, DAY],
        )
        for seed in SEEDS:
            connection.execute(
                f"CREATE TABLE warehouse.intermediate.{seed} AS FROM read_csv('{PROJECT}/seeds/{seed}.csv')"
            )
        connection.execute(
            """CREATE TABLE warehouse.main.fct_settlement_lines (
                 line_id text, livemode boolean, region text, gateway text, gateway_account text, report_date date,
                 batch_number integer, line_number integer, type text, kind text, is_movement boolean,
                 psp_reference text, movement_reference text, movement_merchant_reference text, payment_method text,
                 payment_method_variant text,
                 currency text, gross_minor bigint, exchange_rate text, net_currency text, net_minor bigint,
                 interchange_minor bigint, scheme_fees_minor bigint, markup_minor bigint, commission_minor bigint,
                 fees_minor bigint, created_at timestamptz, closed_at timestamptz)"""
        )
        connection.execute(
            """CREATE TABLE warehouse.intermediate.int_booked_items (
                 item_id text, kind text, payment_id text, livemode boolean, region text, merchant_id text,
                 gateway text, gateway_account text, payment_reference text, movement_reference text,
                 movement_merchant_reference text, currency text, amount_minor bigint, occurred_at timestamptz,
                 booked_on date)"""
        )
        connection.execute(
            """CREATE TABLE warehouse.intermediate.int_journal_entries (
                 journal_id text, source_id text, kind text, livemode boolean, region text, account text, currency text,
                 amount_minor bigint, accounting_date date)"""
        )
        connection.execute(CONTRACTS)
        for schema, name in MODELS:
            connection.execute(f"CREATE VIEW warehouse.{schema}._{name} AS {compiled[name]}")
            connection.execute(f"CREATE TABLE warehouse.{schema}.{name} AS FROM warehouse.{schema}._{name}")
        connection.execute("USE warehouse")
        yield connection


@pytest.fixture(scope="module")
def rules(engine: duckdb.DuckDBPyConnection) -> Rules:
    return read_rules(engine, DAY, ZONE, "eu")


def load(engine: duckdb.DuckDBPyConnection, items: Sequence[Item], lines: Sequence[Line]) -> None:
    """Fill the inputs, and build the models from them."""
    engine.begin()
    try:
        fill(engine, items, lines)
        for schema, name in MODELS:
            engine.execute(f"DELETE FROM warehouse.{schema}.{name}")
            engine.execute(f"INSERT INTO warehouse.{schema}.{name} FROM warehouse.{schema}._{name}")
    except duckdb.Error:
        engine.rollback()
        raise
    engine.commit()


def fill(engine: duckdb.DuckDBPyConnection, items: Sequence[Item], lines: Sequence[Line]) -> None:
    for table in ("main.fct_settlement_lines", "intermediate.int_booked_items", "intermediate.int_journal_entries"):
        engine.execute(f"DELETE FROM warehouse.{table}")
    for x in lines:
        kind = KINDS.get(x.type, "unknown")
        is_second = kind in {"refund", "refund_reversal"}
        names = x.modification_reference if is_second else x.psp_reference
        if kind in DISPUTES:
            names = x.modification_reference or x.psp_reference
        engine.execute(
            f"INSERT INTO warehouse.main.fct_settlement_lines VALUES ({', '.join('?' * 28)})",
            [x.line_id, False, "eu", *PLACE[1:], x.report_date, x.batch_number, x.line_number, x.type, kind,
             kind in MOVEMENTS, x.psp_reference, names,
             x.modification_merchant_reference if is_second else x.merchant_reference, x.payment_method,
             x.payment_method_variant, x.currency, x.gross_minor, x.exchange_rate, x.net_currency, x.net_minor,
             *x.charged, x.fees_minor, x.created_at, x.closed_at],
        )  # fmt: skip
    for i in items:
        engine.execute(
            f"INSERT INTO warehouse.intermediate.int_booked_items VALUES ({', '.join('?' * 15)})",
            [i.item_id, i.kind, i.item_id, False, "eu", "m", *PLACE[1:], i.payment_reference, i.reference,
             i.merchant_reference, i.currency, i.amount_minor, i.occurred_at, i.booked_on],
        )  # fmt: skip
        engine.execute(
            "INSERT INTO warehouse.intermediate.int_journal_entries VALUES (?, ?, ?, false, 'eu', ?, ?, ?, ?)",
            [
                i.item_id,
                f"d-{i.item_id}" if i.kind in JOURNALS else i.item_id,
                JOURNALS.get(i.kind, i.kind),
                "gateway_clearing:sandbox",
                i.currency,
                i.amount_minor,
                i.booked_on,
            ],
        )


REFERENCES = st.sampled_from(["r1", "r2", "r3"])
CURRENCIES = st.sampled_from(["EUR", "EUR", "EUR", "USD"])
AMOUNTS = st.sampled_from([100, 100, 200, 201])
TYPES = st.sampled_from(
    ["Settled"] * 5 + ["Refunded"] * 3 + ["SettledInstallment", "RefundedReversed", "SettledReversed", "Chargeback",
     "SecondChargeback", "ChargebackReversed", "Zauberei", "Fee", "MerchantPayout", "DepositCorrection",
     "InvoiceDeduction",
     "MatchedStatement", "ManualCorrected", "Balancetransfer", "MiscCosts"]
)  # fmt: skip
CHARGES = st.tuples(*(st.sampled_from([0, 0, 1, 2, 5]) for _ in range(4)))
FREE = (0, 0, 0, 0)
METHODS, VARIANTS = st.sampled_from(["visa", "amex", None]), st.sampled_from(["corporate", "debit", None])
NEGATIVE = {"refund", "payment_reversal", "chargeback", "second_chargeback"}
JOURNALS = {"chargeback": "dispute", "second_chargeback": "dispute_again", "chargeback_reversal": "dispute_won"}
MOMENTS = st.builds(
    lambda days, hours: datetime.combine(DAY, time(12), UTC) - timedelta(days=days) + timedelta(hours=hours),
    st.sampled_from([0, 1, 3, 8]),
    st.sampled_from([-11, 0, 11, 13]),
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Item], list[Line]]:
    kinds = st.sampled_from(["payment", "payment", "refund", *JOURNALS])
    keys = draw(st.lists(st.tuples(kinds, REFERENCES), unique=True, max_size=6))
    items = []
    for n, (kind, reference) in enumerate(keys):
        at, sign = draw(MOMENTS), -1 if kind in NEGATIVE else 1
        payment = reference if kind == "payment" else draw(REFERENCES)
        items.append(
            Item(
                f"i{n}", kind, PLACE, payment, reference, f"our-{reference}", draw(CURRENCIES), sign * draw(AMOUNTS),
                at, at.astimezone(ZONE).date(),
            )
        )  # fmt: skip
    lines = []
    for n in range(draw(st.integers(0, 8))):
        name, on = draw(TYPES), DAY - timedelta(days=draw(st.integers(0, 2)))
        kind = KINDS.get(name, "unknown")
        theirs, ours = draw(REFERENCES), draw(st.one_of(st.none(), REFERENCES))
        mine = f"our-{ours}" if ours and draw(st.booleans()) else f"our-{theirs}"
        payment = draw(REFERENCES) if kind in {"refund", "refund_reversal"} else theirs
        gross, currency, charged = (-1 if kind in NEGATIVE else 1) * draw(AMOUNTS), draw(CURRENCIES), draw(CHARGES)
        net_currency, rate = draw(st.sampled_from([(currency, "1"), (currency, None), ("JPY", "1.10"), ("EUR", "0.9")]))
        net = gross - sum(charged) if net_currency == currency else draw(st.sampled_from([1, 2, 110, 180, -220]))
        line = Line(
            f"l{n}", name, PLACE, payment, mine, theirs, mine, draw(METHODS), draw(VARIANTS), currency, gross, rate,
            net_currency, net, charged, on, draw(st.integers(1, 2)), n, draw(MOMENTS),
            datetime.combine(on, time(23, 50), ZONE),
        )  # fmt: skip
        if kind not in MOVEMENTS:
            line = replace(line, psp_reference=None, merchant_reference=None, modification_reference=None)
        lines.append(line)
    return items, lines


@settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],  # a world is small already, and each step of shrinking loads two
)  # fmt: skip
@given(worlds(), st.randoms(use_true_random=False))
def test_sql_finds_what_the_second_implementation_finds_in_any_order(
    engine: duckdb.DuckDBPyConnection, rules: Rules, world: tuple[list[Item], list[Line]], shuffle: random.Random
) -> None:
    items, lines = world
    load(engine, items, lines)
    first = read_outcome(engine)
    assert differences(first, reconcile(lines, items, rules)) == []
    rows = engine.execute(
        "SELECT unexplained_minor, settled_minor, captured_minor - refunded_minor - disputed_minor "
        "FROM warehouse.rpt_recon_summary"
    ).fetchall()
    assert all(row[0] == 0 for row in rows), rows
    assert sum(row[1] for row in rows) == sum(x.gross_minor for x in lines if rules.is_movement(x.type))
    assert sum(row[2] for row in rows) == sum(i.amount_minor for i in items)
    bridge = {
        (*key, currency): residual
        for *key, currency, residual in engine.execute(
            "SELECT (livemode, gateway, gateway_account), batch_number, currency, residual_minor FROM rpt_recon_bridge"
        ).fetchall()
    }
    assert bridge == residuals(lines, items, first, rules)
    ids = """SELECT break_id, class, line_id, item_id FROM warehouse.fct_recon_breaks
             UNION ALL SELECT match_id, pass, line_id, item_id FROM warehouse.fct_recon_matches ORDER BY ALL"""
    first_ids = engine.execute(ids).fetchall()
    load(engine, shuffle.sample(items, len(items)), shuffle.sample(lines, len(lines)))
    assert read_outcome(engine) == first, "the order of rows changes what is found"
    assert engine.execute(ids).fetchall() == first_ids, "the order of rows changes ids"
    breaks = [row[0] for row in first_ids if row[0].startswith("brk_")]
    assert len(set(breaks)) == len(breaks), "two breaks share an id"


def settled(line_id: str, reference: str, at: datetime, number: int = 1) -> Line:
    """A payment of one euro in the day's first batch, without fees."""
    return Line(
        line_id, "Settled", PLACE, reference, f"our-{reference}", None, None, "visa", None, "EUR", 100, None, "EUR",
        100, FREE, DAY, 1, number, at, at,
    )  # fmt: skip


def test_a_lost_line_would_be_seen(engine: duckdb.DuckDBPyConnection, compiled: dict[str, str]) -> None:
    """The guard can fail: without one class of breaks the summary no longer explains everything."""
    at = datetime.combine(DAY, time(12), UTC)
    line = settled("l1", "r9", at, 1)
    load(engine, [], [line])
    broken = compiled["rpt_recon_summary"].replace('"fct_recon_breaks"', '"no_breaks"')
    engine.execute(
        "CREATE OR REPLACE VIEW warehouse.main.no_breaks AS FROM warehouse.main.fct_recon_breaks WHERE false"
    )
    assert engine.execute(f"SELECT unexplained_minor FROM ({broken})").fetchall() == [(100,)]


def test_parts_of_a_payment_are_one_match_and_what_undoes_itself_is_none_of_ours(
    engine: duckdb.DuckDBPyConnection, rules: Rules
) -> None:
    at = datetime.combine(DAY, time(9), UTC)
    item = Item("i1", "payment", PLACE, "r1", "r1", "our-r1", "EUR", 300, at, DAY)
    part = settled("l1", "r1", at, 1)
    lines = [
        part,
        replace(part, line_id="l2", gross_minor=200, net_minor=199, charged=(0, 0, 0, 1), line_number=2),
        replace(part, line_id="l3", type="Chargeback", psp_reference="r2", gross_minor=-50, line_number=3),
        replace(part, line_id="l4", type="ChargebackReversed", psp_reference="r2", gross_minor=50, line_number=4),
    ]
    load(engine, [item], lines)
    found = read_outcome(engine)
    assert differences(found, reconcile(lines, [item], rules)) == []
    assert found.groups == {
        ("group", frozenset({"l1", "l2"}), frozenset({"i1"})),
        ("offset", frozenset({"l3", "l4"}), frozenset()),
    }
    assert found.breaks == {("split", "l1", None)}


def test_a_dispute_that_we_booked_explains_its_line_and_one_that_we_did_not_is_a_break_of_its_class(
    engine: duckdb.DuckDBPyConnection, rules: Rules
) -> None:
    at = datetime.combine(DAY, time(9), UTC)
    taken = Item("i1", "chargeback", PLACE, "r1", "d1", "our-r1", "EUR", -100, at, DAY)
    items = [
        taken,
        replace(taken, item_id="i2", kind="chargeback_reversal", amount_minor=100),
        replace(taken, item_id="i3", kind="second_chargeback"),
        replace(taken, item_id="i4", reference="d2", payment_reference="r2", merchant_reference="our-r2"),
        replace(taken, item_id="i5", reference="d3", payment_reference="r3", merchant_reference="our-r3"),
    ]
    line = Line(
        "l1", "Chargeback", PLACE, "r1", "our-r1", "d1", None, "visa", None, "EUR", -100, None, "EUR", -100, FREE, DAY,
        1, 1, at, at + timedelta(days=2),
    )  # fmt: skip
    lines = [
        line,
        replace(line, line_id="l2", type="ChargebackReversed", gross_minor=100, net_minor=100),
        replace(line, line_id="l3", type="SecondChargeback"),
        replace(line, line_id="l4", psp_reference="r2", modification_reference="d2", merchant_reference="our-r2",
                gross_minor=-300, net_minor=-300),
        replace(line, line_id="l5", psp_reference="r4", modification_reference="d4", merchant_reference="our-r4"),
    ]  # fmt: skip
    load(engine, items, lines)
    found = read_outcome(engine)
    assert differences(found, reconcile(lines, items, rules)) == []
    assert found.matches == {"l1": ("exact", "i1"), "l2": ("exact", "i2"), "l3": ("exact", "i3")}
    missing = {("missing_at_gateway", None, "i5")}
    assert found.breaks == {("amount", "l4", "i4"), ("chargeback", "l5", None)} | missing - {
        ("missing_at_gateway", None, item) for item in found.in_transit
    }


@pytest.mark.parametrize("seed", range(3))
def test_of_lines_that_say_the_same_the_first_one_is_the_pair_in_whatever_order(
    engine: duckdb.DuckDBPyConnection, rules: Rules, seed: int
) -> None:
    at = datetime.combine(DAY, time(9), UTC)
    item = Item("i1", "payment", PLACE, "r1", "r1", "our-r1", "EUR", 100, at, DAY)
    one = settled("l0", "r1", at, 0)
    lines = [replace(one, line_id=f"l{9 - n}", line_number=n) for n in range(9)]
    load(engine, [item], random.Random(seed).sample(lines, 9))
    found = read_outcome(engine)
    assert found.matches == {"l9": ("exact", "i1")}
    assert differences(found, reconcile(lines, [item], rules)) == []


def test_fees_are_judged_by_the_contract_of_each_combination_of_what_contracts_name_and_of_each_moment(
    engine: duckdb.DuckDBPyConnection, rules: Rules
) -> None:
    """Around the region's midnights on which contracts begin or end, by kind, method, card product, currency, sum."""
    midnights = [datetime(2026, 3, day, tzinfo=ZONE) for day in (8, 13, 14)]
    moments = [at + timedelta(microseconds=moved) for at in midnights for moved in (-1, 0)]
    kinds = [("Settled", 1), ("Refunded", -1), ("Chargeback", -1)]
    worlds = itertools.product(
        kinds, moments, ("visa", "amex", None), ("corporate", "debit"), ("EUR", "USD"), (100, 300)
    )
    lines = [
        Line(
            f"l{n}", name, PLACE, f"r{n}", f"our-r{n}", f"r{n}", f"our-r{n}", method, variant, currency, sign * amount,
            None, currency, sign * amount - 5, (0, 0, 0, 5), DAY, 1, n, at, at,
        )
        for n, ((name, sign), at, method, variant, currency, amount) in enumerate(worlds)
    ]  # fmt: skip
    load(engine, [], lines)
    found = read_outcome(engine)
    assert differences(found, reconcile(lines, [], rules)) == []
    assert {contract for _, _, contract, _, _ in found.fees} == {
        None, "old", "new", "account", "visa", "corporate", "amex",
    }  # fmt: skip
