"""Every request of the Adyen adapter: against examples written by hand, and a mock of Adyen's OpenAPI document."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from regions.money import Money
from tests.support.gateways import tools
from tests.support.gateways.bench import PRICE, RETURN_URL
from tests.support.gateways.recorder import Recorder
from tests.support.serving import free_port
from web.gateways.adyen.adapter import AdyenGateway, AdyenSettings
from web.gateways.adyen.bodies import pack
from web.gateways.domain import (
    Authorisation,
    CaptureMode,
    CaptureOrder,
    Fact,
    Inquiry,
    Method,
    RefundOrder,
    Saved,
    SaveOrder,
    ThreeDs,
    VoidOrder,
)

pytestmark = pytest.mark.xdist_group("gateway-adyen")
VARIABLE = "ADYEN_OPENAPI"
CARD = {
    "type": "scheme",
    "encryptedCardNumber": "test_4111111111111111",
    "encryptedExpiryMonth": "test_03",
    "encryptedExpiryYear": "test_2030",
    "encryptedSecurityCode": "test_737",
}
ORDER = Authorisation("att_eu_1", PRICE, pack(CARD), RETURN_URL, ThreeDs.FORCE)
PAGE = replace(ORDER, payment_token=None)
NOW = datetime.now(UTC)
# The common part of every payment, and of its page.
PAYMENT = {
    "merchantAccount": "MeridianTests",
    "reference": "att_eu_1",
    "amount": {"value": 1999, "currency": "EUR"},
    "returnUrl": RETURN_URL,
    "channel": "Web",
}
FORCED = {"attemptAuthentication": "always"}
ASKED = {"authenticationData": {**FORCED, "threeDSRequestData": {"nativeThreeDS": "disabled"}}}
AT_ONCE = {"captureDelayHours": 0, "metadata": {"capture": "automatic"}}

Ask = Callable[[AdyenGateway], object]
# What is asked, the request's line, and its body as Adyen's docs would have it.
EXAMPLES: dict[str, tuple[Ask, str, dict[str, Any] | None]] = {
    "a card": (
        lambda gateway: gateway.authorise(ORDER),
        "POST /v71/payments",
        PAYMENT | ASKED | AT_ONCE | {"paymentMethod": CARD, "shopperInteraction": "Ecommerce"},
    ),
    "set aside": (
        lambda gateway: gateway.authorise(replace(ORDER, capture=CaptureMode.MANUAL, three_ds=ThreeDs.AUTO)),
        "POST /v71/payments",
        PAYMENT
        | {
            "paymentMethod": CARD,
            "shopperInteraction": "Ecommerce",
            "additionalData": {"manualCapture": "true"},
            "metadata": {"capture": "manual"},
            "authenticationData": {"threeDSRequestData": {"nativeThreeDS": "disabled"}},
        },
    ),
    "a currency with other minor units": (
        lambda gateway: gateway.authorise(replace(ORDER, amount=Money(500, "ISK"))),
        "POST /v71/payments",
        PAYMENT
        | ASKED
        | AT_ONCE
        | {
            "amount": {"value": 50000, "currency": "ISK"},
            "paymentMethod": CARD,
            "shopperInteraction": "Ecommerce",
        },
    ),
    "a kept card, without its payer": (
        lambda gateway: gateway.authorise(
            replace(ORDER, payment_token=None, saved=Saved("8415", "payer-1"), is_payer_present=False)
        ),
        "POST /v71/payments",
        PAYMENT
        | AT_ONCE
        | {
            "paymentMethod": {"type": "scheme", "storedPaymentMethodId": "8415"},
            "shopperInteraction": "ContAuth",
            "shopperReference": "payer-1",
            "recurringProcessingModel": "UnscheduledCardOnFile",
        },
    ),
    "its page": (
        lambda gateway: gateway.authorise(PAGE),
        "POST /v71/sessions",
        PAYMENT | AT_ONCE | {"mode": "hosted", "allowedPaymentMethods": ["scheme"], "authenticationData": FORCED},
    ),
    "its page, for iDEAL": (
        lambda gateway: gateway.authorise(replace(PAGE, method=Method.IDEAL, three_ds=ThreeDs.AUTO)),
        "POST /v71/sessions",
        PAYMENT | AT_ONCE | {"mode": "hosted", "allowedPaymentMethods": ["ideal"]},
    ),
    "its page, kept": (
        lambda gateway: gateway.authorise(replace(PAGE, save_for="payer-1", three_ds=ThreeDs.AUTO)),
        "POST /v71/sessions",
        PAYMENT
        | AT_ONCE
        | {
            "mode": "hosted",
            "allowedPaymentMethods": ["scheme"],
            "shopperReference": "payer-1",
            "recurringProcessingModel": "UnscheduledCardOnFile",
            "storePaymentMethodMode": "enabled",
        },
    ),
    "back from the bank": (
        lambda gateway: gateway.resolve(Inquiry("att_eu_1", NOW, returned={"redirectResult": "X6XtfGC3!Y"})),
        "POST /v71/payments/details",
        {"details": {"redirectResult": "X6XtfGC3!Y"}},
    ),
    "back from its page": (
        lambda gateway: gateway.resolve(Inquiry("att_eu_1", NOW, "CS123", returned={"sessionResult": "Ab02b4c0"})),
        "GET /v71/sessions/CS123",
        None,
    ),
    "the identical request again": (
        lambda gateway: gateway.resolve(Inquiry("att_eu_1", NOW, order=ORDER)),
        "POST /v71/payments",
        PAYMENT | ASKED | AT_ONCE | {"paymentMethod": CARD, "shopperInteraction": "Ecommerce"},
    ),
    "a capture": (
        lambda gateway: gateway.capture(CaptureOrder("cap_eu_1", "993617895204576J", Money(700, "EUR"))),
        "POST /v71/payments/993617895204576J/captures",
        {
            "merchantAccount": "MeridianTests",
            "reference": "cap_eu_1",
            "amount": {"value": 700, "currency": "EUR"},
        },
    ),
    "a cancel": (
        lambda gateway: gateway.void(VoidOrder("void_eu_1", "993617895204576J")),
        "POST /v71/payments/993617895204576J/cancels",
        {"merchantAccount": "MeridianTests", "reference": "void_eu_1"},
    ),
    "a refund": (
        lambda gateway: gateway.refund(RefundOrder("re_eu_1", "993617895204576J", Money(5000, "CLP"))),
        "POST /v71/payments/993617895204576J/refunds",
        {
            "merchantAccount": "MeridianTests",
            "reference": "re_eu_1",
            "amount": {"value": 500_000, "currency": "CLP"},
        },
    ),
    "a card to keep": (
        lambda gateway: gateway.save(SaveOrder("sav_eu_1", "payer-1", pack(CARD), "EUR", RETURN_URL)),
        "POST /v71/payments",
        PAYMENT
        | {
            "reference": "sav_eu_1",
            "amount": {"value": 0, "currency": "EUR"},
            "paymentMethod": CARD,
            "shopperInteraction": "Ecommerce",
            "shopperReference": "payer-1",
            "storePaymentMethod": True,
            "recurringProcessingModel": "UnscheduledCardOnFile",
        },
    ),
    "a card to forget": (
        lambda gateway: gateway.forget("8415", "payer-1"),
        "DELETE /v71/storedPaymentMethods/8415",
        None,
    ),
}


def gateway_at(url: str, transport: httpx.BaseTransport | None = None) -> AdyenGateway:
    return AdyenGateway(AdyenSettings("MeridianTests", "key", "AA", url, deadlines=httpx.Timeout(20)), transport)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_request_is_what_its_example_says(name: str) -> None:
    ask, line, body = EXAMPLES[name]
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(500)

    ask(gateway_at("https://checkout-test.adyen.com/v71", httpx.MockTransport(answer)))

    (request,) = seen
    assert f"{request.method} {request.url.path}" == line
    assert (json.loads(request.content) if request.content else None) == body
    assert request.headers["X-API-Key"] == "key"
    if request.method == "POST":
        assert 1 <= len(request.headers["Idempotency-Key"]) <= 64


def only_what_is_asked(document: dict[str, Any]) -> dict[str, Any]:
    """The paths that we use and what they refer to, unchanged: Prism takes half a minute to read all of it."""
    asked = {line.partition("/v71")[2] for _, line, _ in EXAMPLES.values()}
    paths = {
        path: item
        for path, item in document["paths"].items()
        if any(re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", path), one) for one in asked)
    }
    kept: dict[str, dict[str, Any]] = {}
    found = [paths]
    while found:
        for name in set(re.findall(r'"#/components/([^"]+)"', json.dumps(found.pop()))):
            kind, _, key = name.partition("/")
            if key not in kept.setdefault(kind, {}):
                kept[kind][key] = document["components"][kind][key]
                found.append(kept[kind][key])
    kept["securitySchemes"] = document["components"]["securitySchemes"]
    return {**document, "paths": paths, "components": kept}


@pytest.fixture(scope="module")
def prism_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A mock made from Adyen's own OpenAPI document, which is not ours to ship."""
    document = os.environ.get(VARIABLE, "")
    if not document or not Path(document).is_file():
        pytest.skip(
            f"NOT TESTED against Adyen's OpenAPI document: set {VARIABLE} to the path of CheckoutService-v71.json, "
            "which is in Adyen's public repository Adyen/adyen-openapi (folder json)"
        )
    try:
        program = tools.prism()
    except tools.ToolError as error:
        pytest.skip(f"NOT TESTED against Adyen's OpenAPI document: {error}")
    port = free_port()
    folder = tmp_path_factory.mktemp("prism")
    log, cut = folder / "log", folder / "openapi.json"
    cut.write_text(json.dumps(only_what_is_asked(json.loads(Path(document).read_text()))))
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["node", str(program.resolve()), "mock", "--host", "127.0.0.1", "--port", str(port), "--errors", str(cut)],
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    try:
        while "listening" not in log.read_text(errors="replace"):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, "Prism does not start"
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.parametrize("name", EXAMPLES)
def test_adyens_own_document_accepts_every_request(prism_url: str, name: str) -> None:
    recorder = Recorder()

    EXAMPLES[name][0](gateway_at(prism_url, recorder))

    assert recorder.seen
    assert [seen for seen in recorder.seen if seen[1] not in {200, 201, 204}] == []


def test_the_mock_refuses_what_adyen_does_not_take(prism_url: str) -> None:
    """Else the test above would prove nothing."""
    headers = {"X-API-Key": "key"}
    answer = httpx.post(f"{prism_url}/payments", json={"amount": 1}, headers=headers, trust_env=False, timeout=20)
    assert answer.status_code == 422


def test_an_answer_without_an_amount_is_about_the_one_that_we_asked_for() -> None:
    """The details of a payment often name none (Adyen's own example does not)."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, json={"resultCode": "Authorised", "pspReference": "V4HZ4RBFJGXXGN82"})
    )
    gateway = gateway_at("https://checkout-test.adyen.com/v71", transport)
    returned = {"redirectResult": "X6XtfGC3!Y"}

    assert gateway.resolve(Inquiry("att_eu_1", NOW, amount=PRICE, returned=returned)).moved == PRICE
    assert gateway.resolve(Inquiry("att_eu_1", NOW, returned=returned)).fact is Fact.UNKNOWN
