"""What becomes of a charge: pure rules over the card's scenario and the merchant's wish about 3-D Secure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from regions.money import EXPONENTS
from web.sandbox.cards.domain import Card, Scenario
from web.sandbox.clock import timestamp

ThreeDs = Literal["auto", "force", "none"]
ActionKind = Literal["three_ds", "redirect"]
Status = Literal["captured", "declined", "requires_action", "pending"]

AMOUNT_MINOR_MAX = 10**12 - 1  # card networks carry twelve digits of minor units

CHALLENGED = frozenset({Scenario.CHALLENGE, Scenario.CHALLENGE_THEN_DECLINE})
_DECLINES = {
    Scenario.DECLINE: "card_declined",
    Scenario.INSUFFICIENT_FUNDS: "insufficient_funds",
    Scenario.CHALLENGE_THEN_DECLINE: "card_declined",
    Scenario.TIMEOUT_BEFORE_CHARGE: "processing_error",
}


@dataclass(frozen=True)
class Outcome:
    """Where a payment goes next. `is_held`: the answer is to come too late."""

    status: Status
    decline_code: str | None = None
    action_kind: ActionKind | None = None
    is_held: bool = False


@dataclass(frozen=True)
class Payment:
    """One charge at this PSP."""

    id: str
    account: str
    reference: str
    amount_minor: int
    currency: str
    status: Status
    decline_code: str | None
    three_ds: ThreeDs
    return_url: str | None
    action_kind: ActionKind | None
    action_id: str
    scenario: str | None
    brand: str | None
    last4: str | None
    fingerprint: str | None
    capture_reference: str | None
    created_at: datetime
    due_at: datetime | None
    captured_at: datetime | None
    batch_id: int | None

    def with_card(self, card: Card) -> "Payment":
        """The payment with what may be kept of the card that pays it."""
        return replace(self, scenario=card.scenario, brand=card.brand, last4=card.last4, fingerprint=card.fingerprint)

    def document(self, base_url: str) -> dict[str, Any]:
        """The payment as the API and the webhooks show it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "object": "payment",
            "reference": self.reference,
            "status": self.status,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "decline_code": self.decline_code,
            "action": None,
            "card": None,
            "created_at": timestamp(self.created_at),
            "captured_at": timestamp(self.captured_at) if self.captured_at else None,
        }
        if self.status == "requires_action":
            shown["action"] = {"kind": self.action_kind, "url": self.action_url(base_url)}
        if self.brand is not None:
            shown["card"] = {"brand": self.brand, "last4": self.last4, "fingerprint": self.fingerprint}
        return shown

    def action_url(self, base_url: str) -> str:
        """Where the payer goes next."""
        folder = "3ds" if self.action_kind == "three_ds" else "pay"
        return f"{base_url}/{folder}/{self.action_id}"


def authorise(scenario: Scenario, three_ds: ThreeDs) -> Outcome:
    """The answer to a charge with a card: a challenge first, or the card's own outcome."""
    is_challenged = scenario in CHALLENGED
    if is_challenged and three_ds == "none":
        return Outcome("declined", decline_code="authentication_required")
    if is_challenged or three_ds == "force":
        return Outcome("requires_action", action_kind="three_ds")
    return charge(scenario)


def charge(scenario: Scenario) -> Outcome:
    """The card's own outcome, once nothing stands in its way any more."""
    decline_code = _DECLINES.get(scenario)
    is_held = scenario in {Scenario.TIMEOUT_AFTER_CHARGE, Scenario.TIMEOUT_BEFORE_CHARGE}
    if decline_code is not None:
        return Outcome("declined", decline_code=decline_code, is_held=is_held)
    if scenario == Scenario.CAPTURE_LATER:
        return Outcome("pending")
    return Outcome("captured", is_held=is_held)


def problem_with_amount(amount_minor: int, currency: str) -> tuple[str, str] | None:
    """What is wrong with an amount, as (JSON pointer, sentence), or None."""
    if currency not in EXPONENTS:
        return "/currency", "Give an ISO 4217 currency code that has a minor unit, such as EUR."
    if not 1 <= amount_minor <= AMOUNT_MINOR_MAX:
        digits = EXPONENTS[currency]
        return (
            "/amount_minor",
            f"Give 1 to {AMOUNT_MINOR_MAX} minor units of {currency}, which has {digits} decimal digits.",
        )
    return None
