"""Every request of the Stripe adapter against stripe-mock, which knows Stripe's own OpenAPI document."""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from regions.money import Money
from tests.support.gateways import tools
from tests.support.gateways.bench import PRICE, RETURN_URL
from tests.support.gateways.recorder import Recorder
from tests.support.serving import free_port
from web.gateways.domain import (
    Authorisation,
    CaptureMode,
    CaptureOrder,
    Inquiry,
    Method,
    RefundOrder,
    Saved,
    SaveOrder,
    ThreeDs,
    VoidOrder,
)
from web.gateways.stripe.adapter import StripeGateway, StripeSettings

pytestmark = pytest.mark.xdist_group("gateway-stripe")
ORDER = Authorisation("att_eu_1", PRICE, "pm_card_visa", RETURN_URL, ThreeDs.FORCE)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def mock_url() -> Iterator[str]:
    try:
        program = tools.stripe_mock()
    except tools.ToolError as error:
        pytest.skip(f"NOT TESTED against stripe-mock: {error}")
    port = free_port()
    process = subprocess.Popen(
        [str(program), "-http-port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    try:
        while True:
            try:
                httpx.get(url, trust_env=False)
                break
            except httpx.TransportError:
                assert process.poll() is None, "stripe-mock has ended"
                assert time.monotonic() < deadline, "stripe-mock does not answer"
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


ASKS: dict[str, Callable[[StripeGateway], object]] = {
    "authorise a token": lambda gateway: gateway.authorise(ORDER),
    "set aside": lambda gateway: gateway.authorise(replace(ORDER, capture=CaptureMode.MANUAL)),
    "save while paying": lambda gateway: gateway.authorise(replace(ORDER, save_for="payer-1")),
    "charge a saved method": lambda gateway: gateway.authorise(
        replace(ORDER, payment_token=None, saved=Saved("cus_1/pm_1", "payer-1"), is_payer_present=False)
    ),
    "its own page": lambda gateway: gateway.authorise(replace(ORDER, payment_token=None)),
    "its own page, kept": lambda gateway: gateway.authorise(
        replace(ORDER, payment_token=None, save_for="payer-1", capture=CaptureMode.MANUAL)
    ),
    "iDEAL": lambda gateway: gateway.authorise(replace(ORDER, payment_token=None, method=Method.IDEAL)),
    "SEPA": lambda gateway: gateway.authorise(replace(ORDER, payment_token=None, method=Method.SEPA_DEBIT)),
    "resolve a payment": lambda gateway: gateway.resolve(Inquiry("att_eu_1", NOW, "pi_1")),
    "resolve a page": lambda gateway: gateway.resolve(Inquiry("att_eu_1", NOW, "cs_test_1")),
    "look through payments and pages": lambda gateway: gateway.resolve(Inquiry("att_eu_1", NOW)),
    "capture": lambda gateway: gateway.capture(CaptureOrder("cap_1", "pi_1", Money(700, "EUR"))),
    "void": lambda gateway: gateway.void(VoidOrder("void_1", "pi_1")),
    "refund": lambda gateway: gateway.refund(RefundOrder("re_1", "pi_1", Money(500, "EUR"))),
    "look through refunds": lambda gateway: gateway.resolve_refund(RefundOrder("re_1", "pi_1", Money(500, "EUR"))),
    "save": lambda gateway: gateway.save(SaveOrder("sav_1", "payer-1", "pm_card_visa", "EUR", RETURN_URL)),
    "forget": lambda gateway: gateway.forget("cus_1/pm_1", "payer-1"),
    "describe": lambda gateway: gateway.describe_token("pm_card_visa"),
    "list disputes": lambda gateway: gateway.list_disputes(NOW),
    "evidence": lambda gateway: gateway.submit_evidence(
        "dp_1", {"text": "It was delivered.", "refund_policy": "None.", "shipping_documentation": "1Z999"}
    ),
}


@pytest.mark.parametrize("what", ASKS)
def test_stripes_own_document_accepts_every_request(mock_url: str, what: str) -> None:
    recorder = Recorder()
    settings = StripeSettings("acct_1", "sk_test_123", "whsec_1", base_url=mock_url, deadlines=httpx.Timeout(10))

    ASKS[what](StripeGateway(settings, recorder))

    assert recorder.seen
    assert [seen for seen in recorder.seen if seen[1] != 200] == []


def test_the_mock_refuses_what_stripe_does_not_know(mock_url: str) -> None:
    """Else the test above would prove nothing."""
    headers = {"Authorization": "Bearer sk_test_123"}
    answer = httpx.post(f"{mock_url}/v1/payment_intents", data={"amount": "x"}, headers=headers, trust_env=False)
    assert answer.status_code == 400
