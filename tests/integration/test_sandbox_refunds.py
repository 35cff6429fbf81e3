"""The simulated PSP's refunds: never more than was captured."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.postgres import PostgresServer
from tests.support.sandbox import Psp, running_psp, sandbox_database
from web.sandbox import clockwork


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    with sandbox_database(postgres_server.url) as url:
        yield url


@pytest.fixture
def psp(database_url: str) -> Iterator[Psp]:
    with running_psp(database_url) as running:
        yield running


def test_parts_are_refunded_until_nothing_is_left(psp: Psp) -> None:
    payment = psp.pay(amount_minor=1000)
    first = psp.refund(payment, amount_minor=400)
    assert (first["status"], first["payment_id"], first["amount_minor"]) == ("succeeded", payment["id"], 400)
    assert psp.refund(payment, amount_minor=601)["failure_code"] == "amount_exceeds_refundable"
    assert psp.refund(payment, amount_minor=600)["status"] == "succeeded"
    assert psp.refund(payment, amount_minor=1)["failure_code"] == "amount_exceeds_refundable"
    assert psp.get("/v1/refunds", reference=first["reference"]).json["data"] == [first]
    assert psp.get(f"/v1/refunds/{first['id']}").json == first


def test_racing_refunds_never_exceed_the_capture(psp: Psp) -> None:
    payment = psp.pay(amount_minor=1000)
    with ThreadPoolExecutor(8) as threads:
        refunds = list(threads.map(lambda _: psp.refund(payment, amount_minor=300), range(8)))
    assert sorted(refund["status"] for refund in refunds) == ["failed"] * 5 + ["succeeded"] * 3


def test_what_was_not_captured_or_is_another_currency_is_not_refunded(psp: Psp) -> None:
    declined = psp.pay("4000000000000002")
    assert psp.refund(declined)["failure_code"] == "payment_not_captured"
    assert psp.refund(psp.pay(), currency="USD")["failure_code"] == "currency_mismatch"


def test_one_key_refunds_once(psp: Psp) -> None:
    payment = psp.pay(amount_minor=1000)
    body = {"reference": "re_once", "amount_minor": 100, "currency": "EUR"}
    with ThreadPoolExecutor(4) as threads:
        answers = {
            answer.text
            for answer in threads.map(
                lambda _: psp.post(f"/v1/payments/{payment['id']}/refunds", body, "r-1"), range(4)
            )
        }
    assert len(answers) == 1
    assert len(psp.get("/v1/refunds", reference="re_once").json["data"]) == 1


@pytest.mark.parametrize(
    ("number", "status", "failure_code"),
    [("4000000000007726", "succeeded", None), ("4000000000005126", "failed", "expired_or_closed_card")],
)
def test_a_pending_refund_ends_later_and_holds_its_amount_until_then(
    psp: Psp, number: str, status: str, failure_code: str | None
) -> None:
    payment = psp.pay(number)
    refund = psp.refund(payment)
    assert refund["status"] == "pending"
    assert psp.refund(payment)["failure_code"] == "amount_exceeds_refundable"
    clockwork.advance(psp.settings, psp.database)
    after = psp.get(f"/v1/refunds/{refund['id']}").json
    assert (after["status"], after["failure_code"]) == (status, failure_code)
    assert psp.refund(payment)["status"] == ("failed" if status == "succeeded" else "pending")


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [({"amount_minor": 0}, "/amount_minor"), ({"currency": "ZZZ"}, "/currency"), ({"reference": None}, "/reference")],
)
def test_a_wrong_field_is_named(psp: Psp, wrong: dict[str, Any], pointer: str) -> None:
    body = {"reference": "re_1", "amount_minor": 1, "currency": "EUR"} | wrong
    answer = psp.post(f"/v1/payments/{psp.pay()['id']}/refunds", body)
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
