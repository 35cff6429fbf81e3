"""The world that a merchant's payments live in, for the stateful test: its shop, its books, and what judges them.

Reconciliation is the product's own from the matched line on: facts through `pipelines.books.posting` to the command.
"""

import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import orjson

from pipelines.books.posting import Live, carry_out, plan
from pipelines.books.wanted import WantedPosting
from regions.ids import house_id
from regions.posting import payout_subject
from tests.support.shop import CONTROL_KEY, Shop
from web.sandbox.bank.domain import Payout, entries_of
from web.sandbox.settlement import repository as settlement
from web.sandbox.settlement.domain import AUTOMATIC, Line

PLAN = {"tax_percent": "19", "rules": [
    {"currency": "EUR", "percent": "1.4", "flat_minor": 25},
    {"currency": "SEK", "by_volume": "slab", "tiers": [{"up_to_minor": 5000, "percent": "2"}, {"percent": "1"}]},
]}  # fmt: skip
PAYOUT_ACCOUNT = {"holder": "Demo GmbH", "number": "DE89370400440532013000", "bic": "COBADEFFXXX"}
CURRENCIES = ("EUR", "SEK")
PAYABLE = ("merchant_payable_pending", "merchant_payable_available", "payer_refundable", "merchant_reserve")
PLATFORM_FEES = ("platform_fees", "tax")
CLEARING = ("gateway_clearing", "bank_clearing", "payout_clearing", "bank")
COSTS = ("gateway_fees", "bank_fees")
UNEXPLAINED = ("suspense", "disputes", "reserve")  # of what the gateway has told and our books have not heard of yet
NOTHING = ("split_clearing",)
GROUPS = (PAYABLE, PLATFORM_FEES, CLEARING, COSTS, UNEXPLAINED, NOTHING)
_KINDS = {"Settled": "payment", "Refunded": "refund", "Chargeback": "chargeback", "Fee": "fee",
          "ChargebackReversed": "chargeback_reversal"}  # fmt: skip

_BALANCES = """
SELECT e.currency, split_part(e.account, ':', 1) AS account, sum(e.amount_minor)::bigint AS n
  FROM ledger_journals j JOIN ledger_entries e ON e.journal_id = j.id
 WHERE j.merchant_id = ANY(%s) OR j.merchant_id = %s AND j.booked_at >= %s GROUP BY 1, 2
"""
_JOURNALS = """
SELECT DISTINCT j.kind || ' ' || e.currency AS name FROM ledger_journals j JOIN ledger_entries e ON e.journal_id = j.id
 WHERE j.merchant_id = ANY(%s)
"""
_LOPSIDED = """
SELECT e.journal_id FROM ledger_journals j JOIN ledger_entries e ON e.journal_id = j.id
 WHERE j.merchant_id = ANY(%s) GROUP BY 1, e.currency HAVING sum(e.amount_minor) <> 0
"""
_MOVED = """
SELECT currency, sum(captured_minor)::bigint AS captured, sum(refunded_minor)::bigint AS refunded,
       sum(disputed_minor)::bigint AS disputed, min(captured_minor - refunded_minor - pending_refund_minor) AS worst
  FROM payments WHERE merchant_id = %s GROUP BY 1
"""
_PAID_OUT = """
SELECT currency, sum(amount_minor)::bigint AS n FROM payouts WHERE merchant_id = %s AND status <> 'failed' GROUP BY 1
"""
_PRICE = """
INSERT INTO pricing_plans (merchant_id, valid_from, name, terms) VALUES (%s, now() - interval '1 h', 'life', %s)
"""
_TRIES = """
SELECT a.id, a.status, a.gateway, p.id AS payment_id, p.status AS payment_status, p.captured_minor, p.refunded_minor,
       p.link_id, l.usage FROM attempts a JOIN payments p ON p.id = a.payment_id JOIN links l ON l.id = p.link_id
 WHERE a.merchant_id = %s ORDER BY a.id
"""
_KNOWN = """
SELECT p.id, p.account, p.reference, p.status, p.amount_minor, p.captured_minor, p.action_id,
       (SELECT coalesce(sum(r.amount_minor), 0)::bigint FROM refunds r
         WHERE r.payment_id = p.id AND r.status = 'succeeded') AS refunded_minor
  FROM payments p WHERE p.reference = ANY(%s) ORDER BY p.reference
"""
_DISPUTES = """
SELECT d.id, d.account FROM disputes d JOIN payments p ON p.id = d.payment_id
 WHERE p.reference = ANY(%s) ORDER BY d.opened_at
"""
_ITEMS = """
SELECT j.merchant_id, j.kind, j.id AS journal_id, j.source_id, a.id AS attempt_id, d.gateway_reference
  FROM ledger_journals j LEFT JOIN attempts a ON j.kind = 'payment' AND a.payment_id = j.source_id
  LEFT JOIN disputes d ON d.id = j.source_id
 WHERE j.merchant_id = ANY(%s) AND j.kind IN ('payment', 'capture', 'refund', 'dispute', 'dispute_won')
"""
_LIVE = """
SELECT p.subject_id, p.merchant_id, p.livemode, p.key FROM recon_postings p
 WHERE p.subject_id = ANY(%s) AND NOT EXISTS (SELECT FROM ledger_journals r WHERE r.reverses_id = p.journal_id)
"""


