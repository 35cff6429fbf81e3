"""What every gateway adapter has to do. One suite; each gateway brings a bench that makes its outcomes happen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from regions.ids import new_id
from regions.money import Money
from tests.support.postgres import running_postgres
from tests.support.sandbox import API_KEYS, WEBHOOK_SECRETS, sandbox_database, settings
from tests.support.serving import free_port, serving
from web.gateways.domain import ActionKind, Authorisation, Fact, RefundFact, RefundOrder, ThreeDs
from web.gateways.errors import WebhookRejectedError
from web.gateways.protocol import Gateway
from web.gateways.sandbox.adapter import SandboxGateway, SandboxSettings
from web.sandbox.app import create_app
from web.sandbox.database import Database

PRICE = Money(1999, "EUR")
SANDBOX_CARDS = {
    "succeed": "4242424242424242",
    "decline": "4000000000000002",
    "insufficient_funds": "4000000000009995",
    "challenge": "4000002500003155",
    "late": "4000000000000341",
    "lost": "4000000000000119",
}


@dataclass
class Bench:
    """A gateway, and how to get a token for a card that behaves in a certain way."""

    gateway: Gateway
    token: Callable[[str], str]
    pass_challenge: Callable[[str], None]

    def order(self, behaviour: str | None = "succeed", amount: Money = PRICE) -> Authorisation:
        token = self.token(behaviour) if behaviour else None
        return Authorisation(new_id("attempt", "eu"), amount, token, "https://pay.eu.example/c/x/return", ThreeDs.AUTO)


@pytest.fixture(scope="module")
def sandbox_bench() -> Iterator[Bench]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_postgres() as server, sandbox_database(server.url) as database_url:
        chosen = settings(database_url, SANDBOX_URL=url, SANDBOX_HOLD_SECONDS="1.5")
        database = Database(database_url)
        client = httpx.Client(base_url=url, trust_env=False)

        def token(behaviour: str) -> str:
            card = {"account": "MeridianEU", "number": SANDBOX_CARDS[behaviour]}
            card |= {"exp_month": "12", "exp_year": "34", "cvc": "123"}
            return str(client.post("/frame/tokens", json=card).json()["token"])

        gateway = SandboxGateway(
            SandboxSettings(
                url, "MeridianEU", API_KEYS["eu"], WEBHOOK_SECRETS["eu"], deadlines=httpx.Timeout(2.0, read=0.6)
            )
        )
        with serving(create_app(chosen, database), port):
            yield Bench(gateway, token, lambda action: client.post(action, data={"outcome": "pass"}) and None)
        client.close()
        database.close()


@pytest.fixture(params=["sandbox"])
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(f"{request.param}_bench")
    return found


def test_a_good_card_is_captured_and_named(bench: Bench) -> None:
    order = bench.order()

    answer = bench.gateway.authorise(order)

    assert answer.fact is Fact.CAPTURED
    assert answer.moved == PRICE
    assert answer.card is not None
    assert (answer.card.last4, bool(answer.card.fingerprint)) == ("4242", True)
    again = bench.gateway.resolve(order.attempt_id)
    assert (again.fact, again.gateway_reference) == (Fact.CAPTURED, answer.gateway_reference)


@pytest.mark.parametrize("amount", [Money(1, "EUR"), Money(999_999_999_999, "EUR"), Money(1999, "HUF")])
def test_amounts_keep_their_minor_units(bench: Bench, amount: Money) -> None:
    assert bench.gateway.authorise(bench.order(amount=amount)).moved == amount


def test_the_same_attempt_never_moves_money_twice(bench: Bench) -> None:
    order = bench.order()

    first, second = bench.gateway.authorise(order), bench.gateway.authorise(order)

    assert first == second


def test_an_attempts_id_with_another_amount_proves_nothing(bench: Bench) -> None:
    order = bench.order()
    bench.gateway.authorise(order)

    other = Authorisation(order.attempt_id, Money(1, "EUR"), order.payment_token, order.return_url, order.three_ds)

    assert bench.gateway.authorise(other).fact is Fact.UNKNOWN


@pytest.mark.parametrize(("behaviour", "code"), [("decline", "card_declined"), ("insufficient_funds",) * 2])
def test_a_refused_card_is_a_definite_failure_with_a_code(bench: Bench, behaviour: str, code: str) -> None:
    order = bench.order(behaviour)

    answer = bench.gateway.authorise(order)

    assert (answer.fact, answer.code) == (Fact.DECLINED, code)
    assert bench.gateway.resolve(order.attempt_id).fact is Fact.DECLINED


def test_a_token_is_good_once(bench: Bench) -> None:
    order = bench.order()
    bench.gateway.authorise(order)

    again = Authorisation(new_id("attempt", "eu"), PRICE, order.payment_token, order.return_url, order.three_ds)

    answer = bench.gateway.authorise(again)
    assert (answer.fact, answer.code) == (Fact.DECLINED, "payment_token_invalid")


def test_a_challenge_names_where_the_payer_goes(bench: Bench) -> None:
    order = bench.order("challenge")

    answer = bench.gateway.authorise(order)

    assert answer.fact is Fact.REQUIRES_ACTION
    assert answer.action is not None
    assert answer.action.kind is ActionKind.THREE_DS
    assert answer.action.url.startswith(bench.gateway.origin)
    assert bench.gateway.resolve(order.attempt_id).fact is Fact.REQUIRES_ACTION
    bench.pass_challenge(answer.action.url)
    assert bench.gateway.resolve(order.attempt_id).fact is Fact.CAPTURED


def test_without_a_token_the_payer_goes_to_the_gateways_page(bench: Bench) -> None:
    answer = bench.gateway.authorise(bench.order(None))

    assert answer.action is not None
    assert answer.action.kind is ActionKind.REDIRECT


def test_a_late_answer_is_unknown_and_then_found(bench: Bench) -> None:
    order = bench.order("late")

    assert bench.gateway.authorise(order).fact is Fact.UNKNOWN
    assert bench.gateway.resolve(order.attempt_id).fact is Fact.CAPTURED


def test_a_lost_request_is_unknown_and_not_found(bench: Bench) -> None:
    order = bench.order("lost")

    assert bench.gateway.authorise(order).fact is Fact.UNKNOWN
    assert bench.gateway.resolve(order.attempt_id).fact is Fact.NOT_FOUND
    assert bench.gateway.not_found_after > timedelta(0)


def test_refunds_add_up_and_are_found(bench: Bench) -> None:
    reference = bench.gateway.authorise(bench.order()).gateway_reference
    assert reference
    part = RefundOrder(new_id("refund", "eu"), reference, Money(500, "EUR"))

    first, second = bench.gateway.refund(part), bench.gateway.refund(part)
    too_much = bench.gateway.refund(RefundOrder(new_id("refund", "eu"), reference, Money(1500, "EUR")))

    assert first == second
    assert (first.fact, first.moved) == (RefundFact.SUCCEEDED, Money(500, "EUR"))
    assert bench.gateway.resolve_refund(part.refund_id) == first
    assert too_much.fact is RefundFact.FAILED
    assert bench.gateway.resolve_refund(new_id("refund", "eu")).fact is RefundFact.NOT_FOUND


def test_a_refund_of_nothing_known_fails_for_good(bench: Bench) -> None:
    order = RefundOrder(new_id("refund", "eu"), "0000000000000000", Money(500, "EUR"))

    assert bench.gateway.refund(order).fact is RefundFact.FAILED


def test_a_webhook_without_proof_is_rejected(bench: Bench) -> None:
    with pytest.raises(WebhookRejectedError):
        bench.gateway.verify_webhook({}, b"{}", datetime.now(UTC))


def test_the_card_frame_lives_on_the_gateways_origin(bench: Bench) -> None:
    assert bench.gateway.frame_url("https://pay.eu.example").startswith(bench.gateway.origin)


def test_a_token_is_described_without_being_used(bench: Bench) -> None:
    order = bench.order()
    assert order.payment_token

    card = bench.gateway.describe_token(order.payment_token)

    assert card is not None
    assert card.fingerprint
    assert card == bench.gateway.describe_token(order.payment_token), "looking changes nothing"
    answer = bench.gateway.authorise(order)
    assert answer.fact is Fact.CAPTURED
    assert answer.card == card


@pytest.mark.parametrize("token", ["tok_none", "../payments?reference=x", "tok/../..", "a b"])
def test_a_token_that_is_none_is_not_described(bench: Bench, token: str) -> None:
    assert bench.gateway.describe_token(token) is None


def test_a_used_token_is_not_described(bench: Bench) -> None:
    order = bench.order()
    bench.gateway.authorise(order)
    assert bench.gateway.describe_token(str(order.payment_token)) is None
