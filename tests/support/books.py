"""The internal API of the books, as jobs and the console use it; payments that are booked."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from regions.ids import new_id
from regions.money import Money
from regions.posting import RULE_VERSION, posting_key
from regions.region import load_region
from tests.support.regional import RegionDatabase
from web import ledger
from web.console.provision import provision
from web.db.engine import Database
from web.db.scope import Tenant, tenant_scope
from web.disputes.domain import Step, entries
from web.ledger.domain import MERCHANT_PAYABLE_PENDING

AT = datetime(2026, 3, 14, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"


@dataclass
class Books:
    """One region's books, commanded through the web service."""

    app: Flask
    database: RegionDatabase

    def command(self, path: str, body: Mapping[str, Any], key: str | None = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.database.env['SERVICE_KEY_EU']}"}
        headers["Idempotency-Key"] = key or secrets.token_hex(8)
        return self.app.test_client().post(f"/internal/v1/{path}", json=body, headers=headers)

    def post(self, *postings: tuple[str, Mapping[str, Any] | None], merchant_id: str | None = "") -> TestResponse:
        """Post subjects with their facts, of the database's merchant unless told otherwise."""
        wanted = [
            {"subject_id": subject, "key": posting_key(subject, fact, RULE_VERSION), "fact": fact}
            for subject, fact in postings
        ]
        merchant = self.database.merchant_id if merchant_id == "" else merchant_id
        body = {"merchant_id": merchant, "livemode": False, "rule_version": RULE_VERSION, "postings": wanted}
        return self.command("recon/postings", body)

    def pay(self, amount_minor: int, currency: str = "EUR", at: datetime = AT) -> str:
        """A payment that is booked: clearing against what we owe the merchant."""
        payment_id = new_id("payment", "eu")
        self._book(ledger.payment_journal(payment_id, "sandbox", Money(amount_minor, currency), at))
        return payment_id

    def dispute(self, amount_minor: int, at: datetime = AT) -> tuple[str, str]:
        """A dispute that took money back: its id, and the journal's, by which reconciliation knows the movement."""
        dispute_id = new_id("dispute", "eu")
        moved = entries(Step.TAKEN, "sandbox", MERCHANT_PAYABLE_PENDING, Money(amount_minor, "EUR"))
        return dispute_id, self._book(ledger.Journal(Step.TAKEN.value, dispute_id, at, moved))

    def _book(self, journal: ledger.Journal) -> str:
        database = Database(self.database.role_urls["web"], application_name="tests", pool_size=1)
        tenant = Tenant("", self.database.merchant_id, livemode=False)
        try:
            with tenant_scope(database, load_region("eu"), tenant, correlation_id="r", now=datetime.now(UTC)) as scope:
                return ledger.post_journal(scope, journal)
        finally:
            database.dispose()

    def person(self, role: str = "finance", merchant_id: str | None = None) -> str:
        """The e-mail address of a new user of the console."""
        email = f"{role}-{secrets.token_hex(4)}@example.com"
        owner = Database(self.database.role_urls["owner"], application_name="tests", pool_size=1)
        try:
            with owner.transaction() as connection:
                provision(connection, "eu", email, role, merchant_id, PASSWORD)
        finally:
            owner.dispose()
        return email

    def balances(self, *names: str) -> dict[str, int]:
        """Balances by "account currency" of the journals that book these sources or reverse what does."""
        with self.database.connect("postgres") as admin:
            rows = admin.execute(
                """SELECT e.account || ' ' || e.currency, sum(e.amount_minor)::bigint
                     FROM ledger_journals j JOIN ledger_entries e ON e.journal_id = j.id
                     LEFT JOIN ledger_journals o ON o.id = j.reverses_id
                     LEFT JOIN recon_postings p ON p.id IN (j.source_id, o.source_id)
                    WHERE j.source_id = ANY(%(names)s) OR o.source_id = ANY(%(names)s) OR p.subject_id = ANY(%(names)s)
                    GROUP BY 1 HAVING sum(e.amount_minor) <> 0""",
                {"names": list(names)},
            ).fetchall()
        return dict(rows)


def settled(item_id: str | None, gross_minor: int, fee_minor: int = 0, **more: Any) -> dict[str, Any]:
    """A line of a settlement report, as a fact to post."""
    return {
        "type": "settlement", "gateway": "sandbox", "kind": "payment", "item_id": item_id,
        "gross_currency": "EUR", "gross_minor": gross_minor,
        "net_currency": "EUR", "net_minor": gross_minor - fee_minor,
        "commission_minor": fee_minor, "markup_minor": 0, "scheme_minor": 0, "interchange_minor": 0,
        "is_tolerated": False,
        "booked_value_minor": None, "reference_value_minor": None, "occurred_at": "2026-03-14T22:59:59Z",
    } | more  # fmt: skip


def line() -> str:
    """A line of a report that nothing else names."""
    return f"line-{secrets.token_hex(8)}"


def counts(answer: Any) -> tuple[int, int, int, int]:
    """What a command to post did: posted, reversed, unchanged, re-opened."""
    assert answer.status_code == 200, answer.json
    return tuple(answer.json[name] for name in ("posted", "reversed", "unchanged", "reopened"))  # type: ignore[return-value]


def proposal(_: Books, break_id: str, **more: Any) -> dict[str, Any]:
    """The body of a proposal to write off; `more` says otherwise."""
    return {
        "merchant_id": None, "livemode": False, "break_id": break_id, "break_class": "missing_with_us",
        "action": "write_off", "gateway": "sandbox", "line_id": None, "item_id": None, "reason": "given up",
    } | more  # fmt: skip


def decide(books: Books, resolution: str, decision: str, actor: str) -> Any:
    """Approve, reject or re-open."""
    return books.command(f"recon/resolutions/{resolution}/decisions", {"decision": decision, "actor": actor})


def payout_id() -> str:
    """A payout of the simulated gateway."""
    return f"payout/test/sandbox/MeridianEU/{secrets.token_hex(4)}/EUR"


def paid_out(amount_minor: int) -> dict[str, Any]:
    """What a batch paid out, as a fact to post."""
    return {
        "type": "payout", "gateway": "sandbox", "currency": "EUR", "amount_minor": amount_minor,
        "occurred_at": "2026-03-15T12:00:00Z",
    }  # fmt: skip


def arrived(payout: str | None, amount_minor: int) -> dict[str, Any]:
    """An entry of the bank's statement, as a fact to post."""
    return {
        "type": "bank", "account": "MeridianEU", "gateway": "sandbox" if payout else None, "currency": "EUR",
        "amount_minor": amount_minor, "outcome": "payout" if payout else "unknown_at_bank", "payout_id": payout,
        "occurred_at": "2026-03-16T00:00:00Z",
    }  # fmt: skip
