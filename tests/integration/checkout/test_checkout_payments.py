"""One card payment after the other, from the link's page to the ledger, against the real simulated PSP."""

import pytest

from tests.support import shop as cards
from tests.support.shop import Shop


def test_a_card_payment_succeeds_and_is_booked_once(shop: Shop) -> None:
    payer = shop.payer()

    answer = payer.pay(cards.SUCCEED)
    assert answer.headers["Location"] == payer.session_url.removeprefix(shop.web_url) + "/return"
    page = payer.come_back()

    assert page.status_code == 200
    assert "Thank you" in page.text
    assert "€19.99" in page.text
    payment = shop.payment(payer.link)
    assert payment["status"] == "succeeded"
    assert payment["captured_minor"] == 1999
    assert payment["gateway_reference"]
    assert shop.get(f"/v1/links/{payer.link['id']}")["status"] == "completed"
    assert shop.journals(payment["id"]) == [
        ("payment", "gateway_clearing:sandbox", 1999),
        ("payment", "merchant_payable_pending", -1999),
    ]
    assert shop.events(payment["id"]) == ["payment.created", "payment.attempted", "risk.assessed", "payment.succeeded"]
    assert shop.events(payer.link["id"]) == ["link.created", "link.completed"]
    session = shop.rows("SELECT id, status FROM checkout_sessions WHERE link_id = %s", payer.link["id"])[0]
    assert session["status"] == "completed"
    assert shop.events(session["id"]) == ["checkout.opened", "checkout.submitted", "checkout.completed"]


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [(cards.DECLINE, "card_declined", "declined the card"), (cards.INSUFFICIENT, "insufficient_funds", "not enough")],
)
def test_a_declined_card_frees_the_link_for_another_try(shop: Shop, number: str, code: str, text: str) -> None:
    payer = shop.payer()

    payer.pay(number)
    page = payer.come_back()

    assert "did not go through" in page.text
    assert text in page.text
    first = shop.payment(payer.link)
    assert (first["status"], first["failure_code"], first["captured_minor"]) == ("failed", code, 0)
    assert shop.events(first["id"])[-1] == "payment.failed"
    assert shop.rows("SELECT * FROM link_slots WHERE link_id = %s", payer.link["id"]) == []
    assert shop.journals(first["id"]) == []

    payer.pay(cards.SUCCEED)

    assert [payment["status"] for payment in shop.payments(payer.link)] == ["failed", "succeeded"]
    assert "Thank you" in payer.come_back().text


def test_a_challenge_that_is_passed_ends_in_a_payment(shop: Shop) -> None:
    payer = shop.payer()

    answer = payer.pay(cards.CHALLENGE)
    waiting = shop.payment(payer.link)
    page = payer.challenge(answer, "pass")

    assert waiting["status"] == "requires_action"
    assert "Thank you" in page.text
    payment = shop.payment(payer.link)
    assert payment["status"] == "succeeded"
    assert shop.events(payment["id"])[3:] == ["payment.requires_action", "payment.succeeded"]


@pytest.mark.parametrize(
    ("number", "outcome", "code"),
    [(cards.CHALLENGE, "fail", "authentication_failed"), (cards.CHALLENGE_THEN_DECLINE, "pass", "card_declined")],
)
def test_a_challenge_that_ends_badly_fails_the_payment(shop: Shop, number: str, outcome: str, code: str) -> None:
    payer = shop.payer()

    page = payer.challenge(payer.pay(number), outcome)

    assert "did not go through" in page.text
    assert shop.payment(payer.link)["failure_code"] == code
    assert shop.rows("SELECT * FROM link_slots WHERE link_id = %s", payer.link["id"]) == []


def test_an_amount_above_the_regions_threshold_is_always_challenged(shop: Shop) -> None:
    payer = shop.payer(shop.create_link(3000))

    page = payer.challenge(payer.pay(cards.SUCCEED), "pass")

    assert "Thank you" in page.text


def test_the_return_page_trusts_nothing_it_is_told(shop: Shop) -> None:
    payer = shop.payer()
    payer.pay(cards.CHALLENGE)

    page = shop.http.post(f"{payer.session_url}/return", data={"status": "captured", "outcome": "pass"})

    assert "Your bank asks you to confirm" in page.text
    assert shop.payment(payer.link)["status"] == "requires_action"


def test_a_browser_without_scripts_pays_on_the_gateways_own_page(shop: Shop) -> None:
    payer = shop.payer()

    answer = payer.pay(None)
    action = answer.headers["Location"]
    assert action.startswith(f"{shop.sandbox_url}/pay/")
    card = {"number": cards.SUCCEED, "exp_month": "12", "exp_year": "34", "cvc": "123"}
    done = shop.http.post(action, data=card)
    page = shop.http.get(done.headers["Location"])

    assert "Thank you" in page.text
    attempt = shop.attempt_of(shop.payment(payer.link))
    assert (attempt["card_brand"], attempt["card_last4"]) == ("visa", "4242")


def test_a_payer_who_leaves_the_bank_keeps_the_slot_until_the_gateway_gives_up(shop: Shop) -> None:
    payer = shop.payer()
    payer.pay(cards.CHALLENGE)
    payment = shop.payment(payer.link)

    shop.execute("UPDATE checkout_sessions SET expires_at = now() WHERE link_id = %s", payer.link["id"])
    shop.expire_sessions()
    shop.resolve()
    assert shop.payment(payer.link)["status"] == "requires_action"
    assert shop.rows("SELECT status FROM checkout_sessions WHERE link_id = %s", payer.link["id"])[0]["status"] == "open"

    with shop.sandbox_database.transaction() as connection:
        connection.execute("UPDATE payments SET due_at = now() WHERE reference = %s", [shop.attempt_of(payment)["id"]])
    shop.deliver_webhooks()
    assert shop.payment(payer.link)["failure_code"] == "action_expired"
    assert shop.rows("SELECT * FROM link_slots WHERE link_id = %s", payer.link["id"]) == []

    shop.expire_sessions()
    session = shop.rows("SELECT id, status FROM checkout_sessions WHERE link_id = %s", payer.link["id"])[0]
    assert session["status"] == "expired"
    assert shop.events(session["id"])[-1] == "checkout.expired"


def test_a_session_without_a_payment_expires_once(shop: Shop) -> None:
    payer = shop.payer()
    session = shop.rows("SELECT id FROM checkout_sessions WHERE link_id = %s", payer.link["id"])[0]["id"]
    shop.execute("UPDATE checkout_sessions SET expires_at = now() WHERE id = %s", session)

    page = shop.http.get(payer.session_url)
    shop.expire_sessions()
    shop.expire_sessions()

    assert page.status_code == 410
    assert "timed out" in page.text
    assert shop.events(session) == ["checkout.opened", "checkout.expired"]


def test_opening_a_links_page_writes_nothing(shop: Shop) -> None:
    link = shop.create_link(description="<script>alert(1)</script>")
    count = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM checkout_sessions) AS n"
    before = shop.rows(count)

    page = shop.http.get(link["url"], params={"channel": "qr", "campaign": "spring"})
    shop.http.head(link["url"])

    assert page.status_code == 200
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
    assert shop.rows(count) == before
    answer = shop.http.post(f"{link['url']}/sessions", data={"channel": "qr", "campaign": "no good\n"})
    token = answer.headers["Location"].rpartition("/")[2]
    session = shop.rows("SELECT channel, campaign, token_hash FROM checkout_sessions WHERE link_id = %s", link["id"])[0]
    assert (session["channel"], session["campaign"]) == ("qr", None)
    assert token.encode() not in session["token_hash"]
