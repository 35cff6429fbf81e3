"""Breaks of the published build, with what people have decided about them since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from regions.errors import UsageError
from regions.posting import payout_subject

if TYPE_CHECKING:
    import duckdb

AGES = ((1, "0-1"), (7, "2-7"), (30, "8-30"))
OLDEST = ">30"
BANK = "bank"  # where a gain or loss stands that no gateway has to do with
_HAS_REPORT = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'rpt_recon_breaks'"
_COLUMNS = """break_id, class, livemode, merchant_id, gateway, gateway_account, line_id, item_id, currency,
       amount_minor, psp_reference, payment_id"""
# The richer table has both legs, an owner and a state; a build of before has neither, and only the gateway's leg.
_PLAIN = f"""
SELECT {_COLUMNS}, business_date AS since_on, NULL AS owner, NULL AS state, 'gateway' AS leg,
       NULL AS payout_key, NULL AS entry_id, NULL AS payout_reference FROM fct_recon_breaks"""  # noqa: S608
_RICH = """
SELECT r.break_id, r.class, r.livemode, f.merchant_id, r.gateway, r.gateway_account, r.line_id, r.item_id, r.currency,
       r.amount_minor, f.psp_reference, f.payment_id, r.since_on, r.owner, r.state, r.leg, b.payout_key, r.entry_id,
       b.payout_reference
  FROM rpt_recon_breaks AS r LEFT JOIN fct_recon_breaks AS f USING (break_id)
  LEFT JOIN fct_bank_breaks AS b USING (break_id)
 WHERE r.state <> 'resolved'"""
RESOLUTIONS = """
SELECT r.id, r.break_id, r.other_break_id, r.action, r.amount_minor, r.currency, r.proposed_by,
       CASE WHEN bool_or(d.decision = 'reopened') THEN 'reopened' WHEN bool_or(d.decision = 'approved') THEN 'approved'
            WHEN bool_or(d.decision = 'rejected') THEN 'rejected' ELSE 'proposed' END AS status
  FROM recon_resolutions r LEFT JOIN recon_decisions d ON d.resolution_id = r.id
 GROUP BY r.id ORDER BY r.proposed_at, r.id
"""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The newest resolution of a break."""

    id: str
    action: str
    status: str
    proposed_by: str


@dataclass(frozen=True, slots=True)
class Break:
    """One break with its age on the build's business date, and how far its resolution is."""

    facts: dict[str, Any]
    age_days: int
    resolution: Resolution | None

    @property
    def id(self) -> str:
        """Its stable id."""
        return str(self.facts["break_id"])

    @property
    def age_bucket(self) -> str:
        """0-1, 2-7, 8-30 or >30 days."""
        return next((name for days, name in AGES if self.age_days <= days), OLDEST)

    @property
    def status(self) -> str:
        """open, proposed or resolved."""
        status = self.resolution.status if self.resolution else ""
        return {"proposed": "proposed", "approved": "resolved"}.get(status, "open")

    def document(self) -> dict[str, Any]:
        """For programs."""
        found = {name: value.isoformat() if isinstance(value, date) else value for name, value in self.facts.items()}
        resolution = self.resolution.id if self.resolution else None
        return found | {
            "age_days": self.age_days,
            "age_bucket": self.age_bucket,
            "status": self.status,
            "resolution_id": resolution,
        }


def load_breaks(
    build: duckdb.DuckDBPyConnection, business_date: date, resolutions: Iterable[Sequence[Any]]
) -> list[Break]:
    """All breaks of a build, the oldest first; `resolutions` is what RESOLUTIONS finds in the region's database."""
    (has_report,) = build.execute(_HAS_REPORT).fetchone() or (0,)
    cursor = build.execute((_RICH if has_report else _PLAIN) + " ORDER BY since_on, break_id")
    names = [column[0] for column in cursor.description or []]
    newest: dict[str, Resolution] = {}
    for key, break_id, other_id, action, _, _, proposed_by, status in resolutions:
        for name in (break_id, other_id):
            if name is not None:
                newest[name] = Resolution(key, action, status, proposed_by)
    found = []
    for row in cursor.fetchall():
        facts = dict(zip(names, row, strict=True))
        found.append(Break(facts, (business_date - facts["since_on"]).days, newest.get(facts["break_id"])))
    return found


