"""A payer agrees at checkout to be charged again: recorded with the words, in force once saved, gone when deleted."""

import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from regions.money import Money
from tests.support import shop as cards
from tests.support.opened import open_shop
from tests.support.postgres import PostgresServer
from tests.support.shop import Shop
from web.background import forgetting, renewing
from web.checkout.texts import texts_for
from web.gateways.declines import Reason
from web.gateways.domain import Answer, Authorisation, Fact, Saved, ThreeDs
from web.routing.watched import WatchedGateway


@pytest.fixture(autouse=True)
def offered(shop: Shop) -> Iterator[None]:
    def say(*, is_offered: bool) -> None:
        path = f"{shop.web_url}/v1/payment_method_settings"
        assert shop.http.post(path, json={"is_offered": is_offered}, headers=shop.api).status_code == 200

    say(is_offered=True)
    yield
    say(is_offered=False)


def saved(shop: Shop, payment: dict[str, object]) -> list[dict[str, object]]:
    return shop.rows(
        "SELECT s.* FROM saved_methods s JOIN attempts a ON a.id = s.attempt_id WHERE a.payment_id = %s", payment["id"]
    )


def test_a_consent_becomes_a_method_that_can_be_charged_and_deleted(shop: Shop) -> None:
    payer = shop.payer()
    assert 'name="save"' in payer.page().text
    payer.pay(cards.SUCCEED, save="yes")
    payment = shop.payment(payer.link)
    (row,) = saved(shop, payment)
    words = texts_for("en-IE")("save_method", merchant="Demo GmbH")
    assert row["consent_sha256"] == hashlib.sha256(words.encode()).hexdigest()
    (listed,) = shop.get(f"/v1/payment_methods?subject_id={row['subject_id']}&status=active")["data"]
    assert (listed["id"], listed["card_last4"], listed["mandate"]) == (row["id"], "4242", "stored_credential")
    assert str(row["gateway_saved_id"]) not in str(listed)

    gateway = shop.worker.gateways["sandbox"]
    order = Authorisation(
        "att_again_1", Money(1999, "EUR"), None, "https://x/r", ThreeDs.AUTO,
        saved=Saved(str(row["gateway_saved_id"]), str(row["subject_id"])), is_payer_present=False,
    )  # fmt: skip
    assert gateway.authorise(order).fact is Fact.CAPTURED

    for _ in range(2):
        gone = shop.http.delete(f"{shop.web_url}/v1/payment_methods/{row['id']}", headers=shop.api)
        assert gone.json()["status"] == "deleted"
    assert shop.events(str(row["id"])) == ["payment_method.saved", "payment_method.deleted"]
    while forgetting.step(shop.worker):
        pass
    assert saved(shop, payment)[0]["gateway_saved_id"] is None
    refused = gateway.authorise(replace(order, attempt_id="att_again_2"))
    assert refused.fact is Fact.DECLINED  # the gateway has forgotten it


def test_without_consent_or_money_nothing_is_saved(shop: Shop) -> None:
    payer = shop.payer()
    payer.pay(cards.SUCCEED)
    assert saved(shop, shop.payment(payer.link)) == []
    declined = shop.payer()
    declined.pay(cards.DECLINE, save="yes")
    payment = shop.payments(declined.link)[0]
    (row,) = saved(shop, payment)
    assert row["status"] == "pending"
    assert shop.http.get(f"{shop.web_url}/v1/payment_methods/{row['id']}", headers=shop.api).status_code == 404


