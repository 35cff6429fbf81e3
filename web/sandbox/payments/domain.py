"""What becomes of a payment: pure rules over its method, the card's scenario and the merchant's wishes."""

from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from regions.money import EXPONENTS
from web.sandbox.cards.domain import Card
from web.sandbox.cards.scenarios import CHALLENGED, DECLINES, DISPUTED, Scenario, scenario_of
from web.sandbox.clock import timestamp

ThreeDs = Literal["auto", "force", "none"]
ActionKind = Literal["three_ds", "redirect"]
Status = Literal["captured", "authorised", "declined", "voided", "requires_action", "pending"]
MethodName = Literal["card", "wallet", "bank_transfer", "upi", "fps", "sepa_debit", "ideal"]
CaptureMode = Literal["automatic", "manual"]

AMOUNT_MINOR_MAX = 10**12 - 1  # card networks carry twelve digits of minor units


@dataclass(frozen=True)
class Method:
    """How one way of paying behaves. `page` is the folder of the payer's page; no currencies: any."""

    page: str
    is_pushed: bool = False  # the payer sends the money, when and as much as they like
    settles_later: bool = False  # the bank says yes or no seconds (really: days) after the payer has agreed
    can_be_manual: bool = False
    is_mandate: bool = False  # what the payer agrees to in the bank's app can be charged again
    currencies: frozenset[str] = frozenset()


METHODS = MappingProxyType(
    {
        "card": Method("pay", can_be_manual=True),
        "wallet": Method("approve", can_be_manual=True),
        "ideal": Method("approve", currencies=frozenset({"EUR"})),
        "upi": Method("approve", is_mandate=True, currencies=frozenset({"INR"})),
        "sepa_debit": Method("approve", settles_later=True, is_mandate=True, currencies=frozenset({"EUR"})),
        "bank_transfer": Method("transfer", is_pushed=True, settles_later=True),
        "fps": Method("transfer", is_pushed=True, currencies=frozenset({"GBP", "HKD", "CNY"})),
    }
)


@dataclass(frozen=True)
class Outcome:
    """Where a payment goes next. `is_held`: the answer is to come too late. `is_lost`: it is to be a 500."""

    status: Status
    decline_code: str | None = None
    action_kind: ActionKind | None = None
    is_held: bool = False
    is_lost: bool = False


@dataclass(frozen=True)
class Payment:
    """One payment at this PSP."""

    id: str
    account: str
    reference: str
    amount_minor: int
    currency: str
    method: MethodName
    status: Status
    decline_code: str | None
    three_ds: ThreeDs
    capture_mode: CaptureMode
    return_url: str | None
    action_kind: ActionKind | None
    action_id: str
    scenario: str | None
    brand: str | None
    last4: str | None
    fingerprint: str | None
    saved_method: str | None
    save_for: str | None
    captured_minor: int
    created_at: datetime
    due_at: datetime | None
    authorised_at: datetime | None
    captured_at: datetime | None

    def with_card(self, card: Card) -> "Payment":
        """The payment with what may be kept of the card that pays it."""
        scenario = scenario_of(card.scenario, self.amount_minor)
        return replace(self, scenario=scenario, brand=card.brand, last4=card.last4, fingerprint=card.fingerprint)

    def without_card(self) -> "Payment":
        """The payment by a method that shows no card: its amount alone may be magic."""
        return replace(self, scenario=scenario_of(Scenario.SUCCEED, self.amount_minor))

    def document(self, base_url: str) -> dict[str, Any]:
        """The payment as the API and the webhooks show it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "object": "payment",
            "reference": self.reference,
            "method": self.method,
            "status": self.status,
            "capture": self.capture_mode,
            "amount_minor": self.amount_minor,
            "captured_minor": self.captured_minor,
            "currency": self.currency,
            "decline_code": self.decline_code,
            "action": None,
            "card": None,
            "saved_method": None,
            "created_at": timestamp(self.created_at),
            "authorised_at": timestamp(self.authorised_at) if self.authorised_at else None,
            "captured_at": timestamp(self.captured_at) if self.captured_at else None,
        }
        if self.status == "requires_action":
            shown["action"] = {"kind": self.action_kind, "url": self.action_url(base_url)}
        if self.brand is not None:
            shown["card"] = {"brand": self.brand, "last4": self.last4, "fingerprint": self.fingerprint}
        if self.saved_method is not None and self.save_for is not None:
            shown["saved_method"] = {"id": self.saved_method, "payer_reference": self.save_for}
        return shown

    def action_url(self, base_url: str) -> str:
        """Where the payer goes next."""
        folder = "3ds" if self.action_kind == "three_ds" else METHODS[self.method].page
        return f"{base_url}/{folder}/{self.action_id}"


def authorise(payment: Payment, *, is_payer_present: bool = True) -> Outcome:
    """The answer to a charge with a card: a challenge first, or the card's own outcome."""
    scenario = Scenario(payment.scenario or "")
    if not is_payer_present and scenario in CHALLENGED | {Scenario.AUTHENTICATION_REQUIRED_LATER}:
        return Outcome("declined", decline_code="authentication_required")
    is_challenged = scenario in CHALLENGED
    if is_challenged and payment.three_ds == "none":
        return Outcome("declined", decline_code="authentication_required")
    if is_payer_present and (is_challenged or payment.three_ds == "force"):
        return Outcome("requires_action", action_kind="three_ds")
    return charge(payment)


def charge(payment: Payment) -> Outcome:
    """The payment's own outcome, once nothing stands in its way any more."""
    scenario = Scenario(payment.scenario or "")
    decline_code = DECLINES.get(scenario)
    is_held = scenario in {Scenario.TIMEOUT_AFTER_CHARGE, Scenario.TIMEOUT_BEFORE_CHARGE}
    if decline_code is not None:
        return Outcome("declined", decline_code=decline_code, is_held=is_held)
    if scenario in {Scenario.CAPTURE_LATER, Scenario.FAIL_LATER} or METHODS[payment.method].settles_later:
        return Outcome("pending")
    status: Status = "authorised" if payment.capture_mode == "manual" else "captured"
    return Outcome(status, is_held=is_held, is_lost=scenario is Scenario.ERROR_AFTER_CHARGE)


def end_of_wait(payment: Payment) -> Outcome:
    """How a payment that was pending ends."""
    if payment.scenario == Scenario.FAIL_LATER:
        return Outcome("declined", decline_code="payment_failed_later")
    return Outcome("authorised" if payment.capture_mode == "manual" else "captured")


def is_disputed_later(payment: Payment) -> bool:
    """Whether its payer will complain."""
    return payment.scenario is not None and Scenario(payment.scenario) in DISPUTED


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
