"""A region's web service and the simulated PSP on real HTTP, with a merchant and payers, for checkout tests.

Webhooks, the resolver and the passing of time happen when a test says so: nothing runs in the background.
"""

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
from psycopg.rows import DictRow

from tests.support.regional import RegionDatabase
from web.background import capturing, housekeeping, inbox, resolver
from web.sandbox import clockwork
from web.sandbox.database import Database as SandboxDatabase
from web.sandbox.settings import Settings as SandboxProcessSettings
from web.sandbox.webhooks.delivery import Courier
from web.wiring import Wiring

NOT_FOUND_AFTER = timedelta(seconds=20)
CONTROL_KEY = "control-key-of-tests"
_RESOLVED = ("attempts", "refunds", "captures", "voids")
_PUT_AWAY = datetime(9999, 12, 30, tzinfo=UTC)
EMAIL = "ada.lovelace@example.com"
NAME = "Ada Lovelace"

SUCCEED = "4242424242424242"
DECLINE = "4000000000000002"
INSUFFICIENT = "4000000000009995"
CHALLENGE = "4000002500003155"
CHALLENGE_THEN_DECLINE = "4000008400001629"
TIMEOUT_AFTER_CHARGE = "4000000000000341"
TIMEOUT_BEFORE_CHARGE = "4000000000000119"
CAPTURE_LATER = "4000000000000077"
REFUND_LATER = "4000000000007726"
REFUND_FAILS_LATER = "4000000000005126"


@dataclass
class Payer:
    """One browser without scripts: it follows no redirect by itself."""

    shop: "Shop"
    link: dict[str, Any]
    session_url: str = ""

    def open(self) -> "Payer":
        """Open the link and start a session."""
        answer = self.shop.http.post(f"{self.link['url']}/sessions", headers={"Accept-Language": "en-IE"})
        assert answer.status_code == 303, answer.text
        self.session_url = self.shop.web_url + answer.headers["Location"]
        return self

    def form(self, number: str | None, **fields: str) -> dict[str, str]:
        page = self.shop.http.get(self.session_url)
        assert page.status_code == 200, (page.status_code, page.headers, page.text)
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
        assert csrf
        token = self.shop.card_token(number) if number else ""
        return {"csrf": csrf[1], "email": EMAIL, "name": NAME, "payment_token": token} | fields

    def submit(self, form: dict[str, str]) -> httpx.Response:
        return self.shop.http.post(f"{self.session_url}/pay", data=form)

    def pay(self, number: str | None = SUCCEED, **fields: str) -> httpx.Response:
        """Submit the checkout page with a card; the answer is a redirect."""
        answer = self.submit(self.form(number, **fields))
        assert answer.status_code == 303, (answer.status_code, answer.text)
        return answer

    def challenge(self, answer: httpx.Response, outcome: str) -> httpx.Response:
        """Answer the bank's question and come back."""
        action = answer.headers["Location"]
        assert action.startswith(f"{self.shop.sandbox_url}/3ds/"), action
        done = self.shop.http.post(action, data={"outcome": outcome})
        assert done.status_code == 303, done.text
        return self.shop.http.get(done.headers["Location"])

    def page(self) -> httpx.Response:
        return self.shop.http.get(self.session_url)

    def come_back(self) -> httpx.Response:
        return self.shop.http.get(f"{self.session_url}/return")


