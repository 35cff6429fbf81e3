"""Stripe as the contract suite's gateway: localstripe in a process of its own, behind a front that fills its gaps."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from regions.money import Money
from tests.support.gateways import tools
from tests.support.gateways.bench import Bench, Message
from tests.support.gateways.stripe_front import Front
from tests.support.serving import free_port, serving
from web.gateways.stripe.adapter import StripeGateway, StripeSettings

SECRET = "whsec_of_tests"
LATE_SECONDS = 1.2
START_SECONDS_MAX = 20
NUMBERS = {
    "decline": "4000000000000341",
    "insufficient_funds": "4000000000000341",
    "expired": "4000000000000341",
    "challenge": "4000002500003155",
}


@contextmanager
def running_localstripe() -> Iterator[str]:
    """localstripe's base URL. Skips, saying so loudly, where it cannot be installed."""
    try:
        python = tools.localstripe()
    except tools.ToolError as error:
        pytest.skip(f"NOT TESTED against localstripe: {error}")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [str(python), "-m", "localstripe", "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_answer(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)
        Path("/tmp/localstripe.pickle").unlink(missing_ok=True)  # noqa: S108 - where it always writes


@contextmanager
def stripe_bench() -> Iterator[Bench]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_localstripe() as backend:
        front = Front(url, backend, SECRET, LATE_SECONDS)
        client = httpx.Client(trust_env=False)

        def token(behaviour: str) -> str:
            number = NUMBERS.get(behaviour, "4242424242424242")
            form = {"type": "card", "card[number]": number, "card[cvc]": "123"}
            form |= {"card[exp_month]": "12", "card[exp_year]": "2034"}
            _, made = front.forward("POST", "payment_methods", form)
            front.behaviours[made["id"]] = behaviour
            return str(made["id"])

        def answer_challenge(action: str, is_passed: bool) -> dict[str, str]:  # noqa: FBT001
            client.post(action, data={"outcome": "pass" if is_passed else "fail"})
            return {}

        def pay_on_page(action: str) -> dict[str, str]:
            assert client.post(action, data={"payment_method": token("succeed")}).status_code == 303
            return {}

        def webhooks() -> list[Message]:
            sent, front.hooks = front.hooks, []
            return [Message(headers, body) for headers, body in sent]

        def charged_minor(attempt_id: str) -> list[int]:
            _, found = front.forward("GET", "payment_intents", None, {"limit": "100000"})
            ours = [one for one in found["data"] if one["metadata"].get("attempt_id") == attempt_id]
            return [one["amount_received"] for one in ours if one["status"] == "succeeded"]

        settings = StripeSettings(
            "acct_tests",
            "sk_test_12345",
            SECRET,
            base_url=url,
            page_origins=(url,),
            deadlines=httpx.Timeout(2.0, read=0.8),
        )
        with serving(front.app(), port):
            yield Bench(
                StripeGateway(settings),
                token,
                answer_challenge,
                pay_on_page,
                webhooks,
                charged_minor,
                front.dispute,
                amounts=[Money(1999, "EUR"), Money(500, "JPY"), Money(700, "ISK"), Money(12_340, "KWD")],
            )
        client.close()
        front.backend.close()


def _await_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            assert process.poll() is None, "localstripe has ended"
            assert time.monotonic() < deadline, "localstripe does not answer"
            time.sleep(0.05)
        else:
            return
