"""The simulated PSP's payments, through its HTTP API and a real database."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.postgres import PostgresServer
from tests.support.sandbox import RETURN_URL, Psp, path_of, running_psp, sandbox_database
from web.sandbox import clockwork


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    with sandbox_database(postgres_server.url) as url:
        yield url


@pytest.fixture
def psp(database_url: str) -> Iterator[Psp]:
    with running_psp(database_url) as running:
        yield running


def webhooks_of(psp: Psp, object_id: str) -> list[str]:
    with psp.database.transaction() as connection:
        rows = connection.execute(
            "SELECT type FROM webhook_events WHERE body::jsonb -> 'data' ->> 'id' = %s ORDER BY created_at, id",
            [object_id],
        ).fetchall()
    return [row["type"] for row in rows]


@pytest.mark.parametrize(
    ("number", "status", "decline_code"),
    [
        ("4242424242424242", "captured", None),
        ("4000000000000259", "captured", None),
        ("4000000000000341", "captured", None),
        ("4000000000000002", "declined", "card_declined"),
        ("4000000000009995", "declined", "insufficient_funds"),
    ],
)
def test_a_card_is_charged_or_declined_at_once(psp: Psp, number: str, status: str, decline_code: str | None) -> None:
    payment = psp.pay(number)
    assert (payment["status"], payment["decline_code"], payment["action"]) == (status, decline_code, None)
    assert payment["card"]["last4"] == number[-4:]
    assert psp.read(payment) == payment
    assert psp.get("/v1/payments", reference=payment["reference"]).json["data"] == [payment]
    assert webhooks_of(psp, payment["id"]) == [f"payment.{status}"]


@pytest.mark.parametrize(
    ("number", "three_ds", "outcome", "status", "decline_code"),
    [
        ("4000002500003155", "auto", "pass", "captured", None),
        ("4000002500003155", "auto", "fail", "declined", "authentication_failed"),
        ("4000008400001629", "auto", "pass", "declined", "card_declined"),
        ("4242424242424242", "force", "pass", "captured", None),
        ("4000000000000002", "force", "pass", "declined", "card_declined"),
    ],
)
def test_a_challenge_is_answered_once_and_sends_the_payer_back(
    psp: Psp, number: str, three_ds: str, outcome: str, status: str, decline_code: str | None
) -> None:
    payment = psp.pay(number, three_ds=three_ds)
    assert payment["action"]["kind"] == "three_ds"
    page = psp.client.get(path_of(payment))
    assert page.status_code == 200
    assert "TEST MODE" in page.text
    assert payment["id"] not in payment["action"]["url"]
    answer = psp.client.post(path_of(payment), data={"outcome": outcome})
    assert (answer.status_code, answer.location) == (303, RETURN_URL)
    again = psp.client.post(path_of(payment), data={"outcome": "fail" if outcome == "pass" else "pass"})
    assert (again.status_code, again.location) == (303, RETURN_URL)
    assert psp.client.get(path_of(payment)).location == RETURN_URL
    after = psp.read(payment)
    assert (after["status"], after["decline_code"], after["action"]) == (status, decline_code, None)
    assert webhooks_of(psp, payment["id"]) == ["payment.requires_action", f"payment.{status}"]


def test_reading_the_challenge_page_changes_nothing(psp: Psp) -> None:
    payment = psp.pay("4000002500003155")
    psp.client.get(path_of(payment))
    assert psp.read(payment) == payment


def test_a_challenge_that_nobody_answers_expires(database_url: str) -> None:
    with running_psp(database_url, SANDBOX_ACTION_SECONDS="0") as psp:
        late, abandoned = psp.pay("4000002500003155"), psp.pay("4000002500003155")
        assert psp.client.post(path_of(late), data={"outcome": "pass"}).location == RETURN_URL
        clockwork.advance(psp.settings, psp.database)
        for payment in (late, abandoned):
            assert psp.read(payment)["decline_code"] == "action_expired"


def test_a_pending_payment_is_captured_later(psp: Psp) -> None:
    payment = psp.pay("4000000000000077")
    assert payment["status"] == "pending"
    clockwork.advance(psp.settings, psp.database)
    assert psp.read(payment)["status"] == "captured"
    assert webhooks_of(psp, payment["id"]) == ["payment.captured"]


def test_without_a_token_the_payer_types_the_card_on_the_full_page(psp: Psp) -> None:
    payment = psp.pay(None)
    assert payment["action"]["kind"] == "redirect"
    page = psp.client.get(path_of(payment))
    assert "TEST MODE" in page.text
    assert "form-action 'self' https://pay.eu.example" in page.headers["Content-Security-Policy"]
    card = {"number": "4242 4242 4242 4241", "exp_month": "12", "exp_year": "34", "cvc": "123"}
    refused = psp.client.post(path_of(payment), data=card)
    assert refused.status_code == 422
    assert "check the digits" in refused.text
    assert psp.read(payment)["status"] == "requires_action"
    answer = psp.client.post(path_of(payment), data=card | {"number": "4242 4242 4242 4242"})
    assert (answer.status_code, answer.location) == (303, RETURN_URL)
    assert psp.read(payment)["status"] == "captured"
    assert psp.client.post(path_of(payment), data=card).location == RETURN_URL
    assert webhooks_of(psp, payment["id"]) == ["payment.requires_action", "payment.captured"]


def test_a_typed_card_may_ask_for_the_challenge_and_cancelling_declines(psp: Psp) -> None:
    payment = psp.pay(None)
    card = {"number": "4000002500003155", "exp_month": "12", "exp_year": "34", "cvc": "123"}
    challenge = psp.client.post(path_of(payment), data=card).location
    assert "/3ds/" in challenge
    assert psp.client.get(path_of(payment)).location == challenge
    psp.client.post(challenge.removeprefix("http://psp.example"), data={"outcome": "pass"})
    assert psp.read(payment)["status"] == "captured"
    cancelled = psp.pay(None)
    assert psp.client.post(path_of(cancelled), data={"cancel": "1"}).location == RETURN_URL
    assert psp.read(cancelled)["decline_code"] == "cancelled_by_payer"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"amount_minor": 0}, "/amount_minor"),
        ({"amount_minor": 10**12}, "/amount_minor"),
        ({"amount_minor": "1999"}, "/amount_minor"),
        ({"amount_minor": 19.99}, "/amount_minor"),
        ({"amount_minor": True}, "/amount_minor"),
        ({"currency": "eur"}, "/currency"),
        ({"currency": "XAU"}, "/currency"),
        ({"reference": ""}, "/reference"),
        ({"reference": "x" * 129}, "/reference"),
        ({"reference": "a b"}, "/reference"),
        ({"return_url": "javascript:alert(1)"}, "/return_url"),
        ({"return_url": None}, "/return_url"),
        ({"three_ds": "maybe"}, "/three_ds"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(psp: Psp, wrong: dict[str, Any], pointer: str) -> None:
    order = psp.order() | {"reference": "att_wrong"} | wrong
    answer = psp.post("/v1/payments", order)
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert psp.get("/v1/payments", reference="att_wrong").json["data"] == []


def test_bodies_keys_and_credentials_that_are_missing(psp: Psp) -> None:
    headers = psp.headers | {"Idempotency-Key": "k-5"}
    assert psp.client.post("/v1/payments", data="[1]", headers=headers).json["code"] == "invalid_json"
    assert psp.client.post("/v1/payments", data="{", headers=headers).json["code"] == "invalid_json"
    assert (
        psp.client.post("/v1/payments", json=psp.order(), headers=psp.headers).json["code"]
        == "idempotency_key_required"
    )
    assert psp.client.post("/v1/payments", data=b" " * 70_000, headers=headers).status_code == 413
    for bad in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic abc"}):
        answer = psp.client.get("/v1/payments/1", headers=bad)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_another_accounts_objects_are_not_there(psp: Psp, database_url: str) -> None:
    payment = psp.pay()
    with running_psp(database_url, "us") as other:
        assert other.get(f"/v1/payments/{payment['id']}").status_code == 404
        assert other.get("/v1/payments", reference=payment["reference"]).json["data"] == []
        body = {"reference": "re_x", "amount_minor": 1, "currency": "EUR"}
        assert other.post(f"/v1/payments/{payment['id']}/refunds", body).status_code == 404


def test_unknown_pages_say_so_as_a_page(psp: Psp) -> None:
    for path in ("/3ds/nothing", "/pay/nothing"):
        answer = psp.client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 404
        assert "TEST MODE" in answer.text


def test_card_numbers_and_codes_are_nowhere_in_the_database(psp: Psp, database_url: str) -> None:
    psp.pay("5555555555554444")
    psp.client.post(
        path_of(psp.pay(None)), data={"number": "5555555555554444", "exp_month": "12", "exp_year": "34", "cvc": "917"}
    )
    psp.tokenise("5555555555554443")
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        dump = "".join(str(connection.execute(f"SELECT t::text FROM {name} AS t").fetchall()) for (name,) in tables)
    assert "4444" in dump  # the search does find what is there
    assert "555555555555444" not in dump
    assert "917" not in [word.strip('"') for word in dump.replace("(", ",").replace(")", ",").split(",")]
