"""Holds a build against the second implementation: what SQL found, and what plain Python finds on the same rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import duckdb

from pipelines.recon.fee_book import read_fee_book
from pipelines.recon.second.bridge import Bridge, residuals
from pipelines.recon.second.passes import reconcile
from pipelines.recon.second.rows import Item, Line, Outcome, Rules, Terms

if TYPE_CHECKING:
    from datetime import date

    from regions.region import Region

DIFFERENCES_MAX = 20  # more are counted, not told
_LINES = """
SELECT line_id, type, livemode, gateway, gateway_account, psp_reference, merchant_reference, modification_reference,
       modification_merchant_reference, payment_method, payment_method_variant, gross_currency, gross_minor,
       exchange_rate, net_currency, net_minor, interchange_minor, scheme_fees_minor, markup_minor, commission_minor,
       report_date, batch_number, line_number, created_at, closed_at
  FROM staging.stg_settlement_lines"""
_ITEMS = """
SELECT item_id, kind, livemode, gateway, gateway_account, payment_reference, movement_reference,
       movement_merchant_reference, currency, amount_minor, occurred_at, booked_on
  FROM intermediate.int_booked_items"""
_GROUPS = """
SELECT any_value(m.pass), list(DISTINCT m.line_id), list(DISTINCT i.item_id)
  FROM fct_recon_matches AS m LEFT JOIN fct_recon_match_items AS i USING (match_id)
 WHERE m.pass IN ('group', 'offset') GROUP BY match_id"""
_FEES = "SELECT line_id, component, contract, charged_minor, expected_minor FROM fct_fee_anomalies"
_BRIDGE = """
SELECT livemode, gateway, gateway_account, batch_number, currency, residual_minor FROM rpt_recon_bridge"""


def check_build(path: Path, region: Region, business_date: date) -> list[str]:
    """How a reconciled build differs from what plain Python finds in it; nothing if they agree."""
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rules = read_rules(connection, business_date, region.tz, region.code)
        lines, items = read_lines(connection, rules), read_items(connection)
        found, bridge = read_outcome(connection), _bridge(connection)
    wanted = reconcile(lines, items, rules)
    told = differences(found, wanted)
    told += _differ("residual", bridge.items(), residuals(lines, items, wanted, rules).items())
    return told


def differences(found: Outcome, wanted: Outcome) -> list[str]:
    """Sentences on what the tables and the second implementation do not share."""
    told = _differ("match", found.matches.items(), wanted.matches.items())
    told += _differ("group", found.groups, wanted.groups)
    told += _differ("adjustment", found.adjustments.items(), wanted.adjustments.items())
    told += _differ("break", found.breaks, wanted.breaks)
    told += _differ("fee", found.fees, wanted.fees)
    return told + _differ("in transit", found.in_transit, wanted.in_transit)


def read_rules(connection: duckdb.DuckDBPyConnection, business_date: date, tz: ZoneInfo, region: str) -> Rules:
    """What the seeds in a build say."""

    def rows(table: str, columns: str) -> list[tuple[Any, ...]]:
        return connection.execute(f"SELECT {columns} FROM intermediate.{table}").fetchall()  # noqa: S608 - constants

    terms = "gateway, grace_hours, transit_days_max, amount_tolerance_minor, early_days_max, late_hours_max"
    return Rules(
        business_date=business_date,
        timezone=tz,
        terms={name: Terms(*row) for name, *row in rows("gateway_terms", terms)},
        types={name: (kind, in_parts) for name, kind, in_parts in rows("settlement_types", "type, kind, is_in_parts")},
        region=region,
        fees=read_fee_book(connection),
        exponents=dict(rows("currencies", "currency, exponent")),
    )


def read_lines(connection: duckdb.DuckDBPyConnection, rules: Rules) -> list[Line]:
    """The lines as they were landed; a movement without its gross is taken at what it moved before fees."""
    lines = []
    rows: list[Any] = connection.execute(_LINES).fetchall()
    for row in rows:
        gross_currency, gross, rate, net_currency, net = row[11:16]
        charged = row[16:20]
        is_without = gross_currency is None and rules.is_movement(row[1])
        amount = net + sum(charged) if is_without else gross
        place, currency = row[2:5], gross_currency or net_currency
        values: tuple[Any, ...] = (place, *row[5:11], currency, amount, rate, net_currency, net, charged, *row[20:])
        lines.append(Line(row[0], row[1], *values))
    return lines


def read_items(connection: duckdb.DuckDBPyConnection) -> list[Item]:
    """What our books hold against gateways."""
    return [Item(row[0], row[1], row[2:5], *row[5:]) for row in connection.execute(_ITEMS).fetchall()]


def read_outcome(connection: duckdb.DuckDBPyConnection) -> Outcome:
    """What the tables say, in the words of the second implementation."""

    def rows(query: str) -> list[Any]:
        return connection.execute(query).fetchall()

    return Outcome(
        matches={
            line: (name, item) for line, name, item in rows("SELECT line_id, pass, item_id FROM fct_recon_matches")
        },
        groups={(name, frozenset(lines), frozenset(items or ()) - {None}) for name, lines, items in rows(_GROUPS)},
        adjustments=dict(rows("SELECT line_id, adjustment_minor FROM fct_recon_matches WHERE adjustment_minor != 0")),
        breaks=set(rows("SELECT class, line_id, item_id FROM fct_recon_breaks")),
        in_transit={item for (item,) in rows("SELECT item_id FROM intermediate.int_open_items WHERE is_in_transit")},
        fees=set(rows(_FEES)),
    )


def _bridge(connection: duckdb.DuckDBPyConnection) -> Bridge:
    return {((row[0], row[1], row[2]), row[3], row[4]): row[5] for row in connection.execute(_BRIDGE).fetchall()}


def _differ(what: str, found: Iterable[Any], wanted: Iterable[Any]) -> list[str]:
    ours, theirs = set(found), set(wanted)
    told = [f"{what} {one} is only in the tables" for one in sorted(ours - theirs, key=repr)]
    told += [f"{what} {one} is only found by the second implementation" for one in sorted(theirs - ours, key=repr)]
    more = len(told) - DIFFERENCES_MAX
    return told[:DIFFERENCES_MAX] + ([f"and {more} more"] if more > 0 else [])