@dataclass
class Shop:
    """Everything of one region that a checkout test talks to."""

    database: RegionDatabase
    web_url: str
    sandbox_url: str
    http: httpx.Client
    worker: Wiring
    courier: Courier
    sandbox_settings: SandboxProcessSettings
    sandbox_database: SandboxDatabase
    admin: psycopg.Connection[DictRow]

    @property
    def api(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.database.secret_key}"}

    def create_link(self, amount_minor: int = 1999, **fields: Any) -> dict[str, Any]:
        currency = self.worker.region.currencies[0]
        body = {"amount_minor": amount_minor, "currency": currency, "reference": "INV-1"} | fields
        answer = self.http.post(f"{self.web_url}/v1/links", json=body, headers=self.api)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def payer(self, link: dict[str, Any] | None = None) -> Payer:
        return Payer(self, link or self.create_link()).open()

    def get(self, path: str) -> dict[str, Any]:
        answer = self.http.get(self.web_url + path, headers=self.api)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def payments(self, link: dict[str, Any]) -> list[dict[str, Any]]:
        """The link's payments, oldest first."""
        return list(reversed(self.get(f"/v1/payments?link_id={link['id']}")["data"]))

    def payment(self, link: dict[str, Any]) -> dict[str, Any]:
        (payment,) = self.payments(link)
        return dict(payment)

    def paid(self, number: str = SUCCEED, **fields: Any) -> dict[str, Any]:
        """A link paid by card; its payment."""
        payer = self.payer(self.create_link(**fields))
        payer.pay(number)
        return self.payment(payer.link)

    def refund(self, payment: dict[str, Any], key: str | None = None, **body: Any) -> httpx.Response:
        headers = self.api | ({"Idempotency-Key": key} if key else {})
        return self.http.post(f"{self.web_url}/v1/payments/{payment['id']}/refunds", json=body, headers=headers)

    def post(self, path: str, key: str | None = None, **body: Any) -> httpx.Response:
        """What a merchant asks for, such as `/v1/payments/…/capture`."""
        headers = self.api | ({"Idempotency-Key": key} if key else {})
        return self.http.post(self.web_url + path, json=body, headers=headers)

    def authorised(self, number: str = SUCCEED, **fields: Any) -> dict[str, Any]:
        """A link whose money is set aside; its payment."""
        return self.paid(number, capture_method="manual", **fields)

    def card_token(self, number: str) -> str:
        card = {"account": "MeridianEU", "number": number, "exp_month": "12", "exp_year": "34", "cvc": "123"}
        answer = self.http.post(f"{self.sandbox_url}/frame/tokens", json=card)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def sandbox_payments(self, attempt_id: str) -> list[dict[str, Any]]:
        """What the PSP itself knows about an attempt."""
        key = self.database.env[f"SANDBOX_API_KEY_{self.database.region.upper()}"]
        answer = self.http.get(
            f"{self.sandbox_url}/v1/payments",
            params={"reference": attempt_id},
            headers={"Authorization": f"Bearer {key}"},
        )
        return list(answer.json()["data"])

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Rows as the superuser sees them, by one connection for all the many questions."""
        return self.admin.execute(statement, values).fetchall()

    def execute(self, statement: str, *values: object) -> None:
        self.admin.execute(statement, values)

    def race(self, lock: str, object_id: str, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """Make calls that all want one row meet there: the row is held until every one of them waits for it."""
        with psycopg.connect(self.database.url) as holder, ThreadPoolExecutor(len(calls)) as pool:
            holder.execute(lock, [object_id])
            work = [pool.submit(call) for call in calls]
            deadline = time.monotonic() + 2.5  # our own lock timeout is 3 s
            waiting = (
                "SELECT count(*) AS n FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            while self.rows(waiting)[0]["n"] < len(calls) and time.monotonic() < deadline:
                time.sleep(0.02)
            holder.rollback()
            return [each.result() for each in work]

    def attempt_of(self, payment: dict[str, Any]) -> dict[str, Any]:
        return self.rows("SELECT * FROM attempts WHERE payment_id = %s", payment["id"])[-1]

    def events(self, *subjects: str) -> list[str]:
        """The types of the events about these objects, in the order they were appended."""
        found = self.rows("SELECT type FROM outbox WHERE subject = ANY(%s) ORDER BY id", list(subjects))
        return [row["type"] for row in found]

    def journals(self, source_id: str) -> list[tuple[str, str, int]]:
        found = self.rows(
            "SELECT j.kind, e.account, e.amount_minor FROM ledger_journals j"
            " JOIN ledger_entries e ON e.journal_id = j.id WHERE j.source_id = %s ORDER BY j.id, e.line",
            source_id,
        )
        return [(row["kind"], row["account"], row["amount_minor"]) for row in found]

    def deliver_webhooks(self) -> int:
        """Let time pass at the PSP and deliver what is due; then the worker processes its inbox."""
        clockwork.advance(self.sandbox_settings, self.sandbox_database)
        sent = self.courier.deliver_due()
        while inbox.step(self.worker):
            pass
        return sent

    def resolve(self) -> int:
        """Let the resolver work off everything that is open, as if its time had come; how many units that were."""
        for table in _RESOLVED:
            self.execute(
                f"UPDATE {table} SET resolve_after = now() WHERE finished_at IS NULL AND resolve_after <> %s", _PUT_AWAY
            )
        steps = (resolver.step_attempts, resolver.step_refunds, capturing.step_captures, capturing.step_voids)
        units = 0
        while any(step(self.worker) for step in steps):
            units += 1
        return units

    def put_open_work_away(self) -> None:
        """Leave what is still open to nobody, so that a later test's resolver finds that test's work alone."""
        for table in _RESOLVED:
            self.execute(f"UPDATE {table} SET resolve_after = %s WHERE finished_at IS NULL", _PUT_AWAY)

    def expire_sessions(self) -> None:
        while housekeeping.step_sessions(self.worker):
            pass

    def forget_calls(self) -> None:
        """Close every breaker, as if nothing had happened yet."""
        self.execute("DELETE FROM gateway_circuits")
        self.execute("DELETE FROM gateway_calls")

    def dial(self, **dials: int | str) -> None:
        """Make the PSP misbehave, all its accounts unless one is named."""
        answer = self.http.post(
            f"{self.sandbox_url}/_control/faults", json=dials, headers={"Authorization": f"Bearer {CONTROL_KEY}"}
        )
        assert answer.status_code == 200, answer.text

    def age_attempt(self, attempt_id: str) -> None:
        """Pretend that an attempt was sent longer ago than the gateway's stated delay."""
        self.execute("UPDATE attempts SET created_at = created_at - interval '1 hour' WHERE id = %s", attempt_id)
