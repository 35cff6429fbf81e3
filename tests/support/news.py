"""What gateways and banks tell of one payment, applied to one database in whatever order, and what is left of it.

Everything happens in one transaction that is never committed: an order is tried behind a savepoint and taken back.
"""

import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import text

from regions.errors import MeridianError
from regions.ids import new_code, new_id
from regions.money import Money
from regions.region import load_region
from tests.support.regional import RegionDatabase
from tests.support.told import NOT_FOUND_AFTER, NOW, PRICE, News, told
from web import ledger
from web.captures import orders as captures
from web.captures.service import request_void
from web.checkout import sessions
from web.checkout.models import NewSession
from web.db.engine import Database
from web.db.scope import Scope, enter_tenant
from web.gateways.domain import (
    Answer,
    CaptureMode,
    Fact,
)
from web.links.models import Link
from web.links.pricing import Price
from web.payments import repository as payments
from web.payments import service, slots
from web.payments.domain import AttemptStatus
from web.payments.models import Standing
from web.payments.service import NewPayment, NextAttempt, apply_outcome
from web.payouts import repository as payouts_table
from web.payouts import service as payouts
from web.payouts.domain import Schedule
from web.payouts.models import PayoutSettings
from web.refunds.service import request_refund

_ID = re.compile(r"^[a-z]+_eu_[0-9a-z]{26}$")

_LINK = text("""
INSERT INTO links (id, merchant_id, code, livemode, amount_minor, currency, reference, metadata, usage, status, terms,
                   created_at)
VALUES (:id, :merchant_id, :code, false, :amount, 'EUR', 'R-1', '{}', :usage, 'active', CAST(:terms AS jsonb), :now)
""")
# How a thing stands in the end. When we asked, and when we shall ask again, is no part of that.
_ROWS = {
    "payments": "id, status, failure_code, amount_minor, capturable_minor, pending_capture_minor, captured_minor,"
    " refunded_minor, pending_refund_minor, disputed_minor, is_late, released_at, succeeded_at",
    "attempts": "id, payment_id, status, gateway, gateway_reference, card_token, card_last4, finished_at",
    "refunds": "id, payment_id, status, amount_minor, reason, gateway_reference, failure_code, finished_at",
    "captures": "id, payment_id, status, amount_minor, is_final, gateway_reference, failure_code, finished_at",
    "voids": "id, payment_id, attempt_id, status, reason, gateway_reference, failure_code, finished_at",
    "disputes": "payment_id, status, amount_minor, gateway_reference",
    "links": "id, status",
    "link_slots": "link_id, slot, payment_id, state",
    "checkout_sessions": "id, status",
    "payouts": "id, status, amount_minor",
    "renewals": "id, status, ended_reason, refused_code, payment_method_id, next_number",
    "renewal_periods": "renewal_id, number, status, amount_minor, payment_id, link_id, finished_at",
    "splits": "role, payment_id, source_id, status, amount_minor, reversed_minor",
}
_BALANCES = text("""
SELECT e.account, sum(e.amount_minor)::bigint AS n FROM ledger_entries e JOIN ledger_journals j ON j.id = e.journal_id
 WHERE j.merchant_id = :merchant_id GROUP BY 1 HAVING sum(e.amount_minor) <> 0
""")
_KNOWN = text("""
SELECT subject AS id FROM outbox WHERE merchant_id = :merchant_id
UNION SELECT id FROM voids WHERE merchant_id = :merchant_id
UNION SELECT id FROM attempts WHERE merchant_id = :merchant_id
UNION SELECT id FROM links WHERE merchant_id = :merchant_id
""")
# What decides about an object, for whoever reads all that was told of it: the states below are overtaken by it.
_DECIDES = ("payment.succeeded", "payment.voided", "payment.failed", "payment.authorised", "payment.requires_action")
_LAST_TOLD = text("""
SELECT DISTINCT ON (subject) subject, type, data FROM outbox
 WHERE merchant_id = :merchant_id AND type NOT IN ('journal.posted', 'fee.charged')
 ORDER BY subject, array_position(CAST(:decides AS text[]), type), sequence DESC
""")
_TOLD = text("SELECT type, count(*) AS n FROM outbox WHERE merchant_id = :merchant_id GROUP BY 1")
# Told once for all money that moves: whoever adds these up has it to the cent, in whichever order it came.
MONEY = ("payment.succeeded", "capture.succeeded", "refund.succeeded", "fee.charged", "split.created", "split.reversed")


