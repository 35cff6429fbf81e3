"""Adyen as the contract suite's gateway."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import httpx

from regions.money import Money
from tests.support.gateways.adyen_double import HMAC_KEY, AdyenDouble
from tests.support.gateways.bench import Bench, Message
from tests.support.serving import free_port, serving
from web.gateways.adyen.adapter import AdyenGateway, AdyenSettings
from web.gateways.adyen.bodies import pack

ACCOUNT = "MeridianTests"


def card(behaviour: str) -> str:
    """A token as Adyen's components would make it."""
    return pack({"type": "scheme", "encryptedCardNumber": f"test_{behaviour}", "encryptedExpiryYear": "test_2034"})


@contextmanager
def adyen_bench() -> Iterator[Bench]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    double = AdyenDouble(url, ACCOUNT, 1.2)
    client = httpx.Client(trust_env=False)

    def back(action: str, **form: str) -> dict[str, str]:
        answer = client.post(action, data=form)
        assert answer.status_code == 303, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))

    def webhooks() -> list[Message]:
        sent, double.notifications = double.notifications, []
        return [Message({}, body) for body in sent]

    def charged_minor(attempt_id: str) -> list[int]:
        ours = [one for one in double.payments.values() if one["reference"] == attempt_id]
        return [one["captured"] for one in ours if one["captured"]]

    settings = AdyenSettings(
        ACCOUNT, "key", HMAC_KEY, f"{url}/v71", page_origins=(url,), deadlines=httpx.Timeout(2.0, read=0.6)
    )
    with serving(double.app(), port):
        yield Bench(
            AdyenGateway(settings),
            card,
            lambda action, is_passed: back(action, outcome="pass" if is_passed else "fail"),
            back,
            webhooks,
            charged_minor,
            double.dispute,
            is_token_readable=False,
            amounts=[Money(1, "EUR"), Money(700, "ISK"), Money(5000, "CLP"), Money(1200, "CVE"), Money(500, "JPY")],
        )
    client.close()