def test_a_challenge_keeps_the_consent_and_a_fallback_takes_it_along(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer = shop.payer()
    payer.challenge(payer.pay(cards.CHALLENGE, save="yes"), "pass")
    assert [row["status"] for row in saved(shop, shop.payment(payer.link))] == ["active"]

    watched = shop.worker.gateways["sandbox"]
    assert isinstance(watched, WatchedGateway)
    refusal = Answer(Fact.DECLINED, code=Reason.PROCESSING_ERROR)
    monkeypatch.setattr(watched.watched, "authorise", lambda _order: refusal)
    other = shop.payer()
    answer = other.pay(cards.SUCCEED, save="yes")
    card = {"number": cards.SUCCEED, "exp_month": "12", "exp_year": "34", "cvc": "123"}
    done = shop.http.post(answer.headers["Location"], data=card)
    shop.http.get(done.headers["Location"])
    (row,) = saved(shop, shop.payment(other.link))
    assert (row["gateway"], row["status"]) == ("sandbox_b", "active")


def erase(shop: Shop, subject_id: object) -> None:
    headers = {"Authorization": f"Bearer {shop.database.env['SERVICE_KEY_EU']}", "Idempotency-Key": f"k-{subject_id}"}
    body = {"subject_id": subject_id, "requested_by": "dpo", "reason": "asked"}
    for status in (201, 200):
        answer = shop.http.post(f"{shop.web_url}/internal/v1/erasure_requests", json=body, headers=headers)
        assert answer.status_code == status, answer.text


def test_an_erasure_ends_renewals_and_the_gateway_is_asked_to_forget_until_it_does(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer = shop.payer()
    payer.pay(cards.SUCCEED, save="yes", email="erased@example.com")
    payment = shop.payment(payer.link)
    (row,) = saved(shop, payment)
    renewal = shop.post(
        "/v1/renewals", amount_minor=1, currency="EUR", reference="S", payment_method_id=row["id"],
        starts_at="2030-01-01T00:00:00Z",
    ).json()  # fmt: skip
    erase(shop, row["subject_id"])
    ended = shop.get(f"/v1/renewals/{renewal['id']}")
    assert (ended["status"], ended["ended_reason"]) == ("ended", "payer_erased")
    assert shop.events(str(row["id"])) == ["payment_method.saved", "payment_method.deleted"]

    watched = shop.worker.gateways["sandbox"]
    assert isinstance(watched, WatchedGateway)
    with monkeypatch.context() as unwell:
        unwell.setattr(watched.watched, "forget", lambda *_: False)
        while forgetting.step(shop.worker):
            pass
    (held,) = saved(shop, payment)
    assert held["gateway_saved_id"] is not None
    assert held["forget_tries"] == 1
    assert not forgetting.step(shop.worker)  # not again at once: another method would wait for it
    shop.execute("UPDATE saved_methods SET forget_after = now() WHERE id = %s", row["id"])
    assert forgetting.step(shop.worker)
    assert saved(shop, payment)[0]["gateway_saved_id"] is None


def test_what_a_gateway_saves_after_an_erasure_is_forgotten_and_never_charged(shop: Shop) -> None:
    payer = shop.payer()
    at_bank = payer.pay(cards.CHALLENGE, save="yes", email="late@example.com")
    payment = shop.payments(payer.link)[0]
    (row,) = saved(shop, payment)
    assert row["status"] == "pending"
    erase(shop, row["subject_id"])
    payer.challenge(at_bank, "pass")
    (row,) = saved(shop, payment)
    assert (row["status"], row["gateway_saved_id"] is None) == ("deleted", False)
    while forgetting.step(shop.worker):
        pass
    assert saved(shop, payment)[0]["gateway_saved_id"] is None
    assert shop.events(str(row["id"])) == ["payment_method.deleted"]


def test_a_payer_gives_a_mandate_for_direct_debits_and_a_renewal_is_charged_under_it(shop: Shop) -> None:
    payer = shop.payer()
    page = payer.page().text
    (reference,) = set(re.findall(r"MRD-[0-9A-Z]{26}", page))
    assert "at least 14 days before each debit" in page
    assert "within eight weeks" in page
    creditor_id = "DE98ZZZ09999999999"
    assert f"Creditor identifier: {creditor_id}" in page
    at_bank = payer.pay(None, method="sepa_debit", save_sepa_debit="yes", email="debit@example.com").headers["Location"]
    back = shop.http.post(at_bank, data={"outcome": "pass"})
    assert "Your bank now carries out the debit" in shop.http.get(back.headers["Location"]).text, "the payer is done"
    shop.deliver_webhooks()
    payment = shop.payment(payer.link)
    assert (payment["status"], payment["method"]) == ("succeeded", "sepa_debit")
    (row,) = saved(shop, payment)
    words = html.unescape(page)
    agreed = next(text for text in re.findall(r'name="save_sepa_debit"[^>]*> ([^<]+)</label>', words))
    assert row["consent_sha256"] == hashlib.sha256(agreed.encode()).hexdigest()
    assert (row["status"], row["mandate"], row["mandate_reference"]) == ("active", "sepa_core", reference)
    (listed,) = shop.get(f"/v1/payment_methods?subject_id={row['subject_id']}&status=active")["data"]
    assert (listed["method"], listed["mandate_reference"], listed["card_last4"]) == ("sepa_debit", reference, None)
    assert listed["mandate_creditor_id"] == creditor_id

    asked = {"payment_method_id": row["id"], "amount_minor": 900, "currency": "EUR", "reference": "SEPA-1"}
    renewal = shop.post("/v1/renewals", **asked, periods_max=1).json()
    named = {"mandate_reference": reference, "mandate_creditor_id": creditor_id}
    assert renewal.items() >= {"mandate": "sepa_core", **named}.items()
    while renewing.step_open(shop.worker) or renewing.step_charge(shop.worker):
        pass
    (period,) = shop.get(f"/v1/renewals/{renewal['id']}/periods")["data"]
    assert period["status"] == "due"
    (notice,) = shop.rows("SELECT data FROM outbox WHERE subject = %s AND type = 'renewal.upcoming'", renewal["id"])
    assert notice["data"].items() >= named.items(), "the payer is told who will collect, and under which mandate"
    ready = (
        "UPDATE renewal_periods SET try_after = now(), notified_at = now() - interval '15 days' WHERE renewal_id = %s"
    )
    shop.execute(ready, renewal["id"])
    assert renewing.step_charge(shop.worker)
    shop.deliver_webhooks()
    (period,) = shop.get(f"/v1/renewals/{renewal['id']}/periods")["data"]
    assert period["status"] == "paid", period
    charged = shop.get(f"/v1/payments/{period['payment_id']}")
    assert (charged["method"], charged["amount_minor"]) == ("sepa_debit", 900)
    shop.http.delete(f"{shop.web_url}/v1/payment_methods/{row['id']}", headers=shop.api)
    while forgetting.step(shop.worker):
        pass
    assert saved(shop, payment)[0]["gateway_saved_id"] is None


def test_a_payer_sets_up_upi_autopay_in_india_and_a_renewal_is_collected_by_it(postgres_server: PostgresServer) -> None:
    with open_shop(postgres_server, "in") as shop:
        assert shop.post("/v1/payment_method_settings", is_offered=True).status_code == 200
        payer = shop.payer(shop.create_link(49900))
        words = html.unescape(payer.page().text)
        agreed = next(text for text in re.findall(r'name="save_upi"[^>]*> ([^<]+)</label>', words))
        assert "at least 1 day before each charge; above ₹15,000.00 my UPI PIN" in agreed
        in_app = payer.pay(None, method="upi", save_upi="yes").headers["Location"]
        back = shop.http.post(in_app, data={"outcome": "pass"})
        assert shop.http.get(back.headers["Location"]).status_code == 200
        shop.deliver_webhooks()
        payment = shop.payment(payer.link)
        assert (payment["status"], payment["method"], payment["currency"]) == ("succeeded", "upi", "INR")
        (row,) = saved(shop, payment)
        assert row["consent_sha256"] == hashlib.sha256(agreed.encode()).hexdigest()
        assert (row["status"], row["mandate"], row["mandate_reference"]) == ("active", "upi_autopay", None)

        asked = {"payment_method_id": row["id"], "currency": "INR", "periods_max": 1}
        small, large = (
            shop.post("/v1/renewals", **asked, amount_minor=amount, reference=f"UPI-{amount}").json()
            for amount in (49900, 1500001)
        )
        while renewing.step_open(shop.worker) or renewing.step_charge(shop.worker):
            pass
        (waiting,) = shop.get(f"/v1/renewals/{small['id']}/periods")["data"]
        assert (waiting["status"], waiting["payment_id"]) == ("due", None), "not before the payer was told a day ahead"
        told = (
            "UPDATE renewal_periods SET try_after = now(), notified_at = now() - interval '25 h' WHERE renewal_id = %s"
        )
        shop.execute(told, small["id"])
        while renewing.step_charge(shop.worker):
            pass
        shop.deliver_webhooks()
        (period,) = shop.get(f"/v1/renewals/{small['id']}/periods")["data"]
        assert period["status"] == "paid", period
        charged = shop.get(f"/v1/payments/{period['payment_id']}")
        assert (charged["method"], charged["status"], charged["captured_minor"]) == ("upi", "succeeded", 49900)
        (taken,) = shop.sandbox_payments(str(shop.attempt_of(charged)["id"]))
        assert (taken["method"], taken["captured_minor"]) == ("upi", 49900)
        assert "renewal.upcoming" in shop.events(small["id"])
        (asks,) = shop.get(f"/v1/renewals/{large['id']}/periods")["data"]
        assert asks["status"] == "link", "above the ceiling the payer's PIN is asked for"


def test_only_ways_that_the_link_allows_are_offered_and_taken(shop: Shop) -> None:
    for terms in ({"payment_methods": ["card"]}, {"capture_method": "manual"}, {"currency": "SEK"}):
        page = shop.payer(shop.create_link(**terms)).page().text
        assert ("sepa_debit" in page, 'type="hidden" name="method" value="card"' in page) == (False, True)
    payer = shop.payer(shop.create_link(payment_methods=["card"]))
    assert payer.submit(payer.form(None, method="sepa_debit")).status_code == 503
    assert shop.payments(payer.link) == []
    alone = shop.payer(shop.create_link(payment_methods=["sepa_debit"]))
    assert 'id="card-frame"' not in alone.page().text
    assert "/approve/" in alone.pay(None, method="sepa_debit").headers["Location"]
