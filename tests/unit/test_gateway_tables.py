"""The tables of the adapters: total, and exactly what the gateways' documents say where it matters most."""

import httpx
import pytest

from web.gateways.adyen import tables as adyen
from web.gateways.adyen import webhooks as adyen_webhooks
from web.gateways.adyen.failures import understood as adyen_understood
from web.gateways.declines import Reason, Retry
from web.gateways.exchange import after_response, after_transport_error
from web.gateways.sandbox import tables as sandbox
from web.gateways.stripe import tables as stripe
from web.gateways.stripe.failures import understood as stripe_understood
from web.sandbox.cards.scenarios import COMPLAINTS, DECLINES

# Adyen's own example (docs.adyen.com, "Verify HMAC signatures").
KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
FIELDS = ("7914073381342284", "", "TestMerchant", "TestPayment-1407325143704", "1130", "EUR", "AUTHORISATION", "true")


def test_the_signature_is_adyens_own() -> None:
    assert adyen_webhooks.sign(KEY, FIELDS) == "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="


def test_fields_are_escaped_before_they_are_joined() -> None:
    odd = (*FIELDS[:3], "a:b\\c", *FIELDS[4:])
    assert adyen_webhooks.sign(KEY, odd) != adyen_webhooks.sign(KEY, odd, is_escaped=False)
    assert adyen_webhooks.sign(KEY, FIELDS) == adyen_webhooks.sign(KEY, FIELDS, is_escaped=False)


def test_the_sandbox_says_nothing_that_its_adapter_does_not_know() -> None:
    said = {*DECLINES.values(), "authentication_required", "authentication_failed", "action_expired", "voided"}
    said |= {"cancelled_by_payer", "authorisation_expired", "payment_failed_later"}
    assert said <= set(sandbox.DECLINES)
    assert set(COMPLAINTS) <= set(sandbox.DISPUTE_REASONS)


@pytest.mark.parametrize(
    ("code", "reason", "retry"),
    [
        ("insufficient_funds", Reason.INSUFFICIENT_FUNDS, Retry.LATER),
        ("stolen_card", Reason.LOST_OR_STOLEN, Retry.NEVER),
        ("authentication_required", Reason.AUTHENTICATION_REQUIRED, Retry.WITH_AUTHENTICATION),
        ("something_new", Reason.CARD_DECLINED, Retry.LATER),
    ],
)
def test_stripes_codes(code: str, reason: Reason, retry: Retry) -> None:
    assert (stripe.decline(code).reason, stripe.decline(code).retry) == (reason, retry)


def test_the_finer_code_wins() -> None:
    assert stripe.decline("lost_card", "card_declined").reason is Reason.LOST_OR_STOLEN
    assert stripe.decline(None, "expired_card").reason is Reason.EXPIRED_CARD


@pytest.mark.parametrize(
    ("words", "reason", "retry"),
    [
        (("12", "Not enough balance"), Reason.INSUFFICIENT_FUNDS, Retry.LATER),
        ((None, "NOT ENOUGH BALANCE"), Reason.INSUFFICIENT_FUNDS, Retry.LATER),
        (("38", None), Reason.AUTHENTICATION_REQUIRED, Retry.WITH_AUTHENTICATION),
        (("26", None), Reason.MANDATE_INVALID, Retry.NEVER),
        (("999", "Something new"), Reason.CARD_DECLINED, Retry.LATER),
    ],
)
def test_adyens_reasons(words: tuple[str | None, ...], reason: Reason, retry: Retry) -> None:
    assert (adyen.refusal(*words).reason, adyen.refusal(*words).retry) == (reason, retry)


@pytest.mark.parametrize(
    ("status", "error", "is_definite", "code"),
    [
        (400, {"type": "idempotency_error"}, False, "gateway_conflict"),
        (409, {"type": "invalid_request_error", "code": "idempotency_key_in_use"}, False, "gateway_conflict"),
        (402, {"type": "card_error", "decline_code": "insufficient_funds"}, True, "insufficient_funds"),
        (404, {"code": "resource_missing", "param": "payment_method"}, True, "payment_token_invalid"),
        (404, {"code": "resource_missing", "param": "intent"}, True, "gateway_rejected_request"),
        (429, {"code": "lock_timeout"}, True, "gateway_busy"),
        (500, {"type": "api_error"}, False, "gateway_error"),
    ],
)
def test_what_stripes_errors_prove(status: int, error: dict[str, str], is_definite: bool, code: str) -> None:  # noqa: FBT001
    refusal = stripe_understood(after_response(status, httpx.Response(status, json={"error": error}).content))
    assert (refusal.is_definite, refusal.code) == (is_definite, code)


@pytest.mark.parametrize(
    ("status", "code", "is_definite", "ours"),
    [
        (422, "704", False, "gateway_conflict"),
        (422, "803", True, "payment_token_invalid"),
        (422, "167", True, "payment_unknown"),
        (422, "0", True, "gateway_rejected_request"),
        (401, "000", True, "gateway_rejected_credentials"),
        (500, "905", False, "gateway_error"),
    ],
)
def test_what_adyens_errors_prove(status: int, code: str, is_definite: bool, ours: str) -> None:  # noqa: FBT001
    refusal = adyen_understood(after_response(status, httpx.Response(status, json={"errorCode": code}).content))
    assert (refusal.is_definite, refusal.code) == (is_definite, ours)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]"])
def test_an_error_that_cannot_be_read_is_known_by_its_status(body: bytes) -> None:
    for understood in (stripe_understood, adyen_understood):
        assert understood(after_response(422, body)).is_definite
        assert not understood(after_response(503, body)).is_definite
        assert understood(after_transport_error(httpx.ConnectError(""))).is_about_us
