"""Money that is set aside first: captured when the merchant asks or when time does, let go, or run out."""

from typing import Any

from tests.support.shop import Shop
from web.background import capturing

LOCK = "SELECT 1 FROM payments WHERE id = %s FOR UPDATE"


def state(shop: Shop, payment: dict[str, Any]) -> tuple[str, int, int]:
    now = shop.get(f"/v1/payments/{payment['id']}")
    return now["status"], now["captured_minor"], now["capturable_minor"]


def capture(shop: Shop, payment: dict[str, Any], key: str | None = None, **body: Any) -> Any:
    return shop.post(f"/v1/payments/{payment['id']}/capture", key, **body)


def void(shop: Shop, payment: dict[str, Any], key: str | None = None) -> Any:
    return shop.post(f"/v1/payments/{payment['id']}/void", key)


def test_what_is_set_aside_waits_for_the_merchant_and_is_captured_once(shop: Shop) -> None:
    payment = shop.authorised()
    link = shop.get(f"/v1/links/{payment['link_id']}")

    assert (payment["status"], payment["capture_method"], payment["capturable_minor"]) == ("authorised", "manual", 1999)
    assert payment["authorised_until"] is not None
    assert link["status"] == "active", "nothing has been paid yet"
    assert shop.journals(payment["id"]) == []
    answer = capture(shop, payment, "capture-1")
    again = capture(shop, payment, "capture-1")
    shop.deliver_webhooks()

    taken = answer.json()
    assert (answer.status_code, taken["status"], taken["amount_minor"], taken["is_final"]) == (
        201,
        "succeeded",
        1999,
        True,
    )
    assert again.json() == taken
    assert shop.get(f"/v1/captures/{taken['id']}") == taken
    assert shop.get(f"/v1/captures?payment_id={payment['id']}")["data"] == [taken]
    assert state(shop, payment) == ("succeeded", 1999, 0)
    assert shop.get(f"/v1/links/{link['id']}")["status"] == "completed"
    assert shop.events(payment["id"])[-2:] == ["payment.authorised", "payment.succeeded"]
    assert shop.events(taken["id"]) == ["capture.created", "capture.succeeded"]
    assert shop.journals(taken["id"]) == [
        ("capture", "gateway_clearing:sandbox", 1999),
        ("capture", "merchant_payable_pending", -1999),
    ]
    assert shop.journals(payment["id"]) == []


def test_the_payer_reads_that_the_money_is_set_aside_and_cannot_pay_again(shop: Shop) -> None:
    payer = shop.payer(shop.create_link(capture_method="manual"))
    page = shop.http.get(shop.web_url + payer.pay().headers["Location"].removeprefix(shop.web_url))

    assert "is set aside on your card" in page.text
    assert payer.page().status_code == 303, "the session shows the payment, not the form"
    shop.expire_sessions()
    shop.execute("UPDATE checkout_sessions SET expires_at = now() WHERE link_id = %s", payer.link["id"])
    shop.expire_sessions()
    capture(shop, shop.payment(payer.link))
    paid = shop.payment(payer.link)
    assert (paid["status"], paid["is_late"]) == ("succeeded", False), "the payer was on time"


def test_captures_in_parts_never_exceed_what_is_set_aside(shop: Shop) -> None:
    payment = shop.authorised()

    first = capture(shop, payment, amount_minor=700, is_final=False)
    assert state(shop, payment) == ("succeeded", 700, 1299)
    too_much = capture(shop, payment, amount_minor=1300)
    last = capture(shop, payment, amount_minor=1000)
    nothing_left = capture(shop, payment)
    shop.deliver_webhooks()

    assert (first.status_code, last.status_code) == (201, 201)
    assert (too_much.status_code, too_much.json()["code"]) == (422, "capture_exceeds_capturable")
    assert too_much.json()["capturable_minor"] == 1299
    assert nothing_left.status_code == 409
    assert state(shop, payment) == ("succeeded", 1700, 0), "the final one lets the rest go"
    assert shop.events(payment["id"]).count("payment.succeeded") == 1
    (known,) = shop.sandbox_payments(shop.attempt_of(payment)["id"])
    assert (known["status"], known["captured_minor"]) == ("captured", 1700)
    assert shop.refund(payment, amount_minor=1701).status_code == 422
    assert shop.refund(payment).json()["amount_minor"] == 1700