@dataclass
class World:
    """One merchant of the shop's, new, and everything that happens to its money."""

    shop: Shop
    merchants: list[str]
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    lines: dict[str, tuple[str, Line]] = field(default_factory=dict)  # of reports that arrived: subject → gateway, line
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)  # of bank statements: subject → fact
    batches: set[tuple[str, int]] = field(default_factory=set)
    at_bank: list[tuple[str, str, Payout]] = field(default_factory=list)  # paid out, and in no statement yet
    unexplained: Counter[str] = field(default_factory=Counter)  # of the lines as they were booked last, by currency

    @classmethod
    def new(cls, shop: Shop) -> "World":
        """A merchant of its own at the same servers; what lies unsettled at the gateway is nobody's of this world."""
        merchant_id, key = shop.database.add_merchant()
        mine = replace(shop, database=replace(shop.database, merchant_id=merchant_id, secret_key=key))
        before = cls(mine, [merchant_id])
        before.close_batches()
        return cls(mine, [merchant_id], batches=before.batches)

    # What people do

    def call(self, path: str, **body: Any) -> httpx.Response:
        """A command of the platform's own."""
        headers = {"Authorization": f"Bearer {self.shop.database.env['SERVICE_KEY_EU']}",
                   "Idempotency-Key": secrets.token_hex(8)}  # fmt: skip
        return self.shop.http.post(f"{self.shop.web_url}/internal/v1/{path}", json=body, headers=headers)

    def control(self, path: str, **body: Any) -> dict[str, Any] | None:
        """The simulated gateway's dials; None where it refuses."""
        headers = {"Authorization": f"Bearer {CONTROL_KEY}"}
        answer = self.shop.http.post(f"{self.shop.sandbox_url}/_control{path}", json=body, headers=headers)
        return answer.json() if answer.is_success else None

    def be_charged_fees(self) -> None:
        """From now on the platform takes its fees of this merchant."""
        self.shop.execute(_PRICE, self.merchants[0], orjson.dumps(PLAN).decode())

    def be_paid_out(self, currency: str, minimum_minor: int) -> None:
        """Say where the money goes."""
        body = {"currency": currency, "schedule": "daily", "account": PAYOUT_ACCOUNT, "minimum_minor": minimum_minor}
        assert self.shop.post("/v1/payout_settings", **body).status_code == 200

    def partner(self) -> str:
        """Another merchant, who gets a part of what this one takes."""
        if len(self.merchants) == 1:
            self.merchants.append(self.shop.database.add_merchant("Partner")[0])
        return self.merchants[1]

    # What the gateway and the bank send

    def close_batches(self) -> None:
        """The gateway closes its day and reports it."""
        for account in self.shop.sandbox_settings.accounts.values():
            day = (datetime.now(account.tz) + timedelta(days=1)).date()
            closed = self.control("/settle", account=account.name, date=day.isoformat())
            assert closed is not None
            name = (account.name, closed["batch_number"])
            if name not in self.batches:
                self.batches.add(name)
                self._read_report(*name)

    def _read_report(self, account: str, number: int) -> None:
        gateway = next(one.name for one in self.shop.worker.region.gateways if one.account == account)
        with self.shop.sandbox_database.transaction() as connection:
            batch = next(one for one in settlement.batches(connection, account) if one.batch_number == number)
            lines = settlement.lines(connection, batch.id)
        assert sum(line.net_minor for line in lines) == 0, "a report's lines and payouts add up to nothing"
        for count, line in enumerate(lines):
            subject = f"line-{account}-{number}-{count}"
            if line.type == "MerchantPayout":
                subject = payout_subject(f"{gateway}/{account}/{number}/{line.net_currency}", livemode=False)
                amount = (line.net_currency, -line.net_minor)
                self.at_bank.append((subject, gateway, Payout(number, batch.business_date, *amount, subject)))
            self.lines[subject] = (gateway, line)

    def read_statements(self) -> None:
        """The bank's statement of what has been paid out, and of what it charges for that."""
        for subject, gateway, payout in self.at_bank:
            for entry in entries_of([payout], 0):
                outcome = "charge" if entry.is_charge else "payout"
                whose = (None, None) if entry.is_charge else (gateway, subject)
                self.entries[f"entry-{subject}-{outcome}"] = {
                    "type": "bank", "account": f"{gateway}_{entry.currency}", "gateway": whose[0],
                    "currency": entry.currency, "amount_minor": entry.amount_minor, "outcome": outcome,
                    "payout_id": whose[1], "occurred_at": _moment(self.since),
                }  # fmt: skip
        self.at_bank.clear()

    def reconcile(self) -> Counter[str]:
        """Book all reports and statements as they match now, as the nightly job would."""
        items = self._items()
        wanted = [self._wanted(subject, *found, items) for subject, found in self.lines.items()]
        self.unexplained = Counter()
        for one in wanted:
            if one.fact["type"] == "settlement" and one.fact["gross_minor"] and one.fact["item_id"] is None:
                self.unexplained[one.fact["gross_currency"]] -= one.fact["gross_minor"]
        wanted += [WantedPosting(subject, None, livemode=False, fact=fact) for subject, fact in self.entries.items()]
        live = [Live(**row) for row in self.shop.rows(_LIVE, [one.subject_id for one in wanted])]
        todo = plan(self.shop.worker.region, wanted, live, cast("Any", None))

        def command(path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
            answer = self.call(path, **body)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        done = carry_out(todo, command)
        return Counter(posted=done.posted, reversed=done.reversed)

    def _items(self) -> dict[tuple[str, str], tuple[str, str]]:
        """What is booked, by how a report names it: (merchant, item)."""
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for row in self.shop.rows(_ITEMS, self.merchants):
            match row["kind"]:
                case "payment":
                    found["Settled", row["attempt_id"]] = row["merchant_id"], row["source_id"]
                case "capture":
                    found["Settled", row["source_id"]] = row["merchant_id"], row["source_id"]
                case "refund":
                    found["Refunded", row["source_id"]] = row["merchant_id"], row["source_id"]
                case kind:
                    line = "Chargeback" if kind == "dispute" else "ChargebackReversed"
                    found[line, row["gateway_reference"]] = row["merchant_id"], row["journal_id"]
        return found

    def _wanted(
        self, subject: str, gateway: str, line: Line, items: dict[tuple[str, str], tuple[str, str]]
    ) -> WantedPosting:
        if line.type == "MerchantPayout":
            fact = {
                "type": "payout",
                "gateway": gateway,
                "currency": line.net_currency,
                "amount_minor": -line.net_minor,
            }
            return WantedPosting(subject, None, livemode=False, fact=fact | {"occurred_at": _moment(line.booked_at)})
        own = line.modification_merchant_reference
        name = line.merchant_reference if own == AUTOMATIC else own or line.modification_reference
        merchant_id, item_id = items.get((line.type, name), (None, None))
        same = ("gross_currency", "gross_minor", "net_currency", "net_minor", "commission_minor", "markup_minor",
                "scheme_minor", "interchange_minor")  # fmt: skip
        fact = {"type": "settlement", "gateway": gateway, "kind": _KINDS[line.type], "item_id": item_id,
                **{one: getattr(line, one) for one in same}, "is_tolerated": False, "booked_value_minor": None,
                "reference_value_minor": None, "occurred_at": _moment(line.booked_at)}  # fmt: skip
        return WantedPosting(subject, merchant_id, livemode=False, fact=fact)

    # What judges

    def tries(self) -> list[dict[str, Any]]:
        """Every attempt with its payment and link."""
        return self.shop.rows(_TRIES, self.merchants[0])

    def known(self, tries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """What the gateway itself has of these attempts, by attempt; never more than one payment of each."""
        with self.shop.sandbox_database.transaction() as connection:
            found = connection.execute(_KNOWN, [[one["id"] for one in tries]]).fetchall()
        assert len({row["reference"] for row in found}) == len(found), "charged once"
        return {row["reference"]: row for row in found}

    def disputes(self) -> list[dict[str, Any]]:
        """What payers have complained of, at the gateway."""
        with self.shop.sandbox_database.transaction() as connection:
            return connection.execute(_DISPUTES, [[one["id"] for one in self.tries()]]).fetchall()

    def books(self) -> dict[str, dict[str, int]]:
        """Balances by currency and account, of this world's merchants and of the platform since it began."""
        held: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for row in self.shop.rows(_BALANCES, self.merchants, house_id("eu"), self.since):
            held[row["currency"]][row["account"]] = row["n"]
        return held

    def moved(self) -> dict[str, dict[str, int]]:
        """What payments and payouts say has moved, by currency."""
        found = {row["currency"]: {**row, "paid_out": 0} for row in self.shop.rows(_MOVED, self.merchants[0])}
        for row in self.shop.rows(_PAID_OUT, self.merchants[0]):
            found[row["currency"]]["paid_out"] = row["n"]
        return found

    def journals(self) -> set[str]:
        """What has been booked for this world's merchants, such as `payment EUR`."""
        return {row["name"] for row in self.shop.rows(_JOURNALS, self.merchants)}

    def lopsided(self) -> list[Any]:
        return self.shop.rows(_LOPSIDED, self.merchants)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
