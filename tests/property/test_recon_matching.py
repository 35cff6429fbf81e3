"""Matching in SQL against a brute-force oracle in Python, on small worlds where everything collides."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.dbt_runner import PROJECT, compiled_sql

DAY = date(2026, 3, 14)
ZONE = ZoneInfo("Europe/Berlin")
TRANSIT_DAYS_MAX = 5  # of the sandbox, in seeds/gateway_terms.csv
MODELS = {  # in the order of their references
    "intermediate": ["int_settlement_pairs", "int_open_items"],
    "main": ["fct_recon_matches", "fct_recon_breaks", "rpt_recon_summary"],
}


@dataclass(frozen=True)
class Item:
    item_id: str
    kind: str
    reference: str
    currency: str
    amount: int
    occurred_at: datetime

    @property
    def booked_on(self) -> date:
        return self.occurred_at.astimezone(ZONE).date()


@dataclass(frozen=True)
class Line:
    line_id: str
    kind: str
    reference: str | None
    currency: str
    amount: int
    report_date: date
    batch: int
    number: int


@dataclass(frozen=True)
class Outcome:
    matches: frozenset[tuple[str, str]]
    breaks: frozenset[tuple[str, str | None, str | None]]
    in_transit: frozenset[str]


def oracle(items: Sequence[Item], lines: Sequence[Line]) -> Outcome:
    """Every line against every item."""
    matches, breaks, in_transit = set(), set(), set()
    taken = set()
    for item in items:
        same = sorted(
            (x for x in lines if x.kind == item.kind and x.reference == item.reference),
            key=lambda x: preference(x, item),
        )
        taken |= {line.line_id for line in same}
        breaks |= {("duplicate", line.line_id, item.item_id) for line in same[1:]}
        if not same and is_missing(item, lines):
            breaks.add(("missing_at_gateway", None, item.item_id))
        elif not same:
            in_transit.add(item.item_id)
        elif same[0].currency != item.currency:
            breaks.add(("currency", same[0].line_id, item.item_id))
        elif same[0].amount != item.amount:
            breaks.add(("amount", same[0].line_id, item.item_id))
        else:
            matches.add((same[0].line_id, item.item_id))
    breaks |= {("unknown_type", line.line_id, None) for line in lines if line.kind == "unknown"}
    moved = [line for line in lines if line.kind in {"payment", "refund"}]
    breaks |= {("missing_with_us", line.line_id, None) for line in moved if line.line_id not in taken}
    return Outcome(frozenset(matches), frozenset(breaks), frozenset(in_transit))


def is_missing(item: Item, lines: Sequence[Line]) -> bool:
    """Whether an item without a line should have had one by now."""
    ends = (datetime.combine(line.report_date + timedelta(days=1), time(), ZONE) for line in lines)
    covered = any(min(closed_at(line), end) >= item.occurred_at for line, end in zip(lines, ends, strict=True))
    return covered or (DAY - item.booked_on).days > TRANSIT_DAYS_MAX


def preference(line: Line, item: Item) -> tuple[object, ...]:
    is_other_currency = line.currency != item.currency
    is_other = is_other_currency or line.amount != item.amount
    return is_other, is_other_currency, line.report_date, line.batch, line.number, line.line_id


def closed_at(line: Line) -> datetime:
    return datetime.combine(line.report_date, time(23, 50), ZONE)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The models' SQL as dbt compiles it."""
    return compiled_sql([name for group in MODELS.values() for name in group], tmp_path_factory.mktemp("dbt"))


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
        connection.execute(
            f"CREATE TABLE warehouse.intermediate.gateway_terms AS FROM read_csv('{PROJECT}/seeds/gateway_terms.csv')"
        )
        connection.execute(
            """CREATE TABLE warehouse.main.fct_settlement_lines (
                 line_id text, livemode boolean, region text, gateway text, gateway_account text, report_date date,
                 batch_number integer, line_number integer, type text, kind text, psp_reference text,
                 merchant_reference text, movement_reference text, movement_merchant_reference text, currency text,
                 gross_minor bigint, net_currency text, net_minor bigint, fees_minor bigint, closed_at timestamptz)"""
        )
        connection.execute(
            """CREATE TABLE warehouse.intermediate.int_booked_items (
                 item_id text, kind text, payment_id text, livemode boolean, region text, merchant_id text,
                 gateway text, gateway_account text, movement_reference text, movement_merchant_reference text,
                 currency text, amount_minor bigint, occurred_at timestamptz, booked_on date)"""
        )
        connection.execute(
            """CREATE TABLE warehouse.intermediate.int_journal_entries (
                 source_id text, kind text, livemode boolean, region text, account text, currency text,
                 amount_minor bigint, accounting_date date)"""
        )
        for schema, names in MODELS.items():
            for name in names:
                connection.execute(f"CREATE VIEW warehouse.{schema}._{name} AS {compiled[name]}")
                connection.execute(f"CREATE TABLE warehouse.{schema}.{name} AS FROM warehouse.{schema}._{name}")
        yield connection


def load(engine: duckdb.DuckDBPyConnection, items: Sequence[Item], lines: Sequence[Line]) -> None:
    """Fill the inputs, and build the models from them."""
    engine.begin()
    fill(engine, items, lines)
    for schema, names in MODELS.items():
        for name in names:
            engine.execute(f"DELETE FROM warehouse.{schema}.{name}")
            engine.execute(f"INSERT INTO warehouse.{schema}.{name} FROM warehouse.{schema}._{name}")
    engine.commit()