def test_captures_that_race_take_the_money_once(shop: Shop) -> None:
    payment = shop.authorised()

    answers = shop.race(LOCK, payment["id"], [lambda: capture(shop, payment)] * 3 + [lambda: void(shop, payment)] * 2)

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    shop.deliver_webhooks()
    status, captured, capturable = state(shop, payment)
    assert (status, captured, capturable) in {("succeeded", 1999, 0), ("voided", 0, 0)}
    (known,) = shop.sandbox_payments(shop.attempt_of(payment)["id"])
    assert known["captured_minor"] == captured


def test_a_void_frees_the_link_for_somebody_else(shop: Shop) -> None:
    payment = shop.authorised()

    answer = void(shop, payment, "void-1")
    again = void(shop, payment, "void-1")
    shop.deliver_webhooks()

    assert (answer.status_code, answer.json()["status"], answer.json()["reason"]) == (201, "succeeded", "voided")
    assert again.json() == answer.json() == shop.get(f"/v1/voids/{answer.json()['id']}")
    assert state(shop, payment) == ("voided", 0, 0)
    assert shop.attempt_of(payment)["status"] == "voided"
    assert shop.events(payment["id"])[-2:] == ["payment.authorised", "payment.voided"]
    assert capture(shop, payment).status_code == 409
    other = shop.payer(shop.get(f"/v1/links/{payment['link_id']}"))
    other.pay()
    assert [one["status"] for one in shop.payments(other.link)] == ["voided", "authorised"]


def test_an_unknown_capture_is_settled_by_the_resolver_once(shop: Shop) -> None:
    payment = shop.authorised()
    shop.dial(timeout_after_charge_next=1)

    answer = capture(shop, payment)
    assert answer.json()["status"] == "pending"
    assert capture(shop, payment).status_code == 409, "one at a time"
    assert void(shop, payment).status_code == 409
    shop.dial(timeout_after_charge_next=0)
    shop.resolve()
    shop.deliver_webhooks()
    shop.resolve()

    assert shop.get(f"/v1/captures/{answer.json()['id']}")["status"] == "succeeded"
    assert state(shop, payment) == ("succeeded", 1999, 0)
    assert len(shop.journals(answer.json()["id"])) == 2


def test_a_capture_that_never_arrived_is_sent_again(shop: Shop) -> None:
    payment = shop.authorised()
    shop.dial(down_seconds=30)
    answer = capture(shop, payment)
    assert answer.json()["status"] == "pending"
    shop.dial(down_seconds=0)

    shop.resolve()

    assert state(shop, payment) == ("succeeded", 1999, 0)


def test_a_link_may_say_when_the_money_is_captured_by_itself(shop: Shop) -> None:
    payment = shop.authorised(capture_after_hours=24)
    assert not capturing.step_due(shop.worker)
    shop.execute("UPDATE payments SET capture_after = now() WHERE id = %s", payment["id"])

    assert capturing.step_due(shop.worker)
    assert not capturing.step_due(shop.worker)
    shop.resolve()

    assert state(shop, payment) == ("succeeded", 1999, 0)


def test_what_nobody_captures_is_let_go_before_it_runs_out(shop: Shop) -> None:
    payment = shop.authorised()
    first = capture(shop, payment, amount_minor=500, is_final=False)
    other = shop.authorised()
    for each in (payment, other):
        shop.execute("UPDATE payments SET authorised_until = now() WHERE id = %s", each["id"])

    assert capturing.step_due(shop.worker)
    assert capturing.step_due(shop.worker)
    shop.resolve()
    shop.deliver_webhooks()

    assert first.json()["status"] == "succeeded"
    assert state(shop, payment) == ("succeeded", 500, 0)
    assert state(shop, other) == ("voided", 0, 0)
    assert shop.get(f"/v1/payments/{other['id']}")["failure_code"] == "authorisation_expired"


def test_an_authorisation_for_a_failed_attempt_is_let_go(shop: Shop) -> None:
    payment = shop.authorised()
    attempt = shop.attempt_of(payment)
    shop.execute("UPDATE attempts SET status = 'failed' WHERE id = %s", attempt["id"])
    shop.execute("UPDATE payments SET status = 'failed', capturable_minor = 0 WHERE id = %s", payment["id"])

    shop.deliver_webhooks()
    shop.resolve()

    assert state(shop, payment)[0] == "voided"
    assert shop.sandbox_payments(attempt["id"])[0]["status"] == "voided"


def test_a_delay_goes_with_manual_capture_only(shop: Shop) -> None:
    answer = shop.post("/v1/links", amount_minor=100, currency="EUR", reference="INV-1", capture_after_hours=3)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/capture_after_hours")
