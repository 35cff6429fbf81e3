"""Which gateway is asked, when another one is, and what payer and support see of it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import psycopg
import pytest

from tests.support import shop as cards
from tests.support.shop import Shop
from web.gateways.declines import Reason
from web.gateways.domain import Answer, Authorisation, Fact
from web.routing import service as routing
from web.routing.rules import load_routing
from web.routing.watched import WatchedGateway

POLICY = load_routing().breaker


def watched(shop: Shop, name: str) -> WatchedGateway:
    gateway = shop.worker.gateways[name]
    assert isinstance(gateway, WatchedGateway)
    return gateway


@contextmanager
def answering(shop: Shop, name: str, *answers: Answer) -> Iterator[list[Authorisation]]:
    """Let a gateway give these answers, then its own."""
    gateway, sent, left = watched(shop, name), [], list(answers)
    real = gateway.watched.authorise

    def authorise(order: Authorisation) -> Answer:
        sent.append(order)
        return left.pop(0) if left else real(order)

    gateway.watched.authorise = authorise  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        gateway.watched.authorise = real  # type: ignore[method-assign]


def failed(code: Reason) -> Answer:
    return Answer(Fact.DECLINED, code=code)


def attempts(shop: Shop, payment: dict[str, object]) -> list[dict[str, object]]:
    return list(shop.get(f"/v1/payments/{payment['id']}/attempts")["data"])


def open_breaker(shop: Shop, *gateways: str) -> None:
    for gateway in gateways:
        shop.execute(
            "INSERT INTO gateway_circuits (gateway, state, open_until, open_count, changed_at)"
            " VALUES (%s, 'open', now() + interval '1 hour', 1, now()) ON CONFLICT (gateway) DO UPDATE"
            " SET state = excluded.state, open_until = excluded.open_until, changed_at = now()",
            gateway,
        )


def test_a_definite_failure_goes_on_at_another_gateways_page(shop: Shop) -> None:
    payer = shop.payer()
    with answering(shop, "sandbox", failed(Reason.PROCESSING_ERROR)):
        answer = payer.pay(cards.SUCCEED)
    assert answer.headers["Location"].startswith(f"{shop.sandbox_url}/pay/")  # its page: the token was another's
    card = {"number": cards.SUCCEED, "exp_month": "12", "exp_year": "34", "cvc": "123"}
    done = shop.http.post(answer.headers["Location"], data=card)
    assert "Thank you" in shop.http.get(done.headers["Location"]).text

    payment = shop.payment(payer.link)
    assert (payment["status"], payment["gateway"]) == ("succeeded", "sandbox_b")
    first, second = attempts(shop, payment)
    assert (first["status"], first["decline_code"], second["status"]) == ("failed", "processing_error", "succeeded")
    routed = second["routing"]
    assert isinstance(routed, dict)
    assert routed["after"] == [{"attempt_id": first["id"], "gateway": "sandbox", "code": "processing_error"}]
    assert "failed already: processing_error" in routed["candidates"][0]["reasons"]
    assert shop.events(str(payment["id"])).count("payment.attempted") == 2
    assert shop.journals(str(payment["id"]))[0] == ("payment", "gateway_clearing:sandbox_b", 1999)
    assert shop.refund(payment).json()["status"] == "succeeded"


def test_a_gateway_that_is_busy_is_asked_again_with_the_same_card(shop: Shop) -> None:
    payer = shop.payer()
    with answering(shop, "sandbox", failed(Reason.BUSY)) as sent:
        payer.pay(cards.SUCCEED)
    first, second = sent
    assert first.payment_token == second.payment_token
    assert first.attempt_id != second.attempt_id
    assert shop.payment(payer.link)["status"] == "succeeded"
    assert [attempt["gateway"] for attempt in attempts(shop, shop.payment(payer.link))] == ["sandbox", "sandbox"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(Fact.UNKNOWN, code="gateway_timeout"),
        Answer(Fact.DECLINED, code=Reason.CARD_DECLINED),
        Answer(Fact.DECLINED, code=Reason.INSUFFICIENT_FUNDS),
    ],
)
def test_neither_an_unknown_outcome_nor_the_banks_no_leads_to_another_gateway(shop: Shop, answer: Answer) -> None:
    payer = shop.payer()
    with answering(shop, "sandbox", answer) as sent, answering(shop, "sandbox_b") as sent_elsewhere:
        payer.pay(cards.SUCCEED)
    assert (len(sent), sent_elsewhere) == (1, [])
    assert len(attempts(shop, shop.payment(payer.link))) == 1


def test_the_table_takes_no_second_attempt_while_one_may_still_charge(shop: Shop) -> None:
    payer = shop.payer()
    payer.pay(cards.TIMEOUT_BEFORE_CHARGE)
    attempt = shop.attempt_of(shop.payment(payer.link))
    assert attempt["status"] == "unknown"
    with pytest.raises(psycopg.errors.UniqueViolation):
        shop.execute(
            "INSERT INTO attempts (id, merchant_id, payment_id, gateway, gateway_account, payment_token, amount_minor,"
            " currency, status) SELECT 'att_b', merchant_id, payment_id, 'sandbox_b', 'x', '', 1, 'EUR', 'submitted'"
            " FROM attempts WHERE id = %s",
            attempt["id"],
        )


def test_calls_that_break_off_open_the_breaker_and_the_next_payer_goes_elsewhere(shop: Shop) -> None:
    broken = [Answer(Fact.UNKNOWN, code="gateway_timeout")] * POLICY.calls_min
    with answering(shop, "sandbox", *broken) as sent:
        for _ in broken:
            shop.payer().pay(None)
        assert shop.rows("SELECT gateway, state FROM gateway_circuits") == [{"gateway": "sandbox", "state": "open"}]
        payer = shop.payer()
        assert 'name="gateway" value="sandbox_b"' in payer.page().text
        assert "account=MeridianEU2" in payer.page().text
        answer = payer.pay(None)
        assert len(sent) == POLICY.calls_min
    assert answer.headers["Location"].startswith(f"{shop.sandbox_url}/pay/")
    (attempt,) = attempts(shop, shop.payment(payer.link))
    assert attempt["gateway"] == "sandbox_b"
    candidates = attempt["routing"]["candidates"]  # type: ignore[index]
    assert candidates[-1]["gateway"] == "sandbox"
    assert candidates[-1]["rank"] is None
    assert "its breaker is open" in candidates[-1]["reasons"]


def test_one_call_at_a_time_probes_and_enough_good_ones_close_the_breaker(shop: Shop) -> None:
    open_breaker(shop, "sandbox")
    with shop.worker.database.transaction() as connection:
        now = connection.exec_driver_sql("SELECT now()").scalar_one()
        assert not routing.let_through(connection, "sandbox", now)
        later = now + timedelta(hours=2)
        assert routing.let_through(connection, "sandbox", later)
        assert not routing.let_through(connection, "sandbox", later)
        assert routing.shut_gateways(connection, later) == ["sandbox"]
    shop.forget_calls()
    open_breaker(shop, "sandbox")
    shop.execute("UPDATE gateway_circuits SET open_until = now()")
    for expected in ("half_open", "closed"):
        payer = shop.payer()
        payer.pay(cards.SUCCEED)
        assert shop.payment(payer.link)["gateway"] == "sandbox"
        assert shop.rows("SELECT state FROM gateway_circuits") == [{"state": expected}]


def test_while_no_gateway_answers_the_payer_is_told_and_the_page_resumes(shop: Shop) -> None:
    payer = shop.payer()
    form = payer.form(cards.SUCCEED)
    open_breaker(shop, "sandbox", "sandbox_b")

    told = payer.submit(form)
    assert told.status_code == 503
    assert told.headers["Retry-After"]
    assert "nothing was taken" in told.text
    assert shop.payments(payer.link) == []
    opened = payer.page()
    assert opened.status_code == 503
    assert 'http-equiv="refresh"' in opened.text

    kept = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', told.text))
    assert kept.items() >= {**form}.items()
    shop.forget_calls()
    assert payer.submit(kept).status_code == 303
    assert shop.payment(payer.link)["status"] == "succeeded"


def test_a_payer_who_waits_for_a_gateway_that_is_out_is_told_so(shop: Shop) -> None:
    payer = shop.payer()
    payer.pay(cards.TIMEOUT_BEFORE_CHARGE)
    assert "This usually takes a few seconds" in payer.come_back().text
    open_breaker(shop, "sandbox")
    page = payer.come_back().text
    assert "we do not know yet whether the payment went through" in page
    assert 'http-equiv="refresh"' in page


def test_a_webhook_of_the_second_account_is_its_own(shop: Shop) -> None:
    shop.execute(
        "INSERT INTO routing_preferences (merchant_id, livemode, method, gateways, updated_at)"
        " VALUES (%s, false, 'card', '{sandbox_b}', now())",
        shop.database.merchant_id,
    )
    try:
        payer = shop.payer()
        answer = payer.pay(None)
    finally:
        shop.execute("DELETE FROM routing_preferences")
    card = {"number": cards.SUCCEED, "exp_month": "12", "exp_year": "34", "cvc": "123"}
    assert shop.http.post(answer.headers["Location"], data=card).status_code == 303
    shop.deliver_webhooks()
    payment = shop.payment(payer.link)
    assert (payment["status"], payment["gateway"]) == ("succeeded", "sandbox_b")
    (attempt,) = attempts(shop, payment)
    assert "the merchant's choice number 1" in attempt["routing"]["candidates"][0]["reasons"]  # type: ignore[index]
    forged = httpx.post(f"{shop.web_url}/gateways/sandbox_b/webhooks", content=b"{}", trust_env=False)
    assert forged.status_code == 401


def test_money_that_two_attempts_of_a_payment_have_taken_goes_back_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = watched(shop, "sandbox")
    real = gateway.watched.authorise

    def charging_and_denying(order: Authorisation) -> Answer:
        """A gateway that calls a charge a failure, and tells of it later."""
        real(order)
        return failed(Reason.PROCESSING_ERROR)

    monkeypatch.setattr(gateway.watched, "authorise", charging_and_denying)
    payer = shop.payer()
    answer = payer.pay(cards.SUCCEED)
    monkeypatch.undo()
    card = {"number": cards.SUCCEED, "exp_month": "12", "exp_year": "34", "cvc": "123"}
    done = shop.http.post(answer.headers["Location"], data=card)
    assert "Thank you" in shop.http.get(done.headers["Location"]).text
    shop.dial(duplicate_webhooks=2)
    for _ in range(3):
        shop.deliver_webhooks()
        shop.resolve()

    kept, double = shop.payments(payer.link)
    assert (kept["status"], kept["refunded_minor"], kept["gateway"]) == ("succeeded", 0, "sandbox_b")
    assert (double["status"], double["refunded_minor"], double["gateway"]) == ("superseded", 1999, "sandbox")
    (refund,) = shop.rows("SELECT reason, status, amount_minor FROM refunds WHERE payment_id = %s", double["id"])
    assert refund == {"reason": "superseded", "status": "succeeded", "amount_minor": 1999}
    known = shop.sandbox_payments(str(shop.attempt_of(double)["id"]))
    assert [each["captured_minor"] for each in known] == [1999]
    owed = [entry[2] for entry in shop.journals(str(double["id"])) if entry[1] == "payer_refundable"]
    assert owed == [-1999]
    told = shop.events(str(double["id"]))
    assert told == ["payment.created", "payment.succeeded"]
    assert shop.events(str(payer.link["id"])).count("link.completed") == 1


def test_money_that_a_second_attempt_sets_aside_is_let_go_and_holds_up_no_capture(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = watched(shop, "sandbox").watched.authorise

    def reserving_and_denying(order: Authorisation) -> Answer:
        """A gateway that calls an authorisation a failure, and tells of it later."""
        real(order)
        return failed(Reason.PROCESSING_ERROR)

    monkeypatch.setattr(watched(shop, "sandbox").watched, "authorise", reserving_and_denying)
    payer = shop.payer(shop.create_link(capture_method="manual"))
    answer = payer.pay(cards.SUCCEED)
    monkeypatch.undo()
    card = {"number": cards.SUCCEED, "exp_month": "12", "exp_year": "34", "cvc": "123"}
    shop.http.get(shop.http.post(answer.headers["Location"], data=card).headers["Location"])
    open_breaker(shop, "sandbox")  # what it tells still arrives; nothing can be asked of it
    shop.dial(duplicate_webhooks=2)
    try:
        shop.deliver_webhooks()
        shop.resolve()
        kept, double = shop.payments(payer.link)
        assert (kept["status"], kept["gateway"]) == ("authorised", "sandbox_b")
        assert (double["status"], double["failure_code"], double["gateway"]) == ("failed", "superseded", "sandbox")
        assert shop.rows("SELECT status FROM voids WHERE payment_id = %s", double["id"]) == [{"status": "pending"}]
        captured = shop.post(f"/v1/payments/{kept['id']}/capture")
        assert captured.json()["status"] == "succeeded", captured.text
    finally:
        shop.forget_calls()
    while shop.resolve() or shop.deliver_webhooks():
        pass

    kept, double = shop.payments(payer.link)
    assert (kept["status"], kept["captured_minor"]) == ("succeeded", 1999)
    assert (double["status"], double["captured_minor"]) == ("voided", 0)
    (let_go,) = shop.rows("SELECT status, reason FROM voids WHERE payment_id = %s", double["id"])
    assert let_go == {"status": "succeeded", "reason": "superseded"}
    (known,) = shop.sandbox_payments(str(shop.attempt_of(double)["id"]))
    assert (known["status"], known["captured_minor"]) == ("voided", 0)
    assert shop.journals(str(double["id"])) == []
    assert shop.events(str(double["id"])) == ["payment.created", "payment.failed", "payment.voided"]
    assert "payment.voided" not in shop.events(str(kept["id"]))


def test_a_merchant_prefers_gateways_by_the_api(shop: Shop) -> None:
    def prefer(*gateways: str, method: str = "card") -> httpx.Response:
        return shop.post("/v1/routing_preferences", method=method, gateways=list(gateways))

    assert prefer("sandbox_b", "sandbox").status_code == 200
    try:
        (held,) = shop.get("/v1/routing_preferences")["data"]
        assert (held["method"], held["gateways"]) == ("card", ["sandbox_b", "sandbox"])
        payer = shop.payer()
        assert payer.page().text.count("MeridianEU2")  # its card fields are the preferred gateway's
        for wrong in (("nowhere",), ("sandbox", "sandbox")):
            assert prefer(*wrong).status_code == 422
    finally:
        assert prefer().json()["gateways"] == []
    assert shop.get("/v1/routing_preferences")["data"] == []