def fill(engine: duckdb.DuckDBPyConnection, items: Sequence[Item], lines: Sequence[Line]) -> None:
    engine.execute("DELETE FROM warehouse.main.fct_settlement_lines")
    engine.execute("DELETE FROM warehouse.intermediate.int_booked_items")
    engine.execute("DELETE FROM warehouse.intermediate.int_journal_entries")
    place = (False, "eu", "sandbox", "MeridianEU")
    for x in lines:
        ours = f"our-{x.reference}" if x.reference else None
        engine.execute(
            f"INSERT INTO warehouse.main.fct_settlement_lines VALUES ({', '.join('?' * 20)})",
            [x.line_id, *place, x.report_date, x.batch, x.number, x.kind, x.kind, x.reference, ours, x.reference, ours,
             x.currency, x.amount, x.currency, x.amount, 0, closed_at(x)],
        )  # fmt: skip
    for i in items:
        engine.execute(
            f"INSERT INTO warehouse.intermediate.int_booked_items VALUES ({', '.join('?' * 14)})",
            [i.item_id, i.kind, i.item_id, False, "eu", "m", "sandbox", "MeridianEU", i.reference, f"our-{i.reference}",
             i.currency, i.amount, i.occurred_at, i.booked_on],
        )  # fmt: skip
        engine.execute(
            "INSERT INTO warehouse.intermediate.int_journal_entries VALUES (?, ?, false, 'eu', ?, ?, ?, ?)",
            [i.item_id, i.kind, "gateway_clearing:sandbox", i.currency, i.amount, i.booked_on],
        )


def outcome(engine: duckdb.DuckDBPyConnection) -> Outcome:
    def rows(query: str) -> list[tuple[object, ...]]:
        return engine.execute(query).fetchall()

    matches = rows("SELECT line_id, item_id FROM warehouse.fct_recon_matches")
    breaks = rows("SELECT class, line_id, item_id FROM warehouse.fct_recon_breaks")
    in_transit = rows("SELECT item_id FROM warehouse.intermediate.int_open_items WHERE is_in_transit")
    found = Outcome(frozenset(matches), frozenset(breaks), frozenset(item for (item,) in in_transit))  # type: ignore[arg-type]
    assert (len(found.matches), len(found.breaks)) == (len(matches), len(breaks)), "a row came twice"
    return found


REFERENCES = st.sampled_from(["r1", "r2", "r3", "r4"])
CURRENCIES = st.sampled_from(["EUR", "EUR", "USD"])
AMOUNTS = st.sampled_from([100, 200])
MOMENTS = st.builds(
    lambda days, hours: datetime.combine(DAY, time(12), UTC) - timedelta(days=days) + timedelta(hours=hours),
    st.sampled_from([0, 1, 3, 8]),
    st.sampled_from([-11, 0, 11, 13]),
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Item], list[Line]]:
    keys = draw(st.lists(st.tuples(st.sampled_from(["payment", "refund"]), REFERENCES), unique=True, max_size=5))
    items = [
        Item(f"i{n}", kind, reference, draw(CURRENCIES), draw(AMOUNTS), draw(MOMENTS))
        for n, (kind, reference) in enumerate(keys)
    ]
    lines = [
        Line(
            f"l{n}",
            draw(st.sampled_from(["payment", "payment", "refund", "unknown", "fee", "payout"])),
            draw(REFERENCES),
            draw(CURRENCIES),
            draw(AMOUNTS),
            DAY - timedelta(days=draw(st.integers(0, 2))),
            draw(st.integers(1, 2)),
            n,
        )
        for n in range(draw(st.integers(0, 7)))
    ]
    return items, [replace(x, reference=None) if x.kind in {"fee", "payout"} else x for x in lines]


RUN = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RUN
@given(worlds())
def test_sql_matches_as_the_oracle_does(
    engine: duckdb.DuckDBPyConnection, world: tuple[list[Item], list[Line]]
) -> None:
    load(engine, *world)
    assert outcome(engine) == oracle(*world)


@RUN
@given(worlds())
def test_nothing_is_ever_unexplained(engine: duckdb.DuckDBPyConnection, world: tuple[list[Item], list[Line]]) -> None:
    items, lines = world
    load(engine, items, lines)
    rows = engine.execute(
        "SELECT unexplained_minor, settled_minor, captured_minor - refunded_minor FROM warehouse.rpt_recon_summary"
    ).fetchall()
    assert all(row[0] == 0 for row in rows), rows
    assert sum(row[1] for row in rows) == sum(x.amount for x in lines if x.kind not in {"fee", "payout"})
    assert sum(row[2] for row in rows) == sum(i.amount for i in items)


@RUN
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(
    engine: duckdb.DuckDBPyConnection, world: tuple[list[Item], list[Line]], shuffle: random.Random
) -> None:
    items, lines = world
    ids = "SELECT break_id, class, line_id, item_id FROM warehouse.fct_recon_breaks ORDER BY ALL"
    load(engine, items, lines)
    first, first_ids = outcome(engine), engine.execute(ids).fetchall()
    load(engine, shuffle.sample(items, len(items)), shuffle.sample(lines, len(lines)))
    assert outcome(engine) == first
    assert engine.execute(ids).fetchall() == first_ids
    assert len({row[0] for row in first_ids}) == len(first_ids), "two breaks share an id"


def test_a_lost_line_would_be_seen(engine: duckdb.DuckDBPyConnection, compiled: dict[str, str]) -> None:
    """The guard can fail: without one class of breaks the summary no longer explains everything."""
    line = Line("l1", "payment", "r9", "EUR", 100, DAY, 1, 1)
    load(engine, [], [line])
    broken = compiled["rpt_recon_summary"].replace('"fct_recon_breaks"', '"no_breaks"')
    engine.execute(
        "CREATE OR REPLACE VIEW warehouse.main.no_breaks AS FROM warehouse.main.fct_recon_breaks WHERE false"
    )
    assert engine.execute(f"SELECT unexplained_minor FROM ({broken})").fetchall() == [(100,)]
