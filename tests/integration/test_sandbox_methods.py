"""The simulated PSP's other methods, captures, saved cards, disputes and dials, over its API and a real database."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from regions.errors import ConfigurationError
from tests.support.postgres import PostgresServer
from tests.support.sandbox import Psp, path_of, running_psp, sandbox_database
from web.sandbox import clockwork, provision
from web.sandbox.cards.scenarios import MAGIC_AMOUNTS, Scenario
from web.sandbox.database import Database


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    with sandbox_database(postgres_server.url) as url:
        yield url


@pytest.fixture
def psp(database_url: str) -> Iterator[Psp]:
    with running_psp(database_url, SANDBOX_DISPUTE_SECONDS="0") as running:
        yield running


def advance(psp: Psp) -> None:
    clockwork.advance(psp.settings, psp.database)


def told(psp: Psp, object_id: str) -> list[str]:
    with psp.database.transaction() as connection:
        rows = connection.execute(
            "SELECT type FROM webhook_events WHERE body::jsonb -> 'data' ->> 'id' = %s ORDER BY id", [object_id]
        ).fetchall()
    return [row["type"] for row in rows]


def amount_of(scenario: Scenario) -> int:
    return next(amount for amount, one in MAGIC_AMOUNTS.items() if one is scenario)


def books(psp: Psp) -> dict[str, Any]:
    return dict(psp.control("books", account=psp.account).json)


@pytest.mark.parametrize(("method", "currency"), [("wallet", "EUR"), ("ideal", "EUR"), ("upi", "INR")])
def test_a_payer_agrees_or_not_in_an_app_of_the_bank(psp: Psp, method: str, currency: str) -> None:
    for outcome, status, code in [("pass", "captured", None), ("fail", "declined", "cancelled_by_payer")]:
        payment = psp.pay(None, method=method, currency=currency)
        assert payment["action"]["kind"] == "redirect"
        path = path_of(payment)
        assert "/approve/" in path
        assert psp.client.get(path).status_code == 200
        assert psp.client.post(path, data={"outcome": outcome}).status_code == 303
        ended = psp.read(payment)
        assert (ended["status"], ended["decline_code"], ended["card"]) == (status, code, None)
        assert psp.client.get(path).status_code == 303, "the first answer counts"


def test_an_app_of_the_bank_knows_magic_amounts(psp: Psp) -> None:
    payment = psp.pay(None, method="wallet", amount_minor=amount_of(Scenario.INSUFFICIENT_FUNDS))
    psp.client.post(path_of(payment), data={"outcome": "pass"})
    assert psp.read(payment)["decline_code"] == "insufficient_funds"


@pytest.mark.parametrize(
    ("amount_minor", "status", "code"),
    [(1999, "captured", None), (amount_of(Scenario.FAIL_LATER), "declined", "payment_failed_later")],
)
def test_a_direct_debit_ends_days_after_the_payer_agreed(
    psp: Psp, amount_minor: int, status: str, code: str | None
) -> None:
    payment = psp.pay(None, method="sepa_debit", amount_minor=amount_minor)
    psp.client.post(path_of(payment), data={"outcome": "pass"})
    assert psp.read(payment)["status"] == "pending"
    advance(psp)
    ended = psp.read(payment)
    assert (ended["status"], ended["decline_code"]) == (status, code)


@pytest.mark.parametrize(("method", "currency"), [("bank_transfer", "EUR"), ("fps", "HKD")])
def test_a_payer_pushes_too_little_then_too_much(psp: Psp, method: str, currency: str) -> None:
    payment = psp.pay(None, method=method, currency=currency)
    path = path_of(payment)
    assert payment["id"] in psp.client.get(path).text
    psp.client.post(path, data={"amount_minor": "999"})
    advance(psp)
    part = psp.read(payment)
    assert (part["status"], part["captured_minor"]) == ("pending", 999)
    psp.control("transfers", {"account": psp.account, "payment_id": payment["id"], "amount_minor": 1500})
    advance(psp)
    over = psp.read(payment)
    assert (over["status"], over["captured_minor"]) == ("captured", 2499)
    assert payment["reference"] not in books(psp)["taken_too_much"], "a payer may push too much"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"method": "ideal", "currency": "USD"}, "/currency"),
        ({"method": "sepa_debit", "capture": "manual"}, "/capture"),
        ({"method": "wallet", "save_for": "p"}, "/method"),
        ({"initiator": "merchant"}, "/initiator"),
    ],
)
def test_what_a_method_cannot_do_is_refused(psp: Psp, fields: dict[str, str], pointer: str) -> None:
    answer = psp.post("/v1/payments", psp.order(None, **fields))
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)


def test_an_authorisation_expires_and_what_was_captured_stays(psp: Psp) -> None:
    untouched, part = (psp.pay(capture="manual") for _ in range(2))
    taken = {"reference": "cap-1", "amount_minor": 500, "currency": "EUR", "is_final": False}
    assert psp.post(f"/v1/payments/{part['id']}/captures", taken).json["status"] == "succeeded"
    assert psp.read(part)["status"] == "authorised"
    with psp.database.transaction() as connection:
        connection.execute("UPDATE payments SET due_at = now() WHERE status = 'authorised'")
    advance(psp)
    assert (psp.read(untouched)["status"], psp.read(untouched)["decline_code"]) == ("voided", "authorisation_expired")
    kept = psp.read(part)
    assert (kept["status"], kept["captured_minor"]) == ("captured", 500)
    late = psp.post(f"/v1/payments/{part['id']}/captures", taken | {"reference": "cap-2", "amount_minor": 1})
    assert late.json["failure_code"] == "payment_not_authorised"
    refund = psp.refund(part, amount_minor=501)
    assert refund["failure_code"] == "amount_exceeds_refundable"


@pytest.mark.parametrize(
    ("evidence", "status"), [("winning_evidence", "won"), ("losing_evidence", "lost"), ("a letter", "under_review")]
)
def test_a_dispute_is_answered_and_decided(psp: Psp, evidence: str, status: str) -> None:
    payment = psp.pay("4000000000000259")
    advance(psp)
    dispute = next(one for one in psp.get("/v1/disputes").json["data"] if one["payment_id"] == payment["id"])
    assert (dispute["reason"], dispute["status"], dispute["amount_minor"]) == ("fraudulent", "needs_response", 1999)
    assert psp.refund(payment)["failure_code"] == "amount_exceeds_refundable", "the money is with the payer already"
    path = f"/v1/disputes/{dispute['id']}/evidence"
    assert psp.post(path, {"evidence": {"text": evidence}}).json["status"] == "under_review"
    assert psp.post(path, {"evidence": {"text": evidence}}).status_code == 409
    advance(psp)
    assert psp.get(f"/v1/disputes/{dispute['id']}").json["status"] == status
    kinds = ["dispute.opened", "dispute.under_review"] + ([f"dispute.{status}"] if status != "under_review" else [])
    assert told(psp, dispute["id"]) == kinds
    assert (psp.refund(payment)["status"] == "succeeded") == (status == "won")


def test_an_unanswered_dispute_is_lost_at_its_deadline_and_a_judge_may_decide(psp: Psp) -> None:
    body = {"account": psp.account, "reason": "product_not_received", "amount_minor": 700}
    first, second = psp.pay(), psp.pay()
    late = psp.control("disputes", body | {"payment_id": first["id"], "respond_within_seconds": 0}).json
    open_ = psp.control("disputes", body | {"payment_id": second["id"]}).json
    advance(psp)
    assert psp.get(f"/v1/disputes/{late['id']}").json["status"] == "lost"
    assert psp.get(f"/v1/disputes/{open_['id']}").json["status"] == "needs_response"
    verdict = {"account": psp.account, "outcome": "won"}
    for _ in range(2):
        assert psp.control(f"disputes/{open_['id']}", verdict).json["status"] == "won"
    assert psp.control(f"disputes/{open_['id']}", verdict | {"outcome": "lost"}).status_code == 409
    with psp.database.transaction() as connection:
        moves = connection.execute(
            "SELECT kind, amount_minor FROM dispute_movements WHERE dispute_id = ANY(%s) ORDER BY moved_at",
            [[late["id"], open_["id"]]],
        ).fetchall()
    assert [tuple(move.values()) for move in moves] == [
        ("chargeback", 700),
        ("chargeback", 700),
        ("chargeback_reversed", 700),
    ]
    too_much = psp.control("disputes", body | {"payment_id": first["id"], "amount_minor": 1300})
    assert too_much.status_code == 422


def test_a_saved_card_is_charged_until_it_is_forgotten(psp: Psp) -> None:
    saved = psp.pay(save_for="payer-9")["saved_method"]
    order = psp.order(None, saved_method=saved["id"], initiator="merchant", return_url=None)
    assert psp.post("/v1/payments", order).json["status"] == "captured"
    asks = psp.pay("4000003800000446", save_for="payer-9")["saved_method"]
    again = psp.order(None, saved_method=asks["id"], initiator="merchant", return_url=None)
    assert psp.post("/v1/payments", again).json["decline_code"] == "authentication_required"
    headers = psp.headers
    for _ in range(2):
        assert psp.client.delete(f"/v1/saved_methods/{saved['id']}", headers=headers).status_code == 204
    assert psp.post("/v1/payments", order).json["code"] == "saved_unknown"


@pytest.mark.parametrize(("method", "currency", "then"), [("sepa_debit", "EUR", "pending"), ("upi", "INR", "captured")])
def test_a_mandate_is_saved_once_it_has_paid_and_charged_as_what_it_is(
    psp: Psp, method: str, currency: str, then: str
) -> None:
    asked = {"method": method, "currency": currency}
    made = psp.post("/v1/payments", psp.order(None, **asked, save_for="payer-10")).json
    action = path_of(made)
    assert psp.client.post(action, data={"outcome": "pass"}).status_code == 303
    advance(psp)
    saved = psp.get(f"/v1/payments/{made['id']}").json["saved_method"]
    assert psp.get(f"/v1/saved_methods/{saved['id']}").json["method"] == method
    order = psp.order(None, **asked, saved_method=saved["id"], initiator="merchant", return_url=None)
    assert psp.post("/v1/payments", order).json["status"] == then
    as_card = psp.order(None, saved_method=saved["id"], initiator="merchant", return_url=None)
    assert psp.post("/v1/payments", as_card).status_code == 422
    wallet = psp.order(None, method="wallet", save_for="payer-10")
    assert psp.post("/v1/payments", wallet).status_code == 422


def test_the_dial_that_answers_500_after_charging(psp: Psp) -> None:
    shown = psp.client.post(
        "/_control",
        json={"account": psp.account, "error_after_charge_next": 1},
        headers={"Authorization": "Bearer control-key-of-tests"},
    ).json
    assert shown["data"][0]["error_after_charge_next"] == 1
    order = psp.order()
    assert psp.post("/v1/payments", order, key="broken-1").status_code == 500
    again = psp.post("/v1/payments", order, key="broken-1")
    assert (again.status_code, again.json["status"]) == (201, "captured")
    assert len(psp.get("/v1/payments", reference=order["reference"]).json["data"]) == 1


def test_the_dial_that_turns_the_order_of_webhooks_round(psp: Psp) -> None:
    psp.control("faults", {"account": psp.account, "reorder_webhooks": 3})
    ids = [psp.pay()["id"] for _ in range(4)]
    with psp.database.transaction() as connection:
        rows = connection.execute(
            "SELECT send_after - created_at AS wait FROM webhook_events"
            " WHERE body::jsonb -> 'data' ->> 'id' = ANY(%s) ORDER BY created_at",
            [ids],
        ).fetchall()
    assert [row["wait"] / timedelta(milliseconds=200) for row in rows] == [3, 2, 1, 0]


def test_old_idempotency_keys_are_forgotten(psp: Psp) -> None:
    order = psp.order()
    psp.post("/v1/payments", order, key="old-1")
    psp.pay()
    with psp.database.transaction() as connection:
        connection.execute(
            "UPDATE idempotency_keys SET created_at = now() - %s WHERE key = 'old-1'", [timedelta(days=8)]
        )
    assert clockwork.purge_idempotency_keys(psp.settings, psp.database) == 1
    token = psp.token()
    assert psp.post("/v1/payments", order | {"payment_token": token}, key="old-1").status_code == 201
    assert order["reference"] in books(psp)["charged_twice"], (
        "a key that is forgotten protects nothing: the books say so"
    )


def test_an_old_database_is_brought_up_to_date_with_its_data(postgres_server: PostgresServer) -> None:
    url = postgres_server.url.rsplit("/", 1)[0] + "/sandbox_migrated"
    first = provision.steps()[0]
    provision._ensure_database(url)
    with psycopg.connect(url) as connection:
        connection.execute(first.statements)
        connection.execute("INSERT INTO schema_version (version) VALUES (1)")
        connection.execute(
            "INSERT INTO payments (id, account, reference, amount_minor, currency, status, three_ds, action_id, brand,"
            " last4, scenario, capture_reference, captured_at)"
            " VALUES ('1234567890123456', 'MeridianEU', 'att_old', 1999, 'EUR', 'captured', 'auto', 'a', 'visa',"
            " '4242', 'succeed', '2234567890123456', now())"
        )
    assert provision.provision(url) is True
    assert provision.provision(url) is False
    with running_psp(url) as psp:
        payment = psp.get("/v1/payments/1234567890123456").json
        assert (payment["status"], payment["captured_minor"], payment["method"]) == ("captured", 1999, "card")
        assert psp.refund(payment)["status"] == "succeeded"
        day = psp.control("settle", {"account": "MeridianEU", "date": "2030-01-01"}).json
        assert day["line_count"] > 2
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO schema_version (version) VALUES (99)")
    with pytest.raises(ConfigurationError, match="run newer code"):
        provision.provision(url)
    Database(url).close()
