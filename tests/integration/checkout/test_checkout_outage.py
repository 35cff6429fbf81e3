"""A gateway that is out: what needs no payer waits in the database, and goes off when the gateway answers again."""

from dataclasses import replace

import pytest

from regions.money import Money
from tests.support import shop as cards
from tests.support.shop import Shop
from web.background import resolver
from web.gateways.capabilities import Lookup
from web.gateways.domain import Answer, Authorisation, Card, Fact, Inquiry, Saved, ThreeDs
from web.payments.orders import seal, unseal
from web.routing.watched import WatchedGateway


def open_breaker(shop: Shop, gateway: str) -> None:
    shop.execute(
        "INSERT INTO gateway_circuits (gateway, state, open_until, open_count, changed_at)"
        " VALUES (%s, 'open', now() + interval '1 hour', 1, now()) ON CONFLICT (gateway) DO UPDATE"
        " SET state = 'open', open_until = excluded.open_until",
        gateway,
    )


def test_a_refund_waits_and_drains_when_the_gateway_answers_again(shop: Shop) -> None:
    payments = [shop.paid() for _ in range(3)]
    open_breaker(shop, "sandbox")
    answers = [shop.refund(payment, key=f"out-{payment['id']}") for payment in payments]
    assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [(201, "pending")] * 3
    calls = shop.rows("SELECT coalesce(sum(calls), 0) AS n FROM gateway_calls WHERE method = 'refund'")[0]["n"]
    assert calls == 0
    assert shop.resolve() == 0
    again = shop.refund(payments[0], key=f"out-{payments[0]['id']}")
    assert again.json()["id"] == answers[0].json()["id"]

    shop.execute("UPDATE gateway_circuits SET open_until = now()")
    assert shop.resolve() == 3
    assert shop.rows("SELECT state FROM gateway_circuits") == [{"state": "closed"}]
    for payment in payments:
        assert shop.get(f"/v1/payments/{payment['id']}")["refunded_minor"] == 1999


def test_a_drain_that_meets_the_outage_again_stops_and_waits_longer(shop: Shop) -> None:
    payments = [shop.paid() for _ in range(3)]
    open_breaker(shop, "sandbox")
    for payment in payments:
        shop.refund(payment)
    shop.dial(down_seconds=60)
    shop.execute("UPDATE gateway_circuits SET open_until = now()")
    assert shop.resolve() == 1  # one found out, and the others were left alone
    (circuit,) = shop.rows("SELECT state, open_count FROM gateway_circuits")
    assert circuit == {"state": "open", "open_count": 2}
    shop.dial(down_seconds=0)
    shop.execute("UPDATE gateway_circuits SET open_until = now()")
    shop.resolve()
    assert {shop.get(f"/v1/payments/{payment['id']}")["refunded_minor"] for payment in payments} == {1999}


def test_the_resolver_asks_no_gateway_that_is_out(shop: Shop) -> None:
    payer = shop.payer()
    payer.pay(cards.TIMEOUT_AFTER_CHARGE)
    open_breaker(shop, "sandbox")
    assert shop.resolve() == 0
    shop.execute("UPDATE gateway_circuits SET open_until = now()")
    assert shop.resolve() == 1
    assert shop.payment(payer.link)["status"] == "succeeded"


def test_a_gateway_without_a_look_up_is_asked_by_the_identical_request(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = shop.worker.gateways["sandbox"]
    assert isinstance(watched, WatchedGateway)
    asked: list[Inquiry] = []
    adapter = watched.watched

    def resolve(inquiry: Inquiry) -> Answer:
        asked.append(inquiry)
        return Answer(Fact.UNKNOWN, code="no_lookup") if inquiry.order is None else adapter.authorise(inquiry.order)

    monkeypatch.setattr(adapter, "capabilities", replace(adapter.capabilities, lookup=Lookup.RESEND), raising=False)
    monkeypatch.setattr(adapter, "resolve", resolve)
    payer = shop.payer()
    payer.pay(cards.TIMEOUT_AFTER_CHARGE)
    attempt = shop.attempt_of(shop.payment(payer.link))
    assert attempt["status"] == "unknown"
    sealed = bytes(attempt["sealed_order"])
    assert attempt["payment_token"].encode() not in sealed

    shop.execute("UPDATE attempts SET resolve_after = now() WHERE id = %s", attempt["id"])
    assert resolver.step_attempts(shop.worker)
    payment = shop.payment(payer.link)
    assert payment["status"] == "succeeded"
    assert asked[0].order is not None
    assert asked[0].order.payment_token == attempt["payment_token"]
    assert len(shop.sandbox_payments(attempt["id"])) == 1  # the same key: the same charge
    assert shop.attempt_of(payment)["sealed_order"] is None


def test_a_sealed_order_comes_back_whole(shop: Shop) -> None:
    order = Authorisation(
        "att",
        Money(700, "ISK"),
        None,
        "https://x/r",
        ThreeDs.FORCE,
        saved=Saved("sm", "subj", Card("visa", "4242", "f")),
    )
    assert unseal(shop.worker.vault, seal(shop.worker.vault, order)) == order
