"""Payouts from settled money: by schedule and on demand, through a file to the bank, paid or come back."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from regions.ids import new_id
from regions.money import Money
from tests.support.shop import Shop
from web import ledger
from web.background import payouts
from web.db.scope import Scope, enter_tenant
from web.payouts.pain001 import check

ACCOUNT = {"holder": "Demo GmbH", "number": "DE89370400440532013000", "bic": "COBADEFFXXX"}


def settle(shop: Shop, merchant_id: str, amount_minor: int, currency: str = "EUR") -> None:
    """Money that a settlement report has brought."""
    with shop.worker.database.transaction() as connection:
        enter_tenant(connection, merchant_id)
        scope = Scope(connection, shop.worker.region, merchant_id, False, "req_test", datetime.now(UTC))
        amount = Money(amount_minor, currency)
        pairs = (("gateway_clearing:sandbox", "merchant_payable_pending", "payment"),
                 ("merchant_payable_pending", "merchant_payable_available", "settlement"))  # fmt: skip
        for debit, credit, kind in pairs:
            entries = (ledger.Entry(debit, amount), ledger.Entry(credit, -amount))
            ledger.post_journal(scope, ledger.Journal(kind, new_id("payment", "eu"), scope.now, entries))


class Seller:
    """A merchant of its own, so that balances start at nothing."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.id, key = shop.database.add_merchant()
        self.headers = {"Authorization": f"Bearer {key}"}

    def call(self, method: str, path: str, **body: Any) -> httpx.Response:
        return self.shop.http.request(
            method, f"{self.shop.web_url}/v1/{path}", headers=self.headers, **({"json": body} if body else {})
        )

    def wants(self, **fields: Any) -> httpx.Response:
        wanted = {"currency": "EUR", "schedule": "daily", "account": ACCOUNT} | fields
        return self.call("POST", "payout_settings", **wanted)

    def balance(self) -> tuple[int, int, int]:
        found = {each["currency"]: each for each in self.call("GET", "balances").json()["data"]}["EUR"]
        return found["available_minor"], found["pending_minor"], found["reserved_minor"]

    def accounts(self) -> dict[str, int]:
        rows = self.shop.rows(
            "SELECT account, sum(amount_minor)::bigint AS n FROM ledger_entries WHERE merchant_id = %s GROUP BY 1",
            self.id,
        )
        return {row["account"]: int(row["n"]) for row in rows if row["n"]}


@pytest.fixture
def seller(shop: Shop) -> Seller:
    return Seller(shop)


