"""Answers that come too late, never, twice, or in the wrong order: every payment ends once, and as it really ended."""

import httpx
import pytest

from tests.support import shop as cards
from tests.support.shop import NOT_FOUND_AFTER, Payer, Shop


def started(shop: Shop, number: str) -> Payer:
    """A payer who has submitted this card and sees that it is being processed."""
    payer = shop.payer()
    payer.pay(number)
    return payer


def test_a_time_out_after_charging_is_resolved_and_booked_once(shop: Shop) -> None:
    payer = started(shop, cards.TIMEOUT_AFTER_CHARGE)
    payment = shop.payment(payer.link)
    assert payment["status"] == "processing"
    assert shop.attempt_of(payment)["status"] == "unknown"

    shop.resolve()
    shop.resolve()
    shop.deliver_webhooks()
    page = payer.come_back()

    payment = shop.payment(payer.link)
    assert payment["status"] == "succeeded"
    assert "Thank you" in page.text
    assert len(shop.sandbox_payments(shop.attempt_of(payment)["id"])) == 1
    assert shop.events(payment["id"]) == ["payment.created", "payment.attempted", "risk.assessed", "payment.succeeded"]
    assert len(shop.journals(payment["id"])) == 2


def test_a_time_out_before_charging_fails_only_after_the_stated_delay(shop: Shop) -> None:
    payer = started(shop, cards.TIMEOUT_BEFORE_CHARGE)
    attempt = shop.attempt_of(shop.payment(payer.link))

    shop.resolve()
    page = payer.come_back()
    assert "We are confirming your payment" in page.text
    assert 'http-equiv="refresh"' in page.text
    for _ in range(6):  # pauses double, and end all the same when the answer is certain
        shop.resolve()
    waiting = shop.attempt_of(shop.payment(payer.link))
    assert waiting["resolve_count"] > 4
    assert waiting["resolve_after"] <= waiting["created_at"] + NOT_FOUND_AFTER
    assert shop.payment(payer.link)["status"] == "processing"

    shop.age_attempt(attempt["id"])
    shop.resolve()
    assert shop.payment(payer.link)["failure_code"] == "not_processed"
    payer.pay(cards.SUCCEED)
    assert [payment["status"] for payment in shop.payments(payer.link)] == ["failed", "succeeded"]


def test_a_gateway_that_is_down_leaves_the_outcome_unknown(shop: Shop) -> None:
    payer = shop.payer()
    form = payer.form(cards.SUCCEED)
    shop.dial(down_seconds=60)

    payer.submit(form)
    shop.resolve()
    assert shop.payment(payer.link)["status"] == "processing"

    shop.dial(down_seconds=0)
    shop.age_attempt(shop.attempt_of(shop.payment(payer.link))["id"])
    shop.resolve()
    assert shop.payment(payer.link)["failure_code"] == "not_processed"


def test_the_webhook_may_come_before_the_payer_returns(shop: Shop) -> None:
    payer = shop.payer()
    answer = payer.pay(cards.CHALLENGE)
    shop.http.post(answer.headers["Location"], data={"outcome": "pass"})

    shop.deliver_webhooks()
    payment = shop.payment(payer.link)
    page = payer.come_back()

    assert payment["status"] == "succeeded"
    assert "Thank you" in page.text
    assert shop.events(payment["id"]).count("payment.succeeded") == 1


def test_webhooks_that_come_twice_and_late_change_nothing(shop: Shop) -> None:
    (before,) = shop.rows("SELECT now() AS at")
    shop.dial(duplicate_webhooks=10)
    payer = shop.payer()
    answer = payer.pay(cards.CHALLENGE)
    payer.challenge(answer, "pass")
    payment = shop.payment(payer.link)

    while shop.deliver_webhooks():
        pass
    again = "UPDATE gateway_webhooks SET processed_at = NULL, process_after = now() WHERE received_at >= %s"
    shop.execute(again, before["at"])
    shop.deliver_webhooks()

    assert shop.payment(payer.link) == payment
    assert shop.events(payment["id"]).count("payment.succeeded") == 1
    assert len(shop.journals(payment["id"])) == 2
    left = shop.rows(
        "SELECT count(*) AS n, count(*) FILTER (WHERE processed_at IS NULL OR error IS NOT NULL) AS undone"
        " FROM gateway_webhooks WHERE received_at >= %s",
        before["at"],
    )
    assert left[0]["n"] > 0
    assert left[0]["undone"] == 0


def test_a_pending_capture_is_told_by_webhook(shop: Shop) -> None:
    payer = started(shop, cards.CAPTURE_LATER)
    assert "We are confirming" in payer.come_back().text or shop.payment(payer.link)["status"] == "succeeded"

    shop.deliver_webhooks()

    assert shop.payment(payer.link)["status"] == "succeeded"


