"""The sandbox adapter's error map and parsing, over a transport that says whatever a test wants."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from regions.money import Money
from web.gateways import signatures
from web.gateways.domain import AttemptNews, Authorisation, Fact, Inquiry, RefundNews, RefundOrder, StepFact, ThreeDs
from web.gateways.errors import GatewayDocumentError, WebhookRejectedError
from web.gateways.sandbox.adapter import HEADER, SandboxGateway, SandboxSettings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "whsec_test"
ORDER = Authorisation("att_1", Money(1999, "EUR"), "tok_1", "https://pay.example/c/x/return", ThreeDs.AUTO)
ASKED = Inquiry("att_1", NOW)
REFUND = RefundOrder("re_1", "1234567890123456", Money(500, "EUR"))


def gateway(handler: Callable[[httpx.Request], httpx.Response]) -> SandboxGateway:
    settings = SandboxSettings("http://psp.example", "MeridianEU", "sk_secret", SECRET)
    return SandboxGateway(settings, httpx.MockTransport(handler))


def payment(**fields: Any) -> dict[str, Any]:
    return {
        "id": "1234567890123456",
        "reference": "att_1",
        "status": "captured",
        "amount_minor": 1999,
        "currency": "EUR",
        "decline_code": None,
        "action": None,
        "card": {"brand": "visa", "last4": "4242", "fingerprint": "f"},
    } | fields


def refund(**fields: Any) -> dict[str, Any]:
    return {
        "id": "9876543210987654",
        "payment_id": "1234567890123456",
        "reference": "re_1",
        "status": "succeeded",
        "failure_code": None,
        "amount_minor": 500,
        "currency": "EUR",
    } | fields


def answering(status: int, body: Any) -> SandboxGateway:
    return gateway(lambda _: httpx.Response(status, json=body))


def failing(error: type[httpx.TransportError]) -> SandboxGateway:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("planted", request=request)

    return gateway(fail)


def test_an_attempts_id_is_the_idempotency_key_and_the_reference() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json=payment())

    said = gateway(answer).authorise(ORDER)

    assert said.fact is Fact.CAPTURED
    assert said.moved == Money(1999, "EUR")
    assert seen[0].headers["Idempotency-Key"] == "att_1"
    assert seen[0].headers["Authorization"] == "Bearer sk_secret"
    body = json.loads(seen[0].content)
    assert (body["reference"], body["three_ds"], body["payment_token"]) == ("att_1", "auto", "tok_1")


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
def test_what_was_never_sent_is_a_definite_failure(error: type[httpx.TransportError]) -> None:
    said = failing(error).authorise(ORDER)

    assert (said.fact, said.code) == (Fact.DECLINED, "gateway_unreachable")
    assert failing(error).refund(REFUND).fact is StepFact.UNKNOWN  # a refund waits for better weather


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError]
)
def test_a_lost_answer_proves_nothing(error: type[httpx.TransportError]) -> None:
    assert failing(error).authorise(ORDER).fact is Fact.UNKNOWN
    assert failing(error).refund(REFUND).fact is StepFact.UNKNOWN


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout])
def test_a_look_up_that_fails_proves_nothing(error: type[httpx.TransportError]) -> None:
    assert failing(error).resolve(ASKED).fact is Fact.UNKNOWN
    assert failing(error).resolve_refund(REFUND).fact is StepFact.UNKNOWN


@pytest.mark.parametrize(
    ("status", "code", "fact", "our_code"),
    [
        (400, "invalid_json", Fact.DECLINED, "gateway_rejected_request"),
        (401, "unauthorized", Fact.DECLINED, "gateway_rejected_credentials"),
        (422, "invalid_request", Fact.DECLINED, "gateway_rejected_request"),
        (422, "token_used", Fact.DECLINED, "payment_token_invalid"),
        (422, "token_expired", Fact.DECLINED, "payment_token_invalid"),
        (422, "idempotency_key_reused", Fact.UNKNOWN, "gateway_conflict"),
        (409, "conflict_in_flight", Fact.UNKNOWN, "gateway_conflict"),
        (429, "slow_down", Fact.DECLINED, "gateway_busy"),
        (500, "internal_error", Fact.UNKNOWN, "gateway_error"),
        (503, "service_unavailable", Fact.UNKNOWN, "gateway_error"),
        (504, "timeout", Fact.UNKNOWN, "gateway_error"),
        (302, "moved", Fact.UNKNOWN, "gateway_error"),
        (418, "teapot", Fact.UNKNOWN, "gateway_error"),
    ],
)
def test_every_refusal_has_one_meaning(status: int, code: str, fact: Fact, our_code: str) -> None:
    said = answering(status, {"code": code}).authorise(ORDER)

    assert (said.fact, said.code) == (fact, our_code)
    assert answering(status, {"code": code}).resolve(ASKED).fact is Fact.UNKNOWN


@pytest.mark.parametrize(
    "body",
    [
        "nonsense",
        payment(status="exploded"),
        payment(reference="att_2"),
        payment(amount_minor=19.99),
        payment(currency="XXQ"),
        payment(status="requires_action"),
        payment(status="requires_action", action={"kind": "three_ds", "url": "javascript:alert(1)"}),
    ],
)
def test_an_answer_that_cannot_be_read_proves_nothing(body: Any) -> None:
    assert answering(201, body).authorise(ORDER).fact is Fact.UNKNOWN


def test_a_look_up_finds_one_or_nothing() -> None:
    assert answering(200, {"data": []}).resolve(ASKED).fact is Fact.NOT_FOUND
    assert answering(200, {"data": [payment()]}).resolve(ASKED).fact is Fact.CAPTURED
    assert answering(200, {"data": [payment(reference="att_9")]}).resolve(ASKED).fact is Fact.NOT_FOUND
    assert answering(200, {"data": [payment(), payment()]}).resolve(ASKED).fact is Fact.UNKNOWN
    assert answering(200, {"data": []}).resolve_refund(REFUND).fact is StepFact.NOT_FOUND
    assert answering(200, {"data": [refund(status="pending")]}).resolve_refund(REFUND).fact is StepFact.PENDING


def test_a_refunds_failure_is_the_gateways_word() -> None:
    failed = answering(201, refund(status="failed", failure_code="amount_exceeds_refundable")).refund(REFUND)
    assert (failed.fact, failed.code) == (StepFact.FAILED, "amount_exceeds_refundable")
    assert answering(422, {"code": "invalid_request"}).refund(REFUND).fact is StepFact.FAILED
    assert answering(401, {"code": "unauthorized"}).refund(REFUND).fact is StepFact.UNKNOWN


def webhook(kind: str, data: dict[str, Any], account: str = "MeridianEU") -> bytes:
    return json.dumps({"id": "evt_1", "type": kind, "account": account, "data": data}).encode()


def verified(body: bytes, header: str | None, now: datetime = NOW) -> str:
    headers = {} if header is None else {HEADER: header}
    return answering(200, {}).verify_webhook(headers, body, now)


def test_a_signed_webhook_is_accepted_and_read() -> None:
    body = webhook("payment.captured", payment())

    assert verified(body, signatures.sign(SECRET.encode(), body, NOW)) == "evt_1"
    event = answering(200, {}).parse_webhook(body)
    assert isinstance(event.news, AttemptNews)
    assert (event.news.attempt_id, event.news.answer.fact) == ("att_1", Fact.CAPTURED)
    told = answering(200, {}).parse_webhook(webhook("refund.succeeded", refund())).news
    assert isinstance(told, RefundNews)
    assert told.answer.fact is StepFact.SUCCEEDED
    assert answering(200, {}).parse_webhook(webhook("payout.sent", {})).news is None


def test_a_webhook_that_proves_nothing_is_rejected() -> None:
    body = webhook("payment.captured", payment())
    good = signatures.sign(SECRET.encode(), body, NOW)
    bad = [
        (body, None),
        (body, ""),
        (body, "t=x,v1=00"),
        (body, f"t={int(NOW.timestamp())}"),
        (body, signatures.sign(b"other", body, NOW)),
        (body + b" ", good),
        (webhook("payment.captured", payment(), "MeridianUS"), None),
    ]
    for content, header in bad:
        with pytest.raises(WebhookRejectedError):
            verified(content, header)
    with pytest.raises(WebhookRejectedError, match="too long ago"):
        verified(body, good, NOW + timedelta(minutes=6))
    with pytest.raises(WebhookRejectedError, match="too long ago"):
        verified(body, good, NOW - timedelta(minutes=6))
    foreign = webhook("payment.captured", payment(), "MeridianUS")
    with pytest.raises(WebhookRejectedError, match="another account"):
        verified(foreign, signatures.sign(SECRET.encode(), foreign, NOW))
    rotated = f"{signatures.sign(b'old', body, NOW)},{good.partition(',')[2]}"
    assert verified(body, rotated) == "evt_1"


def test_an_unreadable_webhook_names_the_place_and_no_value() -> None:
    with pytest.raises(GatewayDocumentError, match="status") as caught:
        answering(200, {}).parse_webhook(webhook("payment.captured", payment(status="4242424242424242")))
    assert "4242" not in str(caught.value)


def test_secrets_stay_out_of_representations() -> None:
    assert "sk_secret" not in repr(SandboxSettings("http://psp.example", "MeridianEU", "sk_secret", SECRET))
    assert SECRET not in repr(SandboxSettings("http://psp.example", "MeridianEU", "sk_secret", SECRET))
