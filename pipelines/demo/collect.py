"""Counts the same things in each place that knows them: database, lake, warehouse, the simulated PSP."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from pipelines.demo.figures import Book, Break, Funnel, Judged, Reported, Traded
from pipelines.sandbox.control import Control
from regions.region import Region
from warehouse.lake import Lake

_CAPTURED = """
    SELECT currency, count(*), sum(captured_minor)::bigint FROM payments WHERE captured_minor > 0 GROUP BY currency
"""
_REFUNDED = """
    SELECT currency, count(*), sum(amount_minor)::bigint FROM refunds WHERE status = 'succeeded' GROUP BY currency
"""
_BALANCES = """
    SELECT split_part(account, ':', 1), currency, sum(amount_minor)::bigint FROM ledger_entries GROUP BY 1, 2
"""
_FUNNEL = """
    SELECT count(*),
           count(*) FILTER (WHERE id IN (SELECT session_id FROM payments)),
           count(*) FILTER (WHERE id IN (SELECT session_id FROM payments WHERE status = 'succeeded'))
      FROM checkout_sessions
"""
_STILL_OPEN = """
    SELECT (SELECT count(*) FROM payments
             WHERE link_id = ANY(%(links)s) AND status IN ('processing', 'requires_action'))
         + (SELECT count(*) FROM refunds JOIN payments AS p ON p.id = payment_id
             WHERE p.link_id = ANY(%(links)s) AND refunds.status = 'pending')
"""
# The same questions to the warehouse.
_MART_CAPTURED = """
    SELECT currency, count(*), sum(captured_minor)::bigint FROM fct_payments WHERE captured_minor > 0 GROUP BY currency
"""
_MART_REFUNDED = """
    SELECT currency, count(*), sum(refunded_minor)::bigint FROM fct_refunds WHERE refunded_minor > 0 GROUP BY currency
"""
_MART_FUNNEL = "SELECT count(*), count(submitted_at), count(succeeded_at) FROM fct_funnel_sessions"
_MART_STATUSES = "SELECT status, count(*) FROM fct_payments GROUP BY status"
_MART_LINES = """
    SELECT count(*), count(*) FILTER (WHERE is_movement) FROM fct_settlement_lines
"""
_MART_MATCHES = "SELECT count(*) FROM fct_recon_matches"
_MART_BREAKS = "SELECT class, psp_reference, line_id IS NOT NULL FROM fct_recon_breaks"
_MART_UNEXPLAINED = """
    SELECT currency, sum(abs(unexplained_minor))::bigint FROM rpt_recon_summary GROUP BY currency
"""
# What the books should hold once what was matched is posted: exactly what is open, by what reconciliation calls it.
_MART_OPEN = """
    SELECT currency, sum(amount_minor)::bigint FROM intermediate.int_booked_items
     WHERE item_id NOT IN (SELECT item_id FROM fct_recon_matches WHERE item_id IS NOT NULL)
       AND item_id NOT IN (SELECT item_id FROM fct_recon_match_items)
       AND item_id NOT IN (SELECT item_id FROM fct_recon_breaks WHERE class = 'amount' AND booked_minor IS NOT NULL)
     GROUP BY currency
"""
_MART_UNNAMED = """
    SELECT settled_currency,
           sum(settled_minor - CASE class WHEN 'amount' THEN booked_minor ELSE 0 END)::bigint FROM fct_recon_breaks
     WHERE settled_minor IS NOT NULL AND kind NOT LIKE '%chargeback%' GROUP BY settled_currency
"""
_MART_UNDER_WAY = """
    SELECT currency, sum(amount_minor)::bigint FROM (
        SELECT net_currency AS currency, net_minor AS amount_minor FROM fct_settlement_lines WHERE kind <> 'payout'
         UNION ALL SELECT currency, -amount_minor FROM fct_bank_entries WHERE outcome = 'payout') GROUP BY currency