def internal(shop: Shop, method: str, path: str, **body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {shop.database.env['SERVICE_KEY_EU']}"}
    return shop.http.request(
        method, f"{shop.web_url}/internal/v1/{path}", headers=headers, **({"json": body} if body else {})
    )


def test_settled_money_is_paid_out_by_schedule_through_a_file(shop: Shop, seller: Seller) -> None:
    settled = seller.wants()
    assert settled.status_code == 200, settled.text
    assert settled.json()["account_last4"] == "3000"
    settle(shop, seller.id, 10_000)
    assert not payouts.step_due(shop.worker)  # due tomorrow
    shop.execute("UPDATE payout_settings SET next_due_on = current_date - 1 WHERE merchant_id = %s", seller.id)
    assert payouts.step_due(shop.worker)
    assert not payouts.step_due(shop.worker)
    (payout,) = seller.call("GET", "payouts").json()["data"]
    assert (payout["status"], payout["amount_minor"]) == ("created", 10_000)
    assert seller.balance() == (0, 0, 0)

    assert payouts.step_files(shop.worker)
    assert not payouts.step_files(shop.worker)
    batch = internal(shop, "GET", "payout_batches").json()["data"][0]
    assert (batch["payout_count"], batch["total_minor"], batch["currency"]) == (1, 10_000, "EUR")
    file = internal(shop, "GET", f"payout_batches/{batch['id']}.xml")
    check(file.content)
    assert ACCOUNT["number"].encode() in file.content
    stored = shop.rows("SELECT file_sealed FROM payout_batches WHERE id = %s", batch["id"])[0]["file_sealed"]
    assert ACCOUNT["number"].encode() not in bytes(stored)

    for _ in range(2):  # the same end again changes nothing
        ended = internal(shop, "POST", f"payouts/{payout['id']}/end", outcome="paid")
        assert ended.json()["status"] == "paid"
    assert seller.accounts() == {"gateway_clearing:sandbox": 10_000, "bank": -10_000}
    assert shop.events(payout["id"]) == ["payout.created", "payout.paid"]


def test_a_payout_that_comes_back_is_available_again(shop: Shop, seller: Seller) -> None:
    seller.wants(schedule="manual")
    settle(shop, seller.id, 5000)
    payout = seller.call("POST", "payouts", currency="EUR").json()
    early = internal(shop, "POST", f"payouts/{payout['id']}/end", outcome="paid")
    assert early.status_code == 409  # it is in no file yet
    payouts.step_files(shop.worker)
    internal(shop, "POST", f"payouts/{payout['id']}/end", outcome="paid")
    failed = internal(shop, "POST", f"payouts/{payout['id']}/end", outcome="failed", failure_code="account_closed")
    assert failed.json()["failure_code"] == "account_closed"
    assert seller.balance() == (5000, 0, 0)
    assert shop.events(payout["id"]) == ["payout.created", "payout.paid", "payout.failed"]


PAIN_002 = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
<OrgnlPmtInfAndSts>{}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"""
TRANSFER = "<TxInfAndSts><OrgnlEndToEndId>{}</OrgnlEndToEndId><TxSts>{}</TxSts>{}</TxInfAndSts>"
REASON = "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf>"


def report(shop: Shop, *transfers: tuple[str, str, str]) -> httpx.Response:
    """What a bank says of transfers."""
    body = PAIN_002.format("".join(TRANSFER.format(*one) for one in transfers))
    headers = {"Authorization": f"Bearer {shop.database.env['SERVICE_KEY_EU']}"}
    return shop.http.post(f"{shop.web_url}/internal/v1/payout_status_reports", content=body, headers=headers)


def test_a_banks_status_report_ends_payouts(shop: Shop, seller: Seller) -> None:
    seller.wants(schedule="manual")
    settle(shop, seller.id, 5000)
    payout = seller.call("POST", "payouts", currency="EUR").json()
    payouts.step_files(shop.worker)
    reference = payout["id"].rsplit("_", 1)[-1]
    assert report(shop, (reference, "ACSP", "")).json()["waiting"] == 1
    other = "0" * 26
    for _ in range(2):  # the same report again changes nothing
        told = report(shop, (reference, "RJCT", REASON), (other, "ACSC", "")).json()
        assert (told["failed"], told["unknown"]) == (1, 1)
    ended = seller.call("GET", f"payouts/{payout['id']}").json()
    assert seller.balance() == (5000, 0, 0)
    assert (ended["status"], ended["failure_code"]) == ("failed", "bank_ac04")
    assert [journal[0] for journal in shop.journals(payout["id"])].count("payout_failed") == 2  # its two entries
    assert report(shop, (reference, "ACSC", "")).json()["refused"] == 1
    for wrong in ((reference, "WHAT", ""), ("", "ACSC", "")):
        assert report(shop, wrong).status_code == 422
    assert report(shop).status_code == 422


def test_a_file_that_the_bank_rejects_whole_is_booked_back_once(shop: Shop, seller: Seller) -> None:
    seller.wants(schedule="manual")
    settle(shop, seller.id, 700)
    mine = [seller.call("POST", "payouts", currency="EUR").json()]
    settle(shop, seller.id, 300)
    mine.append(seller.call("POST", "payouts", currency="EUR").json())
    payouts.step_files(shop.worker)
    (file,) = shop.rows("SELECT DISTINCT batch_id FROM payouts WHERE id = ANY(%s)", [one["id"] for one in mine])
    name = f"TEST{file['batch_id'].rsplit('_', 1)[-1]}"

    def say(message_id: str, status: str) -> httpx.Response:
        group = f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message_id}</OrgnlMsgId><GrpSts>{status}</GrpSts>{REASON}"
        body = PAIN_002.format("").replace("<OrgnlPmtInfAndSts></OrgnlPmtInfAndSts>", f"{group}</OrgnlGrpInfAndSts>")
        headers = {"Authorization": f"Bearer {shop.database.env['SERVICE_KEY_EU']}"}
        return shop.http.post(f"{shop.web_url}/internal/v1/payout_status_reports", content=body, headers=headers)

    assert say(name, "ACTC").json()["waiting"] >= 2
    assert say(name.removeprefix("TEST"), "RJCT").json()["unknown"] == 1, "of a live file of that name we know nothing"
    assert seller.balance() == (0, 0, 0)
    for _ in range(2):
        assert say(name, "RJCT").json()["failed"] >= 2
    assert seller.balance() == (1000, 0, 0)
    for one in mine:
        ended = seller.call("GET", f"payouts/{one['id']}").json()
        assert (ended["status"], ended["failure_code"]) == ("failed", "bank_ac04")
        assert [journal[0] for journal in shop.journals(one["id"])].count("payout_failed") == 2  # its two entries
    assert "does not say which" in say(name, "PART").text


def test_only_available_money_beyond_reserve_and_minimum_is_paid_out(shop: Shop, seller: Seller) -> None:
    assert seller.call("POST", "payouts", currency="EUR").status_code == 409  # nobody said where to
    seller.wants(schedule="manual", minimum_minor=2000)
    assert "nothing available" in seller.call("POST", "payouts", currency="EUR").json()["detail"]
    settle(shop, seller.id, 1999)
    assert "below minimum" in seller.call("POST", "payouts", currency="EUR").json()["detail"]
    settle(shop, seller.id, 8001)
    reserve = {
        "merchant_id": seller.id,
        "livemode": False,
        "currency": "EUR",
        "reserve_minor": 500,
        "reserve_bps": 1000,
    }
    assert internal(shop, "POST", "payout_reserves", **reserve).status_code == 200
    assert seller.call("POST", "payouts", currency="EUR").json()["amount_minor"] == 8500
    assert seller.balance() == (0, 0, 1500)
    assert (
        internal(shop, "POST", "payout_reserves", **reserve | {"reserve_minor": 0, "reserve_bps": 0}).status_code == 200
    )
    settle(shop, seller.id, 600)
    assert seller.call("POST", "payouts", currency="EUR").json()["amount_minor"] == 2100  # the reserve is let go
    assert sum(seller.accounts().values()) == 0


def test_a_merchant_who_owes_is_not_paid_out(shop: Shop, seller: Seller) -> None:
    seller.wants(schedule="manual")
    settle(shop, seller.id, 1000)
    seller.call("POST", "payouts", currency="EUR")
    with shop.worker.database.transaction() as connection:
        enter_tenant(connection, seller.id)
        scope = Scope(connection, shop.worker.region, seller.id, False, "req_test", datetime.now(UTC))
        amount = Money(300, "EUR")
        ledger.post_journal(scope, ledger.refund_journal(new_id("refund", "eu"), "sandbox", amount, scope.now))
    assert seller.balance() == (0, -300, 0)
    assert "negative balance" in seller.call("POST", "payouts", currency="EUR").json()["detail"]
    settle(shop, seller.id, 1000)
    assert seller.call("POST", "payouts", currency="EUR").json()["amount_minor"] == 700


def test_accounts_and_currencies_that_cannot_be_are_refused(shop: Shop, seller: Seller) -> None:
    for fields, said in (
        ({"currency": "USD"}, "pays out in EUR"),
        ({"account": ACCOUNT | {"number": "DE98370400440532013000"}}, "check its digits"),
    ):
        answer = seller.wants(**fields)
        assert (answer.status_code, answer.json()["code"]) == (422, "cannot_be_paid_out")
        assert said in answer.json()["detail"]
    assert seller.wants(account=ACCOUNT | {"bic": "COBA0EFF"}).json()["errors"][0]["pointer"] == "/account/bic"
