"""Chargebacks: the money is gone at once, contested or not, and comes back or does not; the books follow each step."""

from typing import Any

from regions.money import Money
from tests.support.shop import CONTROL_KEY, Shop
from web.background import disputing
from web.clock import utc_now
from web.db.scope import Scope, enter_tenant
from web.disputes.models import Disputed
from web.disputes.service import apply_news
from web.gateways.declines import DisputeReason
from web.gateways.disputes import Dispute, DisputeStatus

NEEDS, REVIEW, WON, LOST, INQUIRY = (
    DisputeStatus.NEEDS_RESPONSE,
    DisputeStatus.UNDER_REVIEW,
    DisputeStatus.WON,
    DisputeStatus.LOST,
    DisputeStatus.INQUIRY,
)


def control(shop: Shop, path: str, **body: Any) -> dict[str, Any]:
    answer = shop.http.post(
        f"{shop.sandbox_url}/_control{path}", json=body, headers={"Authorization": f"Bearer {CONTROL_KEY}"}
    )
    assert answer.status_code in {200, 201}, answer.text
    return dict(answer.json())


def complain(shop: Shop, payment: dict[str, Any], **body: Any) -> dict[str, Any]:
    attempt = shop.attempt_of(payment)
    (known,) = shop.sandbox_payments(attempt["id"])
    opened = control(shop, "/disputes", account="MeridianEU", payment_id=known["id"], reason="fraudulent", **body)
    shop.deliver_webhooks()
    return opened


def only(shop: Shop, payment: dict[str, Any]) -> dict[str, Any]:
    (dispute,) = shop.get(f"/v1/disputes?payment_id={payment['id']}")["data"]
    return dict(dispute)


def balances(shop: Shop, *sources: str) -> dict[str, int]:
    found = shop.rows(
        "SELECT e.account, sum(e.amount_minor)::bigint AS n FROM ledger_entries e JOIN ledger_journals j"
        " ON j.id = e.journal_id WHERE j.source_id = ANY(%s) GROUP BY 1 HAVING sum(e.amount_minor) <> 0",
        list(sources),
    )
    return {row["account"]: row["n"] for row in found}


TAKEN = {"gateway_clearing:sandbox": -1999, "merchant_payable_pending": 1999}
CONTESTED = TAKEN | {"disputes": 1999, "reserve:disputes": -1999}


def test_a_chargeback_takes_the_money_and_winning_brings_it_back(shop: Shop) -> None:
    payment = shop.paid()
    complain(shop, payment)

    dispute = only(shop, payment)
    assert (dispute["status"], dispute["amount_minor"], dispute["reason"]) == ("needs_response", 1999, "fraudulent")
    assert dispute["evidence_due_at"] is not None
    assert shop.get(f"/v1/disputes/{dispute['id']}") == dispute
    assert balances(shop, dispute["id"]) == CONTESTED
    assert shop.refund(payment).status_code == 422, "what is disputed is not refundable"

    evidence = [{"kind": "receipt", "text": "winning_evidence"}, {"kind": "refund_policy", "text": "none"}]
    answer = shop.post(f"/v1/disputes/{dispute['id']}/evidence", "evidence-1", evidence=evidence)
    again = shop.post(f"/v1/disputes/{dispute['id']}/evidence", "evidence-1", evidence=evidence)
    assert (answer.status_code, answer.json()["status"]) == (200, "under_review")
    assert again.json() == answer.json()
    assert answer.json()["evidence_kinds"] == ["receipt", "refund_policy"]
    assert shop.post(f"/v1/disputes/{dispute['id']}/evidence", evidence=evidence).status_code == 409
    shop.deliver_webhooks()
    shop.deliver_webhooks()

    assert only(shop, payment)["status"] == "won"
    assert balances(shop, dispute["id"]) == {}
    assert shop.events(dispute["id"]) == ["dispute.opened", "dispute.contested", "dispute.closed"]
    assert shop.refund(payment).json()["status"] == "succeeded"
    kept = shop.rows("SELECT * FROM disputes WHERE id = %s", dispute["id"])[0]
    assert "winning_evidence" not in str(kept), "the words are the gateway's alone"


def test_what_is_lost_stays_lost_and_a_part_may_be_refunded(shop: Shop) -> None:
    payment = shop.paid()
    opened = complain(shop, payment, amount_minor=1500)
    control(shop, f"/disputes/{opened['id']}", account="MeridianEU", outcome="lost")
    shop.deliver_webhooks()

    dispute = only(shop, payment)
    assert (dispute["status"], dispute["closed_at"] is not None) == ("lost", True)
    assert balances(shop, dispute["id"]) == {"gateway_clearing:sandbox": -1500, "merchant_payable_pending": 1500}
    assert shop.refund(payment, amount_minor=500).status_code == 422
    assert shop.refund(payment).json()["amount_minor"] == 499
    assert (
        shop.post(f"/v1/disputes/{dispute['id']}/evidence", evidence=[{"kind": "text", "text": "late"}]).status_code
        == 409
    )


def test_a_bank_may_take_back_what_was_refunded_already(shop: Shop) -> None:
    payment = shop.paid()
    shop.refund(payment)
    of, told = news_of(shop, payment)
    apply(shop, of, told(NEEDS))

    assert balances(shop, only(shop, payment)["id"]) == CONTESTED
    refused = shop.refund(payment)
    assert (refused.status_code, refused.json()["refundable_minor"]) == (422, 0)


def test_a_dispute_whose_webhooks_are_lost_is_found_in_the_gateways_list(shop: Shop) -> None:
    payment = shop.paid()
    shop.deliver_webhooks()
    attempt = shop.attempt_of(payment)
    (known,) = shop.sandbox_payments(attempt["id"])
    control(shop, "/disputes", account="MeridianEU", payment_id=known["id"], reason="product_not_received")

    disputing.step(shop.worker)
    disputing.step(shop.worker)
    shop.deliver_webhooks()

    assert only(shop, payment)["reason"] == "product_not_received"
    assert shop.events(only(shop, payment)["id"]) == ["dispute.opened"]


def news_of(shop: Shop, payment: dict[str, Any]) -> tuple[Disputed, Any]:
    attempt = shop.attempt_of(payment)
    of = Disputed(payment["id"], attempt["id"], attempt["merchant_id"], False, "sandbox", "MeridianEU")
    reference = f"psd_{payment['id'][-20:]}"

    def told(status: DisputeStatus) -> Dispute:
        amount = Money(1999, "EUR")
        return Dispute(reference, attempt["gateway_reference"], amount, status, DisputeReason.GENERAL, utc_now())

    return of, told


def apply(shop: Shop, of: Disputed, told: Dispute) -> None:
    with shop.worker.database.transaction() as connection:
        enter_tenant(connection, of.merchant_id)
        scope = Scope(connection, shop.worker.region, of.merchant_id, of.livemode, "req", utc_now())
        apply_news(scope, of, told)