"""


def count_open(reader_url: str, links: Collection[str]) -> int:
    """How many payments and refunds of these links have no definite outcome yet."""
    with psycopg.connect(reader_url) as connection:
        row = connection.execute(_STILL_OPEN, {"links": list(links)}).fetchone()
    return int(row[0]) if row else 0


def traded(reader_url: str, links: Collection[str]) -> Traded:
    """What the region's database says, all of it in one snapshot. `links` are those of this run."""
    with psycopg.connect(reader_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

        def rows(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query.encode()).fetchall()

        def by_status(table: str) -> Counter[str]:
            return Counter(dict(rows(f"SELECT status, count(*) FROM {table} GROUP BY status")))  # noqa: S608 - ours

        balances: dict[str, dict[str, int]] = defaultdict(dict)
        for account, currency, minor in rows(_BALANCES):
            balances[account][currency] = minor
        return Traded(
            links=by_status("links"),
            sessions=by_status("checkout_sessions"),
            payments=by_status("payments"),
            refunds=by_status("refunds"),
            events=Counter(str(row[0]) for row in rows("SELECT id FROM outbox")),
            books=_books(rows(_CAPTURED), rows(_REFUNDED)),
            clearing=balances["gateway_clearing"],
            suspense=balances["suspense"],
            bank_clearing=balances["bank_clearing"],
            funnel=Funnel(*rows(_FUNNEL)[0]),
            still_open=count_open(reader_url, links),
        )


def lake_events(region: Region, env: Mapping[str, str]) -> tuple[Counter[str], int]:
    """Each event id in the lake with how often it is there, and the number of records in quarantine."""
    lake = Lake.open(region, env)
    try:
        events, quarantine = lake.files("events"), lake.files("quarantine")
    finally:
        lake.close()
    with duckdb.connect() as connection:
        ids = connection.execute(f"SELECT event_id, count(*) FROM {events.duckdb_sql()} GROUP BY ALL").fetchall()  # noqa: S608
        row = connection.execute(f"SELECT count(*) FROM {quarantine.duckdb_sql()}").fetchone()  # noqa: S608 - ours
    return Counter({str(event_id): int(count) for event_id, count in ids}), int(row[0]) if row else 0


def reported(region: Region, env: Mapping[str, str], warehouse: Path) -> Reported:
    """What the lake and the published warehouse say."""
    events, quarantined = lake_events(region, env)
    with duckdb.connect(str(warehouse), read_only=True) as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query).fetchall()

        [(lines, money_lines)] = rows(_MART_LINES)
        breaks = rows(_MART_BREAKS)
        return Reported(
            events=events,
            quarantined=quarantined,
            payments=Counter(dict(rows(_MART_STATUSES))),
            books=_books(rows(_MART_CAPTURED), rows(_MART_REFUNDED)),
            funnel=Funnel(*rows(_MART_FUNNEL)[0]),
            lines=lines,
            money_lines=money_lines,
            matched_lines=rows(_MART_MATCHES)[0][0],
            breaks=Counter(Break(kind, psp_reference) for kind, psp_reference, _ in breaks),
            breaks_with_line=sum(has_line for _, _, has_line in breaks),
            unexplained_minor=dict(rows(_MART_UNEXPLAINED)),
            open_minor=dict(rows(_MART_OPEN)),
            unnamed_minor=dict(rows(_MART_UNNAMED)),
            under_way_minor=dict(rows(_MART_UNDER_WAY)),
        )


def judged(control: Control, account: str, api_key: str) -> Judged:
    """What the simulated PSP says of one of our accounts: its books, and every error that it ever planted."""
    books = control.get("/_control/books", account=account)
    batches = control.get("/v1/settlement_reports", key=api_key)["data"]
    planted: Counter[Break] = Counter()
    for day in sorted({batch["date"] for batch in batches}):
        for batch in control.get("/_control/settle", account=account, date=day)["data"]:
            planted.update(Break(answer["class"], answer["psp_reference"]) for answer in batch["answer_key"])
    return Judged(
        books={currency: _judged_book(book) for currency, book in books["currencies"].items()},
        doubled=(*books["charged_twice"], *books["refunded_twice"]),
        planted=planted,
        lines=sum(batch["line_count"] for batch in batches),
    )


def _judged_book(book: Mapping[str, int]) -> Book:
    return Book(book["captured_count"], book["captured_minor"], book["refunded_count"], book["refunded_minor"])


def _books(captured: list[tuple[Any, ...]], refunded: list[tuple[Any, ...]]) -> dict[str, Book]:
    captures = {currency: (count, minor) for currency, count, minor in captured}
    refunds = {currency: (count, minor) for currency, count, minor in refunded}
    return {
        currency: Book(*captures.get(currency, (0, 0)), *refunds.get(currency, (0, 0)))
        for currency in captures.keys() | refunds.keys()
    }