def test_money_that_comes_after_a_failure_is_never_lost(shop: Shop) -> None:
    payer = started(shop, cards.TIMEOUT_AFTER_CHARGE)
    payment = shop.payment(payer.link)
    # We gave up although the gateway had charged.
    shop.execute("UPDATE attempts SET status = 'failed', finished_at = now() WHERE payment_id = %s", payment["id"])
    shop.execute(
        "UPDATE payments SET status = 'failed', failure_code = 'x', failed_at = now() WHERE id = %s", payment["id"]
    )
    shop.execute("DELETE FROM link_slots WHERE link_id = %s", payer.link["id"])
    shop.execute("UPDATE links SET expires_at = now() WHERE id = %s", payer.link["id"])

    shop.deliver_webhooks()

    found = shop.payment(payer.link)
    assert (found["status"], found["is_late"], found["captured_minor"]) == ("succeeded", True, 1999)
    assert len(shop.journals(payment["id"])) == 2
    assert shop.get(f"/v1/links/{payer.link['id']}")["status"] == "completed"


def test_money_for_a_link_that_was_paid_meanwhile_goes_back(shop: Shop) -> None:
    payer = started(shop, cards.TIMEOUT_AFTER_CHARGE)
    first = shop.payment(payer.link)
    shop.execute("UPDATE attempts SET status = 'failed', finished_at = now() WHERE payment_id = %s", first["id"])
    shop.execute("UPDATE payments SET status = 'failed', failure_code = 'x' WHERE id = %s", first["id"])
    shop.execute("DELETE FROM link_slots WHERE link_id = %s", payer.link["id"])
    other = shop.payer(payer.link)
    other.pay(cards.SUCCEED)

    shop.deliver_webhooks()
    superseded = shop.get(f"/v1/payments/{first['id']}")
    assert (superseded["status"], superseded["captured_minor"]) == ("superseded", 1999)
    assert shop.journals(first["id"])[1] == ("payment", "payer_refundable", -1999)

    shop.resolve()
    superseded = shop.get(f"/v1/payments/{first['id']}")
    assert superseded["refunded_minor"] == 1999
    refund = shop.rows("SELECT * FROM refunds WHERE payment_id = %s", first["id"])[0]
    assert (refund["status"], refund["reason"]) == ("succeeded", "superseded")
    assert shop.journals(refund["id"]) == [
        ("refund", "payer_refundable", 1999),
        ("refund", "gateway_clearing:sandbox", -1999),
    ]
    statuses = sorted(payment["status"] for payment in shop.payments(payer.link))
    assert statuses == ["succeeded", "superseded"]
    assert "already paid" in payer.come_back().text


def test_a_webhook_must_prove_where_it_comes_from(shop: Shop) -> None:
    url = f"{shop.web_url}/gateways/sandbox/webhooks"
    body = '{"id":"evt_forged","type":"payment.captured","account":"MeridianEU","data":{}}'
    for headers in ({}, {"Sandbox-Signature": "t=1,v1=00"}, {"Sandbox-Signature": "nonsense"}):
        answer = shop.http.post(url, content=body, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "webhook_rejected"
    assert shop.http.post(f"{shop.web_url}/gateways/nobody/webhooks").status_code == 404
    assert shop.rows("SELECT * FROM gateway_webhooks WHERE gateway_event_id = 'evt_forged'") == []


def test_the_inbox_holds_ciphertext(shop: Shop) -> None:
    payment = shop.paid()
    shop.courier.deliver_due()

    bodies = [bytes(row["body"]) for row in shop.rows("SELECT body FROM gateway_webhooks")]

    assert bodies
    reference = payment["gateway_reference"].encode()
    assert not any(reference in body for body in bodies)
    vault = shop.worker.vault
    assert any(reference in vault.decrypt_region(body, purpose="gateway_webhook") for body in bodies)


def test_a_webhook_that_cannot_be_processed_waits_and_is_parked_at_last(shop: Shop) -> None:
    sealed = shop.worker.vault.encrypt_region(b"no JSON", purpose="gateway_webhook")
    shop.execute(
        "INSERT INTO gateway_webhooks (id, gateway, gateway_event_id, body) VALUES ('gwh_bad', 'sandbox', 'bad', %s)",
        sealed,
    )
    for _ in range(12):
        shop.execute("UPDATE gateway_webhooks SET process_after = now() WHERE id = 'gwh_bad'")
        shop.deliver_webhooks()

    row = shop.rows(
        "SELECT tries, error, processed_at, process_after = 'infinity' AS is_parked FROM gateway_webhooks"
        " WHERE id = 'gwh_bad'"
    )[0]
    shop.execute("DELETE FROM gateway_webhooks WHERE id = 'gwh_bad'")
    assert row == {"tries": 12, "error": "GatewayDocumentError", "processed_at": None, "is_parked": True}


@pytest.mark.parametrize("number", [cards.SUCCEED, cards.DECLINE])
def test_an_unreachable_gateway_is_a_definite_failure(shop: Shop, number: str) -> None:
    clients = [gateway.watched._line._client for gateway in shop.worker.gateways.values()]  # type: ignore[attr-defined]
    payer = shop.payer()
    form = payer.form(number)
    original = clients[0].base_url
    for client in clients:
        client.base_url = httpx.URL("http://127.0.0.1:9")
    try:
        payer.submit(form)
    finally:
        for client in clients:
            client.base_url = original

    payment = shop.payment(payer.link)
    assert payment["failure_code"] == "gateway_unreachable"
    tried = shop.rows("SELECT gateway FROM attempts WHERE payment_id = %s ORDER BY created_at, id", payment["id"])
    assert [attempt["gateway"] for attempt in tried] == ["sandbox", "sandbox", "sandbox_b"]
