"""What a gateway brings to the contract suite: its adapter, ways to make outcomes happen, and its own books."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from regions.ids import new_id
from regions.money import Money
from web.gateways.domain import (
    Authorisation,
    CaptureMode,
    CaptureOrder,
    GatewayEvent,
    Inquiry,
    RefundOrder,
    Saved,
    ThreeDs,
    VoidOrder,
)
from web.gateways.protocol import Gateway

PRICE = Money(1999, "EUR")
RETURN_URL = "https://pay.eu.example/c/x/return"


@dataclass
class Message:
    """One webhook as it came."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Bench:
    """One gateway. `token` takes succeed, decline, insufficient_funds, expired, challenge, late or lost."""

    gateway: Gateway
    token: Callable[[str], str]
    answer_challenge: Callable[[str, bool], dict[str, str]]  # the payer at the bank; what the browser brings back
    pay_on_page: Callable[[str], dict[str, str]]  # the payer on the gateway's own page
    webhooks: Callable[[], list[Message]]  # everything sent since the last call
    charged_minor: Callable[[str], list[int]]  # the gateway's own books: each charge of an attempt
    dispute: Callable[[str], None] | None = None
    is_token_readable: bool = True  # whether a card can be known before it is used
    amounts: list[Money] = field(default_factory=lambda: [Money(1, "EUR"), Money(1999, "HUF"), Money(500, "JPY")])

    def order(
        self,
        behaviour: str | None = "succeed",
        amount: Money = PRICE,
        *,
        capture: CaptureMode = CaptureMode.AUTOMATIC,
        save_for: str | None = None,
    ) -> Authorisation:
        token = self.token(behaviour) if behaviour else None
        return Authorisation(
            new_id("attempt", "eu"), amount, token, RETURN_URL, ThreeDs.AUTO, capture=capture, save_for=save_for
        )

    def charge_saved(self, saved: Saved) -> Authorisation:
        """A charge that its payer is not there for."""
        return Authorisation(
            new_id("attempt", "eu"), PRICE, None, RETURN_URL, ThreeDs.AUTO, saved=saved, is_payer_present=False
        )

    def news(self) -> list[GatewayEvent]:
        """The webhooks since the last call, verified and parsed."""
        found = []
        for message in self.webhooks():
            assert self.gateway.verify_webhook(message.headers, message.body, datetime.now(UTC))
            found.append(self.gateway.parse_webhook(message.body))
        return found


def ask(order: Authorisation, reference: str | None = None, returned: dict[str, str] | None = None) -> Inquiry:
    """The question what became of an attempt that was sent just now."""
    return Inquiry(order.attempt_id, datetime.now(UTC), reference, order.amount, order, returned or {})


def refund_of(reference: str, amount: Money = PRICE) -> RefundOrder:
    return RefundOrder(new_id("refund", "eu"), reference, amount)


def capture_of(reference: str, amount: Money = PRICE, *, is_final: bool = True) -> CaptureOrder:
    return CaptureOrder(new_id("attempt", "eu").replace("att", "cap"), reference, amount, is_final)


def void_of(reference: str) -> VoidOrder:
    return VoidOrder(new_id("attempt", "eu").replace("att", "void"), reference)
