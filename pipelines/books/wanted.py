"""How a published build wants the books: each settlement line, bank entry and grouped item as a fact to post."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from regions.posting import RULE_VERSION, payout_subject, posting_key

if TYPE_CHECKING:
    import duckdb

    from regions.region import Region

# What an amount was worth: (amount_minor, from, to, at) → minor units of `to`, or None where no rate applies.
Value = Callable[[int, str, str, datetime], int | None]

# `pass` and groups came with the richer matching; a build of before has neither.
_LINES = """
SELECT l.line_id, l.livemode, l.gateway, l.kind, s.gross_currency, s.gross_minor, s.net_currency, s.net_minor,
       s.commission_minor, s.markup_minor, s.scheme_fees_minor, s.interchange_minor, l.closed_at,
       coalesce(m.item_id, b.item_id) AS item_id, coalesce(m.merchant_id, b.merchant_id) AS merchant_id,
       coalesce({is_tolerated}, false) AS is_tolerated,
       m.line_id IS NOT NULL AND m.item_id IS NULL AS is_grouped, i.occurred_at AS booked_at
  FROM fct_settlement_lines AS l
  JOIN staging.stg_settlement_lines AS s USING (line_id)
  LEFT JOIN (SELECT * FROM fct_recon_matches WHERE line_id IS NOT NULL) AS m USING (line_id)
  LEFT JOIN fct_recon_breaks AS b
    ON b.line_id = l.line_id AND b.class = 'amount' AND b.booked_minor IS NOT NULL AND m.line_id IS NULL
  LEFT JOIN intermediate.int_booked_items AS i ON i.item_id = coalesce(m.item_id, b.item_id)
 WHERE l.kind <> 'payout' AND l.report_date BETWEEN $since AND $until
 ORDER BY l.line_id
"""
_ITEMS = """
SELECT m.item_id, m.livemode, m.gateway, m.merchant_id, i.occurred_at
  FROM fct_recon_match_items AS m JOIN intermediate.int_booked_items AS i USING (item_id)
 WHERE m.match_id IN (SELECT match_id FROM fct_recon_matches AS g JOIN fct_settlement_lines AS l USING (line_id)
                       WHERE g.item_id IS NULL AND l.report_date BETWEEN $since AND $until)
 ORDER BY m.item_id
"""
_ENTRIES = """
SELECT e.entry_id, e.livemode, e.account, e.currency, e.amount_minor, e.outcome, e.booking_date,
       e.payout_key, min(g.gateway) AS gateway
  FROM fct_bank_entries AS e
  LEFT JOIN fct_payout_legs AS g
    ON g.payout_key = e.payout_key AND g.livemode = e.livemode
 WHERE e.booking_date BETWEEN $since AND $until
 GROUP BY ALL ORDER BY e.entry_id
"""
_PAYOUTS = """
SELECT payout_key, livemode, gateway, currency, paid_out_minor AS amount_minor, paid_out_on FROM fct_payout_legs
 WHERE paid_out_on BETWEEN $since AND $until ORDER BY payout_key
"""


@dataclass(frozen=True, slots=True)
class WantedPosting:
    """One subject: whose books (None: the platform's own), and the fact to post."""

    subject_id: str
    merchant_id: str | None
    livemode: bool
    fact: dict[str, Any]

    @property
    def key(self) -> str:
        """The same match has the same key."""
        return posting_key(self.subject_id, self.fact, RULE_VERSION)


def wanted_postings(
    build: duckdb.DuckDBPyConnection, region: Region, since: date, until: date, value: Value
) -> Iterator[WantedPosting]:
    """Everything that reports and statements from `since` until `until` say, as the build matched it."""
    days = {"since": since, "until": until}
    columns = {row["column_name"] for row in _rows(build, "DESCRIBE fct_recon_matches")}
    is_tolerated = "m.pass = 'tolerance'" if "pass" in columns else "false"
    for row in _rows(build, _LINES.format(is_tolerated=is_tolerated), days):
        yield _of_line(row, value)
    if "pass" in columns:
        for row in _rows(build, _ITEMS, days):
            fact = {"type": "item", "gateway": row["gateway"], "item_id": row["item_id"]}
            yield WantedPosting(
                row["item_id"], row["merchant_id"], row["livemode"], fact | {"occurred_at": _moment(row["occurred_at"])}
            )
    for row in _rows(build, _PAYOUTS, days):
        noon = datetime.combine(row["paid_out_on"], time(12), region.tz)
        fact = {name: row[name] for name in ("gateway", "currency", "amount_minor")}
        subject = payout_subject(row["payout_key"], livemode=row["livemode"])
        yield WantedPosting(subject, None, row["livemode"], fact | {"type": "payout", "occurred_at": _moment(noon)})
    for row in _rows(build, _ENTRIES, days):
        noon = datetime.combine(row["booking_date"], time(12), region.tz)
        fact = {name: row[name] for name in ("gateway", "currency", "amount_minor", "outcome")}
        payout = payout_subject(row["payout_key"], livemode=row["livemode"]) if row["payout_key"] else None
        fact |= {"type": "bank", "account": _place(row["account"]), "payout_id": payout, "occurred_at": _moment(noon)}
        yield WantedPosting(row["entry_id"], None, row["livemode"], fact)


def _of_line(row: dict[str, Any], value: Value) -> WantedPosting:
    same = ("gateway", "item_id", "gross_currency", "gross_minor", "net_currency", "net_minor")
    fact = {"type": "settlement", **{name: row[name] for name in same}}
    if fact["gross_currency"] is None:
        fact["gross_minor"] = None
    fact |= {
        "kind": "group" if row["is_grouped"] else row["kind"],
        "commission_minor": row["commission_minor"],
        "markup_minor": row["markup_minor"],
        "scheme_minor": row["scheme_fees_minor"],
        "interchange_minor": row["interchange_minor"],
        "is_tolerated": row["is_tolerated"],
        "booked_value_minor": None,
        "reference_value_minor": None,
        "occurred_at": _moment(row["closed_at"]),
    }
    if fact["gross_currency"] not in {None, fact["net_currency"]}:
        exchange = (fact["gross_minor"], fact["gross_currency"], fact["net_currency"])
        fact["reference_value_minor"] = value(*exchange, row["closed_at"])
        fact["booked_value_minor"] = value(*exchange, row["booked_at"]) if row["booked_at"] else None
    return WantedPosting(row["line_id"], row["merchant_id"], row["livemode"], fact)


def known_subjects(build: duckdb.DuckDBPyConnection, subjects: Sequence[str]) -> set[str]:
    """Which of these are lines, entries or items that the build has."""
    statement = """SELECT given.id FROM (SELECT unnest($subjects) AS id) AS given
        WHERE id IN (SELECT line_id FROM fct_settlement_lines) OR id IN (SELECT entry_id FROM fct_bank_entries)
           OR id IN (SELECT item_id FROM intermediate.int_booked_items)
           OR id IN (SELECT concat('payout/', CASE WHEN livemode THEN 'live' ELSE 'test' END, '/', payout_key)
                       FROM fct_payout_legs)"""
    return {row["id"] for row in _rows(build, statement, {"subjects": list(subjects)})} if subjects else set()


def _rows(
    build: duckdb.DuckDBPyConnection, statement: str, values: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    cursor = build.execute(statement, values)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _place(account: str) -> str:
    return "".join(character if character.isalnum() or character in "_-" else "_" for character in account)[:64]