def one_break(breaks: list[Break], break_id: str) -> Break:
    """The break with that id, or its only beginning. Raises UsageError."""
    found = [one for one in breaks if one.id.startswith(break_id)]
    if len(found) != 1:
        raise UsageError(f"{len(found)} breaks of the published build are called {break_id}: give one whole id.")
    return found[0]


def may_match(one: Break, other: Break) -> bool:
    """Whether two breaks could be the two sides of one movement: a line without an item, and an item without a line."""
    if one.facts["leg"] == "bank":
        entry, payout = (one, other) if one.facts["payout_key"] is None else (other, one)
        sides = (entry.facts["class"], payout.facts["class"])
        same = all(entry.facts[name] == payout.facts[name] for name in ("leg", "livemode", "currency"))
        return same and sides == ("unknown_at_bank", "missing_at_bank")
    line, item = (one, other) if one.facts["line_id"] else (other, one)
    same = all(line.facts[name] == item.facts[name] for name in ("livemode", "gateway", "currency"))
    return bool(same and line.facts["line_id"] and item.facts["item_id"] and not item.facts["line_id"])


def proposal(one: Break, other: Break | None, reason: str, actor: str, side: str | None) -> dict[str, Any]:
    """The body of a proposal. A line that explains part of an item is in its merchant's books, any other in our own."""
    facts = one.facts
    if facts["leg"] == "bank":
        said, merchant_id = _on_the_banks_leg(one, other), None
    elif other is not None:
        line, item = (one, other) if one.facts["line_id"] else (other, one)
        if not line.facts["line_id"] or not item.facts["item_id"] or item.facts["line_id"]:
            raise UsageError("A match has a settlement line on one side and a booked payment or refund on the other.")
        said = {"line_id": line.facts["line_id"], "item_id": item.facts["item_id"]}
        merchant_id = item.facts["merchant_id"]
    elif facts["line_id"] is None or (side == "item" and facts["item_id"]):
        said, merchant_id = {"line_id": None, "item_id": facts["item_id"]}, facts["merchant_id"]
    else:
        is_merchants = facts["class"] == "amount"
        said, merchant_id = (
            {"line_id": facts["line_id"], "item_id": None},
            facts["merchant_id"] if is_merchants else None,
        )
    return {
        "merchant_id": merchant_id,
        "livemode": facts["livemode"],
        "break_id": one.id,
        "break_class": facts["class"],
        "action": "write_off" if other is None else "match",
        "gateway": facts["gateway"] or (other.facts["gateway"] if other else None) or BANK,
        **said,
        "other_break_id": None if other is None else other.id,
        "reason": reason,
        "actor": actor,
    }


def _on_the_banks_leg(one: Break, other: Break | None) -> dict[str, str | None]:
    """An entry that nobody announced stands as itself, anything else as the payout that it is about. Raises UsageError.

    Both are in the platform's own books.
    """
    if other is None:
        return {"line_id": _subject_at_bank(one), "item_id": None}
    if not may_match(one, other):
        raise UsageError(
            "A match on the bank's leg has an entry that nobody announced on one side and a payout that never "
            "arrived, of the same currency, on the other."
        )
    entry, payout = (one, other) if one.facts["payout_key"] is None else (other, one)
    return {"line_id": _subject_at_bank(entry), "item_id": _subject_at_bank(payout)}


def _subject_at_bank(one: Break) -> str:
    key = one.facts["payout_key"]
    return str(one.facts["entry_id"]) if key is None else payout_subject(key, livemode=one.facts["livemode"])