@dataclass
class Ground:
    """A merchant's payments in an open transaction."""

    scope: Scope
    known: set[str] = field(default_factory=set)

    @classmethod
    @contextmanager
    def opened(cls, database: RegionDatabase) -> Iterator[Callable[[], AbstractContextManager["Ground"]]]:
        """A merchant of its own. What is made opens a transaction for one history, and takes it all back."""
        merchant_id, _ = database.add_merchant()
        serving = Database(database.url, application_name="tests", pool_size=1)

        @contextmanager
        def apart() -> Iterator[Ground]:
            with serving.engine.connect() as connection, connection.begin() as transaction:
                enter_tenant(connection, merchant_id)
                yield cls(Scope(connection, load_region("eu"), merchant_id, False, "req_test", NOW))
                transaction.rollback()

        try:
            yield apart
        finally:
            serving.dispose()

    # How things stand before the news

    def link(self, usage: str = "multi", **terms: Any) -> str:
        link_id = new_id("link", "eu")
        values = {"id": link_id, "merchant_id": self.scope.merchant_id, "code": new_code(), "usage": usage,
                  "terms": orjson.dumps(terms).decode(), "now": NOW, "amount": PRICE.amount_minor}  # fmt: skip
        self.scope.connection.execute(_LINK, values)
        return link_id

    def sent(self, link_id: str, capture: CaptureMode = CaptureMode.AUTOMATIC, *, is_single: bool = False) -> str:
        """A payment whose attempt has gone to the gateway an hour ago; its attempt's id."""
        then = replace(self.scope, now=NOW - timedelta(hours=1))
        session = NewSession(new_id("session", "eu"), secrets.token_bytes(32), "en-IE", "desktop", None, None)
        link = Link(link_id, "", False, PRICE.amount_minor, "EUR", "R-1", None, {}, "multi", "active", None, None, None,
                    NOW, None)  # fmt: skip
        sessions.start(then, link, session, Price(PRICE.amount_minor, "EUR"))
        sealed = {"subject": new_id("subject", "eu"), "retention_class": "payer_contact", "ciphertext": "AA=="}
        new = NewPayment(link_id, session.id, PRICE, "sandbox", "MeridianEU", "tok", sealed, capture=capture)
        made = service.create_payment(then, new)
        if is_single:
            assert slots.hold(then, link_id, made.payment_id, 1)
        return made.attempt_id

    def tried_again(self, attempt_id: str) -> str:
        """The attempt has failed, and another gateway is asked: the second attempt's id."""
        following = NextAttempt("sandbox_b", "MeridianEU2", "", {}, timedelta(days=7))
        made: list[str] = []

        def onward(scope: Scope, standing: Standing, _: Answer) -> bool:
            made.append(service.try_again(scope, standing, following))
            return True

        declined = Answer(Fact.DECLINED, f"psp_{attempt_id[-8:]}", "processing_error")
        apply_outcome(self.scope, attempt_id, declined, NOT_FOUND_AFTER, onward)
        return made[0]

    def payment_of(self, attempt_id: str) -> str:
        return payments.get_attempt(self.scope, attempt_id).payment_id

    def paid(self, link_id: str) -> tuple[str, str]:
        """A payment whose money has come: its attempt's id and its own."""
        attempt_id = self.sent(link_id)
        told(attempt_id, Fact.CAPTURED)(self.scope)
        return attempt_id, self.payment_of(attempt_id)

    def set_aside(self, link_id: str) -> tuple[str, str]:
        """The same of money that waits for our capture."""
        attempt_id = self.sent(link_id, CaptureMode.MANUAL)
        told(attempt_id, Fact.AUTHORISED)(self.scope)
        return attempt_id, self.payment_of(attempt_id)

    def capture(self, payment_id: str, amount_minor: int, *, is_final: bool) -> str:
        payment = payments.lock_payment(self.scope, payment_id)
        assert payment is not None
        amount = Money(amount_minor, "EUR")
        return captures.order_capture(self.scope, payment, amount, is_final=is_final, wait=timedelta(0)).object_id

    def void(self, payment_id: str) -> str:
        return request_void(self.scope, payment_id).object_id

    def refund(self, payment_id: str, amount_minor: int) -> str:
        return request_refund(self.scope, payment_id, amount_minor, None).object_id

    def available(self, amount_minor: int) -> None:
        amount = Money(amount_minor, "EUR")
        entries = (
            ledger.Entry("gateway_clearing:sandbox", amount),
            ledger.Entry("merchant_payable_available", -amount),
        )
        journal = ledger.Journal("settlement", new_id("payment", "eu"), NOW, entries)
        ledger.post_journal(self.scope, journal)

    def payout(self, amount_minor: int) -> str:
        """A payout that is in a file to the bank."""
        self.available(amount_minor)
        settings = PayoutSettings(
            self.scope.merchant_id, False, "EUR", Schedule.MANUAL, None, None, 1, 0, 0, b"", "3000", None, NOW
        )
        made = payouts.pay_out(self.scope, settings)
        assert not isinstance(made, str), made
        batch = {"id": new_id("payout_batch", "eu"), "livemode": False, "currency": "EUR", "execute_on": NOW.date(),
                 "payout_count": 1, "total_minor": amount_minor, "sha256": "0" * 64, "file_sealed": b"x"}  # fmt: skip
        payouts_table.submit(self.scope.connection, batch, [made.id], NOW)
        return made.id

    # What becomes of it

    def end_of(self, order: Sequence[News]) -> dict[str, Any]:
        """Let the news come in this order and see what is left; then it has not happened.

        News that cannot be booked yet is tried again after the rest, as the inbox does.
        """
        if not self.known:  # what was there before the news keeps its name
            mine = {"merchant_id": self.scope.merchant_id}
            self.known = {row.id for row in self.scope.connection.execute(_KNOWN, mine)}
        behind = self.scope.connection.begin_nested()
        waiting = list(order)
        while waiting:
            left = [one for one in waiting if not self._heard(one)]
            if len(left) == len(waiting):
                break  # parked: a person looks
            waiting = left
        self.scope.connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        found = self._snapshot()
        behind.rollback()
        return found

    def _heard(self, news: News) -> bool:
        behind = self.scope.connection.begin_nested()
        try:
            news(self.scope)
        except MeridianError:
            behind.rollback()
            return False
        behind.commit()
        return True

    def _snapshot(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        mine = {"merchant_id": self.scope.merchant_id}
        for table, columns in _ROWS.items():
            statement = text(f"SELECT {columns} FROM {table} WHERE merchant_id = :merchant_id")
            rows = [dict(row) for row in self.scope.connection.execute(statement, mine).mappings()]
            found[table] = sorted(str(self._plain(row)) for row in rows if table != "voids" or self._is_work(row))
        found["balances"] = {row.account: row.n for row in self.scope.connection.execute(_BALANCES, mine)}
        last = self.scope.connection.execute(_LAST_TOLD, mine | {"decides": list(_DECIDES)})
        found["last told"] = sorted(str(self._plain((row.subject, row.type, row.data))) for row in last)
        counts = Counter({row.type: row.n for row in self.scope.connection.execute(_TOLD, mine)})
        found["money told"] = {name: counts[name] for name in MONEY}
        return found

    def _is_work(self, void: dict[str, Any]) -> bool:
        """A void that we ordered meanwhile, for an attempt that failed; else the worker finds nothing to let go."""
        status = payments.get_attempt(self.scope, void["attempt_id"]).status
        return void["id"] in self.known or status is AttemptStatus.FAILED

    def _plain(self, value: Any) -> Any:
        """Ids that the news has made are called what they are of: each order makes its own."""
        if isinstance(value, str) and _ID.match(value) and value not in self.known:
            return value.partition("_")[0]
        if isinstance(value, dict):
            return {name: self._plain(each) for name, each in sorted(value.items())}
        if isinstance(value, (list, tuple)):
            return [self._plain(each) for each in value]
        return value
