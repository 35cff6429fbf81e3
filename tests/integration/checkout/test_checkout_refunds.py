from tests.support import shop as cards
from tests.support.shop import Shop


def test_a_full_refund_gives_everything_back(shop: Shop) -> None:
    payment = shop.paid()

    answer = shop.refund(payment, reason="requested_by_payer")

    refund = answer.json()
    assert answer.status_code == 201
    assert (refund["status"], refund["amount_minor"], refund["reason"]) == ("succeeded", 1999, "requested_by_payer")
    assert shop.get(f"/v1/refunds/{refund['id']}") == refund
    assert shop.get(f"/v1/payments/{payment['id']}")["refunded_minor"] == 1999
    assert shop.events(refund["id"]) == ["refund.created", "refund.succeeded"]
    assert shop.journals(refund["id"]) == [
        ("refund", "merchant_payable_pending", 1999),
        ("refund", "gateway_clearing:sandbox", -1999),
    ]


def test_partial_refunds_add_up_and_never_exceed(shop: Shop) -> None:
    payment = shop.paid()

    assert shop.refund(payment, amount_minor=500).status_code == 201
    too_much = shop.refund(payment, amount_minor=1500)
    assert shop.refund(payment, amount_minor=1499).status_code == 201
    nothing_left = shop.refund(payment)

    assert too_much.status_code == 422
    assert too_much.json()["code"] == "refund_exceeds_refundable"
    assert too_much.json()["refundable_minor"] == 1499
    assert too_much.json()["errors"][0]["pointer"] == "/amount_minor"
    assert nothing_left.status_code == 422
    assert shop.get(f"/v1/payments/{payment['id']}")["refunded_minor"] == 1999


def test_a_payment_tells_what_it_is_for_and_what_can_be_refunded(shop: Shop) -> None:
    payment = shop.paid()
    link = shop.get(f"/v1/links/{payment['link_id']}")
    refund = shop.refund(payment, amount_minor=500).json()

    told = shop.get(f"/v1/payments/{payment['id']}")

    assert (told["reference"], told["refundable_minor"], told["disputed_minor"]) == (link["reference"], 1499, 0)
    assert told in shop.get(f"/v1/payments?link_id={link['id']}")["data"]
    assert refund["livemode"] is False


def test_refunds_that_race_never_exceed(shop: Shop) -> None:
    payment = shop.paid()

    calls = [lambda: shop.refund(payment, amount_minor=1000)] * 6
    answers = shop.race("SELECT 1 FROM payments WHERE id = %s FOR UPDATE", payment["id"], calls)

    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422, 422, 422]
    row = shop.rows("SELECT refunded_minor, pending_refund_minor FROM payments WHERE id = %s", payment["id"])[0]
    assert row == {"refunded_minor": 1000, "pending_refund_minor": 0}


def test_a_repeated_refund_request_gets_the_same_refund(shop: Shop) -> None:
    payment = shop.paid()

    first = shop.refund(payment, key="refund-1", amount_minor=100)
    again = shop.refund(payment, key="refund-1", amount_minor=100)
    other = shop.refund(payment, key="refund-1", amount_minor=200)

    assert again.json() == first.json()
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"
    assert shop.get(f"/v1/payments/{payment['id']}")["refunded_minor"] == 100


def test_a_pending_refund_is_settled_by_webhook_once(shop: Shop) -> None:
    payment = shop.paid(cards.REFUND_LATER)

    refund = shop.refund(payment).json()
    assert refund["status"] == "pending"
    assert shop.refund(payment).status_code == 422  # what is on its way is not refundable again
    shop.deliver_webhooks()
    shop.resolve()

    assert shop.get(f"/v1/refunds/{refund['id']}")["status"] == "succeeded"
    assert shop.events(refund["id"]) == ["refund.created", "refund.succeeded"]
    assert len(shop.journals(refund["id"])) == 2


def test_a_refund_that_fails_later_frees_the_money_again(shop: Shop) -> None:
    payment = shop.paid(cards.REFUND_FAILS_LATER)

    refund = shop.refund(payment).json()
    shop.deliver_webhooks()

    failed = shop.get(f"/v1/refunds/{refund['id']}")
    assert (failed["status"], failed["failure_code"]) == ("failed", "expired_or_closed_card")
    assert shop.events(refund["id"]) == ["refund.created", "refund.failed"]
    assert shop.journals(refund["id"]) == []
    row = shop.rows("SELECT refunded_minor, pending_refund_minor FROM payments WHERE id = %s", payment["id"])[0]
    assert row == {"refunded_minor": 0, "pending_refund_minor": 0}


def test_a_refund_that_a_sick_gateway_did_not_take_is_sent_again(shop: Shop) -> None:
    payment = shop.paid()
    shop.dial(down_seconds=60)

    refund = shop.refund(payment).json()
    assert refund["status"] == "pending"
    shop.resolve()
    assert shop.get(f"/v1/refunds/{refund['id']}")["status"] == "pending"
    shop.dial(down_seconds=0)
    shop.resolve()

    assert shop.get(f"/v1/refunds/{refund['id']}")["status"] == "succeeded"
    assert shop.events(refund["id"]) == ["refund.created", "refund.succeeded"]


def test_only_captured_money_can_be_refunded(shop: Shop) -> None:
    payer = shop.payer()
    payer.pay(cards.DECLINE)

    answer = shop.refund(shop.payment(payer.link))

    assert answer.status_code == 409
    assert shop.refund({"id": "pay_eu_00000000000000000000000000"}).status_code == 404
    elsewhere = shop.refund({"id": "pay_us_00000000000000000000000000"})
    assert elsewhere.status_code == 421


def test_bad_refund_requests_are_named(shop: Shop) -> None:
    payment = shop.paid()

    for body, pointer in (({"amount_minor": 0}, "/amount_minor"), ({"reason": "Bad Reason"}, "/reason")):
        answer = shop.refund(payment, **body)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_another_merchant_sees_neither_payment_nor_refund(shop: Shop) -> None:
    payment = shop.paid()
    refund = shop.refund(payment, amount_minor=1).json()
    _, key = shop.database.add_merchant()
    stranger = {"Authorization": f"Bearer {key}"}

    for path in (f"/v1/payments/{payment['id']}", f"/v1/refunds/{refund['id']}"):
        assert shop.http.get(shop.web_url + path, headers=stranger).status_code == 404
    stolen = shop.http.post(f"{shop.web_url}/v1/payments/{payment['id']}/refunds", headers=stranger)
    assert stolen.status_code == 404
